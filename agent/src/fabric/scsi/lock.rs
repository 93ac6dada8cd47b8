//! One at a time for each target, whichever process it is.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use rustix::{
    fs::{FlockOperation, OFlags, flock},
    io::Errno,
};

use super::until;
use crate::{deadline::Deadline, host::HostError};

/// Held until it is dropped. The file behind it stays.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// `what` is for people.
    pub fn take(folder: &Path, name: &str, what: String, deadline: Deadline) -> Result<Self, HostError> {
        let failed = |error| HostError::os(what.clone(), error);
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(folder.join(name))
            .map_err(failed)?;
        let patience = deadline.left();
        let locked = until(deadline, || match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK | Errno::INTR) => None,
            outcome => Some(outcome),
        });
        match locked {
            Some(outcome) => outcome.map_err(|e| failed(e.into()))?,
            None => return Err(HostError::Timeout { what, after: patience }),
        }
        Ok(Self { file })
    }

    /// For what whoever holds it has to say to the next.
    pub fn file(&self) -> &File {
        &self.file
    }
}
