//! The driver's process: started with one end of a socket pair, killed and reaped when it is no longer wanted.

use std::{
    ffi::OsString,
    io,
    os::{fd::AsRawFd, unix::net::UnixStream as StdUnixStream},
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use command_fds::CommandFdExt;
use tokio::{
    io::AsyncReadExt,
    net::UnixStream,
    process::{Child, ChildStderr, Command},
    time::timeout,
};

/// What of a driver's stderr reaches our log: lines a process, bytes a line. The rest is read and thrown away, so that a
/// talkative driver neither blocks nor fills the log.
const MAX_LINES: usize = 1_000;
const MAX_LINE: usize = 2_000;
const REAP: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct DriverProcess {
    child: Child,
}

impl DriverProcess {
    /// Starts `path` with the number of its socket as only argument. It inherits that socket and nothing else, and has a
    /// process group of its own: a Ctrl-C at our terminal is for us to act on.
    pub fn start(path: &Path, environment: &[(OsString, OsString)]) -> io::Result<(Self, UnixStream)> {
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
        if let Some(stderr) = child.stderr.take() {
            let driver = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            tokio::spawn(log_stderr(driver, stderr));
        }
        Ok((Self { child }, UnixStream::from_std(near)?))
    }

    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for the process to end by itself and tells how it did; kills it when it does not.
    pub async fn end_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        if let Ok(Ok(status)) = timeout(limit, self.child.wait()).await {
            return Some(status);
        }
        self.kill().await;
        None
    }

    /// Kills and reaps. One that the kernel holds in a call is left to the runtime's reaper.
    pub async fn kill(&mut self) {
        // An error here means that it has ended already.
        let _ = self.child.start_kill();
        if timeout(REAP, self.child.wait()).await.is_err() {
            tracing::warn!(pid = self.child.id(), "driver process does not die");
        }
    }
}

async fn log_stderr(driver: String, mut stderr: ChildStderr) {
    let mut lines = Lines::default();
    let mut piece = [0; 4096];
    let mut logged = 0;
    while let Ok(count @ 1..) = stderr.read(&mut piece).await {
        for line in lines.push(piece.get(..count).unwrap_or_default()) {
            logged += 1;
            match logged {
                ..MAX_LINES => tracing::info!(driver, "{line}"),
                MAX_LINES => tracing::warn!(driver, "the driver says too much: the rest is not logged"),
                _ => {}
            }
        }
    }
}

/// Cuts bytes into lines of bounded length.
#[derive(Debug, Default)]
struct Lines {
    line: Vec<u8>,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut whole = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' => whole.push(legible(&std::mem::take(&mut self.line))),
                _ if self.line.len() < MAX_LINE => self.line.push(byte),
                _ => {}
            }
        }
        whole
    }
}

fn legible(line: &[u8]) -> String {
    String::from_utf8_lossy(line).chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_an_end_stays_within_its_bound() {
        let mut lines = Lines::default();
        for _ in 0..100 {
            assert!(lines.push(&[b'a'; 1000]).is_empty());
        }
        assert_eq!(lines.push(b"\nnext\x1b[31m\n"), ["a".repeat(MAX_LINE), "next[31m".into()]);
    }
}
