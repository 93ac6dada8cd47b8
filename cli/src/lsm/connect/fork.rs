//! A plug-in that we are told to start, with what it prints shown: for those who write one.

use std::{
    io::{self, BufRead, BufReader, PipeReader, Write},
    os::{
        fd::AsRawFd,
        unix::{net::UnixStream, process::ExitStatusExt},
    },
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use command_fds::CommandFdExt;

use crate::lsm::stop::Stop;

/// How long it may take to end once its session is over.
const END: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// The running plug-in.
pub struct Forked {
    child: Child,
    printer: JoinHandle<()>,
}

impl Forked {
    /// Starts the program with the number of its socket as only argument.
    pub fn start(program: &str) -> Result<(Self, UnixStream), Stop> {
        spawn(program).map_err(|error| {
            // Printed as the original prints it; whoever does not read it learns it from the exit code.
            let _ = writeln!(io::stdout(), "File: {program} issue: {error}");
            Stop::Fork
        })
    }

    /// Shows what is left of its output, and how it ended. Its socket is closed by now: it ends by itself, or is ended.
    pub fn finish(mut self) {
        let end = Instant::now() + END;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            thread::park_timeout(LOOK_AGAIN);
        }
        // One that has ended cannot be killed.
        let _ = self.child.kill();
        let _ = self.printer.join();
        if let Ok(status) = self.child.wait() {
            let code = status.code().unwrap_or_else(|| -status.signal().unwrap_or_default());
            let _ = writeln!(io::stdout(), "PLUGIN EC>> {code}");
        }
    }
}

fn spawn(program: &str) -> io::Result<(Forked, UnixStream)> {
    let (near, far) = UnixStream::pair()?;
    let (output, input) = io::pipe()?;
    let mut command = Command::new(program);
    command
        .arg(far.as_raw_fd().to_string())
        .stdin(Stdio::null())
        .stdout(input.try_clone()?)
        .stderr(input)
        .preserved_fds(vec![far.into()]);
    let child = command.spawn()?;
    // The command holds our ends of its socket and pipe: without them we see when the plug-in has closed its own.
    drop(command);
    let printer = thread::Builder::new().name("plug-in's output".into()).spawn(move || print(output))?;
    Ok((Forked { child, printer }, near))
}

fn print(output: PipeReader) {
    for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
        let _ = writeln!(io::stdout(), "PLUGIN>> {}", String::from_utf8_lossy(&line));
    }
}
