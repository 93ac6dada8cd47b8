//! Freezing and thawing a mounted file system, by a descriptor that was opened before.

use std::os::fd::AsFd;

use rustix::io::Errno;
use sanfleet_protocol::MountPoint;

use super::word::{Failure, FailureKind};
use crate::host::ioctl;

/// Returns when everything is written and new writers wait.
pub fn freeze(directory: impl AsFd) -> Result<(), Freezing> {
    match ioctl::freeze(directory) {
        Ok(()) => Ok(()),
        // Whoever froze it will thaw it; we must not.
        Err(Errno::BUSY) => Err(Freezing::Foreign),
        Err(error) => Err(Freezing::Failed(error)),
    }
}

/// Why it is not frozen by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freezing {
    Foreign,
    Failed(Errno),
}

impl Freezing {
    pub fn failure(self, mount_point: &MountPoint) -> Failure {
        match self {
            Self::Foreign => {
                Failure::new(FailureKind::Busy, format!("{mount_point} is frozen already, by somebody else"))
            }
            Self::Failed(error) => Failure::system(&format!("freeze {mount_point}"), error),
        }
    }
}

/// Thaws; fine when it is not frozen.
pub fn thaw(directory: impl AsFd) -> Result<(), Errno> {
    match ioctl::thaw(directory) {
        Ok(()) | Err(Errno::INVAL) => Ok(()),
        Err(error) => Err(error),
    }
}
