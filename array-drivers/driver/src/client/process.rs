//! The driver's process: started with one end of a socket pair, killed with all that it started when it is no longer wanted.
//!
//! It leads a process group of its own, and the group is killed before the leader is reaped: until then its number belongs to
//! nobody else. A process that leaves the group by `setsid` is out of our reach; the service manager's control group has it.

use std::{
    ffi::OsString,
    fmt, io,
    os::{fd::AsRawFd, fd::OwnedFd, unix::net::UnixStream as StdUnixStream},
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use command_fds::CommandFdExt;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tokio::{
    io::{Interest, unix::AsyncFd},
    net::UnixStream,
    process::{Child, Command},
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{Limits, last_words::LastWords};

/// How long a killed process may take to be reaped before that is worth a warning.
const REAP: Duration = Duration::from_secs(1);
/// How long after its end a reply that it had sent may still be read.
const AFTERGLOW: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct DriverProcess {
    child: Child,
    /// Readable when the process has ended.
    end: AsyncFd<OwnedFd>,
    words: Option<LastWords>,
    limits: Limits,
}

/// How a driver's process ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessEnd {
    pub status: ExitStatus,
    /// The last line that it wrote to its stderr.
    pub last_words: Option<String>,
    /// The limit of its memory in bytes, when its last words speak of memory.
    pub memory_limit: Option<u64>,
}

impl DriverProcess {
    /// Starts `path` with the number of its socket as only argument. It inherits that socket and nothing else; being in a
    /// process group of its own, a Ctrl-C at our terminal is for us to act on.
    pub fn start(
        path: &Path,
        environment: &[(OsString, OsString)],
        limits: Limits,
    ) -> io::Result<(Self, UnixStream)> {
        let (near, far) = StdUnixStream::pair()?;
        near.set_nonblocking(true)?;
        let mut command = Command::new(path);
        command
            .arg(far.as_raw_fd().to_string())
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .preserved_fds(vec![far.into()]);
        let mut child = command.spawn()?;
        let pid = pid_of(&child).ok_or(io::ErrorKind::NotFound)?;
        match limits.set_on(pid) {
            // It has ended already, which the first call will tell.
            Err(error) if error.kind() == rustix::io::Errno::SRCH.kind() => {}
            other => other?,
        }
        let end = readable(pidfd_open(pid, PidfdFlags::NONBLOCK)?)?;
        let driver = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let words = child.stderr.take().map(|stderr| LastWords::listen(driver, stderr));
        Ok((Self { child, end, words, limits }, UnixStream::from_std(near)?))
    }

    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Comes back when the process has ended, and whatever it had sent has had the time to be read. What it started may still
    /// hold the socket open.
    pub async fn ended(&self) {
        // An error means that the runtime goes down, and with it whoever asks.
        let _ = self.end.readable().await;
        sleep(AFTERGLOW).await;
    }

    /// Waits for the process to end by itself and tells how it did. In any case it is gone then, or going.
    pub async fn end_by(mut self, end: Instant) -> Option<ProcessEnd> {
        let told = self.told_by(end).await;
        if told.is_none() {
            self.bury();
        }
        told
    }

    async fn told_by(&mut self, end: Instant) -> Option<ProcessEnd> {
        if timeout_at(end, self.end.readable()).await.is_err() {
            return None;
        }
        // What it left running may hold its stderr open.
        self.kill_group();
        let status = timeout_at(end, self.child.wait()).await.ok()?.ok()?;
        let last_words = match self.words.take() {
            Some(words) => words.heard_by(end).await,
            None => None,
        };
        let memory_limit = last_words.as_deref().is_some_and(speaks_of_memory).then_some(self.limits.memory);
        Some(ProcessEnd { status, last_words, memory_limit })
    }

    /// Kills the group at once and has its leader reaped, which nobody has to wait for. One that the kernel holds in a call is left
    /// to the runtime's reaper.
    pub fn bury(mut self) {
        self.kill_group();
        tokio::spawn(async move {
            if timeout(REAP, self.child.wait()).await.is_err() {
                tracing::warn!(pid = self.child.id(), "driver process does not die");
            }
        });
    }

    fn kill_group(&self) {
        if let Some(pid) = pid_of(&self.child) {
            // An error here means that nobody of the group is left.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

impl Drop for DriverProcess {
    fn drop(&mut self) {
        self.kill_group();
    }
}

#[allow(
    deprecated,
    reason = "unsound only for types that may lend another descriptor each time, which this one does not"
)]
fn readable(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd, Interest::READABLE)
}

/// None when the process has been reaped: its number may then be another's.
fn pid_of(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
}

/// Whether these words are what a program says that gets no more memory; each language has its own.
fn speaks_of_memory(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    ["memory", "bad_alloc"].iter().any(|sign| words.contains(sign))
}

impl fmt::Display for ProcessEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its process ended ({})", self.status)?;
        if let Some(limit) = self.memory_limit {
            write!(f, " at its limit of {} MiB of memory", limit >> 20)?;
        }
        match &self.last_words {
            Some(words) => write!(f, ", saying: {words}"),
            None => Ok(()),
        }
    }
}
