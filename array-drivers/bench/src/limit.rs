//! What nobody can better on this machine: the same bytes with nothing in between, and a process that does nothing.

use std::{
    io::{self, Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Child, Command, Stdio},
    time::Instant,
};

use anyhow::Context;
use sanfleet_bench::figure::Samples;

/// Reads `question` bytes from its input and answers with `answer` bytes, until the other end closes.
pub fn echo(question: usize, answer: usize) -> anyhow::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let (mut read, written) = (vec![0; question], vec![b'0'; answer]);
    while input.read_exact(&mut read).is_ok() {
        output.write_all(&written)?;
        output.flush()?;
    }
    Ok(())
}

/// A child at the other end of a socket pair that only answers.
pub struct Echo {
    near: UnixStream,
    child: Child,
    question: Vec<u8>,
    answer: Vec<u8>,
}

impl Echo {
    pub fn start(question: usize, answer: usize) -> anyhow::Result<Self> {
        let (near, far) = UnixStream::pair()?;
        let child = Command::new(std::env::current_exe()?)
            .args(["echo".into(), question.to_string(), answer.to_string()])
            .stdin(Stdio::from(OwnedFd::from(far.try_clone()?)))
            .stdout(Stdio::from(OwnedFd::from(far)))
            .spawn()
            .context("cannot start the echo")?;
        Ok(Self { near, child, question: vec![b'0'; question], answer: vec![0; answer] })
    }

    pub fn round_trips(&mut self, count: usize) -> anyhow::Result<Samples> {
        let mut samples = Samples::default();
        // The first one waits for the child to start.
        self.round_trip()?;
        for _ in 0..count {
            let begin = Instant::now();
            self.round_trip()?;
            samples.push(begin.elapsed());
        }
        Ok(samples)
    }

    fn round_trip(&mut self) -> io::Result<()> {
        self.near.write_all(&self.question)?;
        self.near.read_exact(&mut self.answer)
    }

    pub fn process_id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It may have ended already; it is reaped in any case.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Start and end of a process that does nothing.
pub fn processes(count: usize) -> anyhow::Result<Samples> {
    let mut samples = Samples::default();
    for _ in 0..count {
        let begin = Instant::now();
        Command::new("/bin/true").status().context("cannot run /bin/true")?;
        samples.push(begin.elapsed());
    }
    Ok(samples)
}
