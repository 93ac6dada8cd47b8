//! Programs of the system that make, rename and grow file systems, and what lies below them.
//!
//! One is given a device as an open descriptor and not by its name, so that no name comes between asking the device and
//! acting on it. It runs in a process group of its own, is killed when its time is up, and gets no answer to anything it may
//! ask. This module refuses to guess from what a program prints for people: whether it did its work is read from the disk, or asked
//! for in a form that is meant for programs.

use std::{
    io::{self, PipeReader, Read},
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::{Child, Command, Stdio},
    time::Duration,
};

use command_fds::{CommandFdExt, FdMapping};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open},
};
use sanfleet_protocol::limits::legible;

use crate::{deadline::Deadline, host::HostError};

/// Where a program finds the device that it is given.
pub const DEVICE: &str = "/proc/self/fd/3";
const DEVICE_DESCRIPTOR: i32 = 3;
/// Of what it prints so much is kept, for its error.
const KEPT_BYTES: usize = 1024;

/// A program, and the Debian package that it is in.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    pub program: &'static str,
    pub package: &'static str,
}

/// As a command it speaks to the daemon of that name.
pub const MULTIPATHD: Tool = Tool { program: "multipathd", package: "multipath-tools" };

impl Tool {
    /// Runs it to its end; any exit status but 0 is an error that holds its words. `device` is at [`DEVICE`].
    pub fn run(
        self,
        arguments: &[&str],
        device: Option<BorrowedFd<'_>>,
        deadline: Deadline,
    ) -> Result<(), HostError> {
        self.ask(arguments, device, deadline).map(drop)
    }

    /// The same, and gives the end of what it said, errors and warnings among it.
    pub fn ask(
        self,
        arguments: &[&str],
        device: Option<BorrowedFd<'_>>,
        deadline: Deadline,
    ) -> Result<String, HostError> {
        let patience = deadline.left();
        let (words, mut child) = self.start(arguments, device)?;
        let told = listen(words, &child, deadline);
        if !matches!(told, Ok(Told { ended: true, .. })) {
            kill(&child);
        }
        let status = child.wait().map_err(|e| HostError::os(format!("wait for {}", self.program), e))?;
        let told = told.map_err(|e| HostError::os(format!("wait for {}", self.program), e))?;
        match (told.ended, status.success()) {
            (true, true) => Ok(String::from_utf8_lossy(&told.words).into_owned()),
            (true, false) => Err(HostError::Tool {
                program: self.program,
                status: status.to_string(),
                words: last_words(&told.words),
            }),
            (false, _) => Err(HostError::Timeout { what: self.program.to_owned(), after: patience }),
        }
    }

    fn start(
        self,
        arguments: &[&str],
        device: Option<BorrowedFd<'_>>,
    ) -> Result<(PipeReader, Child), HostError> {
        let failed = |source| HostError::os(format!("start {}", self.program), source);
        let (words, said) = io::pipe().map_err(failed)?;
        let mut command = Command::new(self.program);
        command
            .args(arguments)
            .env("LC_ALL", "C")
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(said.try_clone().map_err(failed)?)
            .stderr(said);
        if let Some(device) = device {
            let parent_fd = device.try_clone_to_owned().map_err(failed)?;
            command
                .fd_mappings(vec![FdMapping { parent_fd, child_fd: DEVICE_DESCRIPTOR }])
                .map_err(|e| failed(io::Error::other(e)))?;
        }
        match command.spawn() {
            Ok(child) => Ok((words, child)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(HostError::Missing { program: self.program, package: self.package })
            }
            Err(error) => Err(failed(error)),
        }
    }
}

struct Told {
    /// False when its time was up first.
    ended: bool,
    words: Vec<u8>,
}

/// Hears it out, so that it never waits for us, until it has ended or its time is up. A pipe that its own children keep
/// open is not waited for.
fn listen(mut words: PipeReader, child: &Child, deadline: Deadline) -> io::Result<Told> {
    let process: OwnedFd = pidfd_open(process_id(child)?, PidfdFlags::empty())?;
    let mut kept = Vec::new();
    let mut is_open = true;
    loop {
        let left = deadline.left();
        let mut waited = vec![PollFd::new(&process, PollFlags::IN)];
        if is_open {
            waited.push(PollFd::new(&words, PollFlags::IN));
        }
        match poll(&mut waited, Some(&timespec(left))) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |place: usize| waited.get(place).is_some_and(|fd| !fd.revents().is_empty());
        let (has_ended, has_words) = (ready(0), ready(1));
        drop(waited);
        if has_words && !left.is_zero() {
            is_open = keep(&mut words, &mut kept)?;
        } else if has_ended || left.is_zero() {
            return Ok(Told { ended: has_ended, words: kept });
        }
    }
}

/// Reads what is there; of a long tale the end is kept. False at the end of the pipe.
fn keep(words: &mut PipeReader, kept: &mut Vec<u8>) -> io::Result<bool> {
    let mut buffer = [0u8; 4096];
    let length = words.read(&mut buffer)?;
    kept.extend_from_slice(buffer.get(..length).unwrap_or_default());
    let surplus = kept.len().saturating_sub(KEPT_BYTES);
    kept.drain(..surplus);
    Ok(length > 0)
}

fn kill(child: &Child) {
    // One that has just ended by itself cannot be killed, and need not be.
    let _ = process_id(child).map(|group| kill_process_group(group, Signal::KILL));
}

fn process_id(child: &Child) -> io::Result<Pid> {
    let number = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    number.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

fn timespec(time: Duration) -> Timespec {
    let tv_sec = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timespec { tv_sec, tv_nsec: time.subsec_nanos().into() }
}

fn last_words(words: &[u8]) -> String {
    let text = String::from_utf8_lossy(words);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    legible(&lines.join("; "))
}

#[cfg(test)]
mod tests {
    use std::{os::fd::AsFd, time::Instant};

    use super::*;

    const SHELL: Tool = Tool { program: "sh", package: "dash" };
    const BOUND: Duration = Duration::from_secs(20);

    fn shell(script: &str, device: Option<BorrowedFd<'_>>, within: Duration) -> Result<String, HostError> {
        SHELL.ask(&["-c", script], device, Deadline::after(within))
    }

    #[test]
    fn a_program_that_fails_is_quoted_and_one_that_is_missing_is_told_with_its_package() {
        assert_eq!(shell("echo done", None, BOUND).unwrap(), "done\n");
        let error = shell("echo one; echo two >&2; exit 3", None, BOUND).unwrap_err().to_string();
        assert!(error.contains("one; two") && error.contains('3'), "{error}");
        let missing = Tool { program: "no-such-program-anywhere", package: "nowhere" };
        let error = missing.run(&[], None, Deadline::after(BOUND)).unwrap_err().to_string();
        assert!(error.contains("no-such-program-anywhere") && error.contains("nowhere"), "{error}");
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_its_children_when_its_time_is_up() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let script = format!("sleep 600 & echo $! > {}; wait", file.path().display());
        let begun = Instant::now();
        let error = shell(&script, None, Duration::from_millis(300)).unwrap_err();
        assert!(matches!(error, HostError::Timeout { .. }), "{error}");
        assert!(begun.elapsed() < BOUND);
        let sleeper = std::fs::read_to_string(file.path()).unwrap();
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", sleeper.trim()));
        while state().is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(begun.elapsed() < BOUND, "the child lives on");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_program_that_says_much_does_not_wait_and_its_end_is_kept() {
        let script = "i=0; while [ $i -lt 20000 ]; do echo 'many words'; i=$((i+1)); done; echo last; exit 1";
        let error = shell(script, None, BOUND).unwrap_err().to_string();
        assert!(error.contains("last") && error.len() < 2 * KEPT_BYTES, "{error}");
    }

    #[test]
    fn a_device_is_given_as_a_descriptor_and_a_question_gets_no_answer() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let script = format!("echo written > {DEVICE}; ! read answer");
        shell(&script, Some(file.as_file().as_fd()), BOUND).unwrap();
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "written\n");
    }
}
