//! One at a time for each target and portal, whichever process it is, and who logged in there.
//!
//! Two logins at once would make two sessions, and a logout while another volume is being scanned would take that away.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{Read, Seek, Write},
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use rustix::{
    fs::{FlockOperation, OFlags, flock},
    io::Errno,
};
use sanfleet_protocol::TargetName;

use crate::{deadline::Deadline, fabric::scsi::until, host::HostError};

/// The longest name of a session that is read back.
const MAX_NAME_BYTES: u64 = 64;

/// Held until it is dropped. The file behind it stays, and holds the name of the session if that is ours.
#[derive(Debug)]
pub struct SessionLock {
    file: File,
}

impl SessionLock {
    pub fn take(
        folder: &Path,
        target: &TargetName,
        portal: SocketAddr,
        deadline: Deadline,
    ) -> Result<Self, HostError> {
        let what = format!("the lock for target {target} at {portal}");
        let failed = |error| HostError::os(what.clone(), error);
        let folder = folder.join(target.as_str());
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(folder.join(portal.to_string()))
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

    /// The session that was logged in to under this lock is ours.
    pub fn own(&self, session: &str) -> Result<(), HostError> {
        self.write(session.as_bytes()).map_err(|e| HostError::os(format!("note that {session} is ours"), e))
    }

    /// True when we logged in to the session of this name.
    pub fn owns(&self, session: &str) -> bool {
        let mut name = String::new();
        let mut file = &self.file;
        file.rewind().is_ok()
            && file.take(MAX_NAME_BYTES).read_to_string(&mut name).is_ok()
            && !name.is_empty()
            && name == session
    }

    /// The session is gone. A name that stays behind is no other session's until the host's next start.
    pub fn disown(&self) {
        if let Err(error) = self.write(b"") {
            tracing::debug!(%error, "the name of a session that is gone stays in its lock file");
        }
    }

    fn write(&self, name: &[u8]) -> std::io::Result<()> {
        let mut file = &self.file;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(name)
    }
}
