//! A connection with the driver as bytes: nothing is read into them here.

use std::{
    io,
    os::{fd::AsRawFd, unix::net::UnixStream as StdUnixStream},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use command_fds::CommandFdExt;
use tokio::{
    net::UnixStream,
    process::{Child, Command},
    time::timeout,
};

use crate::target::Door;

/// The driver's end of a connection, with the process behind it if we started it.
#[derive(Debug)]
pub struct Plug {
    pub stream: UnixStream,
    child: Option<Child>,
}

impl Plug {
    pub async fn open(door: &Door) -> io::Result<Self> {
        match door {
            Door::Socket(path) => Ok(Self { stream: UnixStream::connect(path).await?, child: None }),
            Door::Program(path) => {
                let (near, far) = StdUnixStream::pair()?;
                near.set_nonblocking(true)?;
                let mut command = Command::new(path);
                command
                    .arg(far.as_raw_fd().to_string())
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .kill_on_drop(true)
                    .preserved_fds(vec![far.into()]);
                let child = command.spawn()?;
                Ok(Self { stream: UnixStream::from_std(near)?, child: Some(child) })
            }
        }
    }

    /// Closes the connection and gives the process that time to end by itself; none when there is no process of ours, or
    /// when it had to be killed.
    pub async fn close(self, limit: Duration) -> Option<ExitStatus> {
        drop(self.stream);
        let mut child = self.child?;
        match timeout(limit, child.wait()).await {
            Ok(status) => status.ok(),
            Err(_) => {
                // An error means that it ended just now.
                let _ = child.kill().await;
                None
            }
        }
    }

    pub fn is_ours(&self) -> bool {
        self.child.is_some()
    }
}
