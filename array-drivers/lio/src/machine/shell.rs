//! A shell, on this machine or over ssh, that carries out one script at a time.
//!
//! The script goes in by its input, so that nothing in it is on a command line. One connection over ssh serves all of a session.
//! What comes out is bounded, and so is the time.

use std::{
    io::{self, Read, Write},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::MachineError;
use crate::options::Place;

/// Longest answer that is read: some ten thousand volumes.
const ANSWER_BYTES: u64 = 16 << 20;
/// Of its complaints so much is kept.
const WORDS_BYTES: u64 = 4 << 10;
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// How ssh ends when it could not even ask.
const SSH_FAILED: i32 = 255;

#[derive(Debug)]
pub struct Shell {
    place: Place,
    /// Where ssh keeps the socket of its connection.
    sockets: Option<TempDir>,
}

/// How a script ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status; none when it was killed.
    pub status: Option<i32>,
    pub said: Vec<u8>,
    /// Its complaints.
    pub words: String,
}

impl Shell {
    pub fn new(place: Place) -> Result<Self, MachineError> {
        let sockets = match &place {
            Place::Here => None,
            Place::Ssh { .. } => {
                Some(tempfile::tempdir().map_err(|source| MachineError::Start { program: "ssh", source })?)
            }
        };
        Ok(Self { place, sockets })
    }

    pub fn run(&self, doing: &'static str, script: &str, patience: Duration) -> Result<Ended, MachineError> {
        let ended = self.start(script, patience, doing)?;
        match (&self.place, ended.status) {
            (Place::Ssh { .. }, Some(SSH_FAILED)) if is_denied(&ended.words) => {
                Err(MachineError::Denied(ended.words))
            }
            (Place::Ssh { .. }, Some(SSH_FAILED)) => Err(MachineError::Unreachable(ended.words)),
            _ => Ok(ended),
        }
    }

    fn start(&self, script: &str, patience: Duration, doing: &'static str) -> Result<Ended, MachineError> {
        let program = self.program();
        let failed = |source| MachineError::Start { program, source };
        let mut child = self
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (input, said, words) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let script = script.to_owned();
        // It may end before it has read all of it; how it ended tells why.
        let told = thread::spawn(move || input.map(|mut input| input.write_all(script.as_bytes())));
        let said = thread::spawn(move || bounded(said, ANSWER_BYTES));
        let words = thread::spawn(move || bounded(words, WORDS_BYTES));
        let status = wait(&mut child, patience).map_err(failed)?;
        let Some(status) = status else { return Err(MachineError::Timeout { doing, after: patience }) };
        let _ = told.join();
        let gone = || MachineError::Start { program, source: io::ErrorKind::Other.into() };
        let said = said.join().map_err(|_| gone())?.map_err(failed)?;
        let words = words.join().map_err(|_| gone())?.map_err(failed)?;
        let words = sanfleet_protocol::limits::legible(String::from_utf8_lossy(&words).trim());
        Ok(Ended { status: status.code(), said, words })
    }

    fn program(&self) -> &'static str {
        match self.place {
            Place::Here => "sh",
            Place::Ssh { .. } => "ssh",
        }
    }

    fn command(&self) -> Command {
        let Place::Ssh { host, .. } = &self.place else {
            let mut command = Command::new("sh");
            command.env("LC_ALL", "C").arg("-s");
            return command;
        };
        let mut command = self.ssh();
        command.args(["--", host, "LC_ALL=C", "sh", "-s"]);
        command
    }

    /// With all of its options, and no host yet.
    fn ssh(&self) -> Command {
        let mut command = Command::new("ssh");
        command.env("LC_ALL", "C");
        // Whether the host's key is known is ssh's own business, and the administrator's.
        command.args(["-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=5"]);
        if let Some(sockets) = &self.sockets {
            let path = sockets.path().join("connection");
            command.args(["-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o"]);
            command.arg(format!("ControlPath={}", path.display()));
        }
        if let Place::Ssh { user, port, .. } = &self.place {
            command.args(["-l", user]);
            command.args(port.iter().flat_map(|port| ["-p".to_owned(), port.to_string()]));
        }
        command
    }
}

impl Drop for Shell {
    /// Otherwise the connection would stay for a minute.
    fn drop(&mut self) {
        let Place::Ssh { host, .. } = &self.place else { return };
        let mut command = self.ssh();
        command.args(["-O", "exit", "--", host]);
        let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// `None` when its time is up; then it is killed.
fn wait(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let until = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= until {
            // It may have ended by itself meanwhile.
            let _ = child.kill();
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn bounded(from: Option<impl Read>, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let Some(mut from) = from else { return Ok(bytes) };
    from.by_ref().take(most).read_to_end(&mut bytes)?;
    // The rest is heard out, so that nobody waits for us.
    io::copy(&mut from, &mut io::sink())?;
    Ok(bytes)
}

fn is_denied(words: &str) -> bool {
    ["Permission denied", "Host key verification failed", "Too many authentication failures"]
        .iter()
        .any(|denied| words.contains(denied))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_secs(20);

    fn here(script: &str, patience: Duration) -> Result<Ended, MachineError> {
        Shell::new(Place::Here).unwrap().run("a test", script, patience)
    }

    #[test]
    fn a_script_is_carried_out_and_its_end_its_answer_and_its_complaints_are_told() {
        let ended = here("echo answer; echo complaint >&2; exit 3", BOUND).unwrap();
        assert_eq!(
            (ended.status, ended.said.as_slice(), ended.words.as_str()),
            (Some(3), &b"answer\n"[..], "complaint")
        );
    }

    #[test]
    fn one_that_takes_too_long_is_killed() {
        let begun = Instant::now();
        let error = here("exec sleep 600", Duration::from_millis(100)).unwrap_err();
        assert!(matches!(error, MachineError::Timeout { .. }), "{error}");
        assert!(begun.elapsed() < BOUND);
    }

    #[test]
    fn what_it_says_is_bounded() {
        let ended = here("head -c 20000000 /dev/zero; head -c 100000 /dev/zero >&2", BOUND).unwrap();
        assert_eq!(ended.said.len() as u64, ANSWER_BYTES);
    }
}
