//! One at a time for each target and portal, whichever process it is, and who logged in there.
//!
//! Two logins at once would make two sessions, and a logout while another volume is being scanned would take that away.

use std::{
    io::{Read, Seek, Write},
    net::SocketAddr,
    path::Path,
};

use sanfleet_protocol::TargetName;

use crate::{deadline::Deadline, fabric::scsi::Lock, host::HostError};

/// The longest name of a session that is read back.
const MAX_NAME_BYTES: u64 = 64;

/// Held until it is dropped. The file behind it stays, and holds the name of the session if that is ours.
#[derive(Debug)]
pub struct SessionLock {
    lock: Lock,
}

impl SessionLock {
    pub fn take(
        folder: &Path,
        target: &TargetName,
        portal: SocketAddr,
        deadline: Deadline,
    ) -> Result<Self, HostError> {
        let what = format!("the lock for target {target} at {portal}");
        let lock = Lock::take(&folder.join(target.as_str()), &portal.to_string(), what, deadline)?;
        Ok(Self { lock })
    }

    /// The session that was logged in to under this lock is ours.
    pub fn own(&self, session: &str) -> Result<(), HostError> {
        self.write(session.as_bytes()).map_err(|e| HostError::os(format!("note that {session} is ours"), e))
    }

    /// True when we logged in to the session of this name.
    pub fn owns(&self, session: &str) -> bool {
        let mut name = String::new();
        let mut file = self.lock.file();
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
        let mut file = self.lock.file();
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(name)
    }
}
