//! Could a file system be mounted there?

use sanfleet_protocol::{MountPoint, v1};

use super::{ActionError, done};
use crate::host::Host;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub at: MountPoint,
    /// What is to be mounted, where that is known.
    pub file_system: Option<String>,
    pub read_write: bool,
    pub format: bool,
}

/// That the host's own policy lets it is known by the time this is asked.
pub fn check_target(host: &dyn Host, at: &MountPoint) -> Result<v1::CommandDone, ActionError> {
    host.check_mount_point(at)?;
    Ok(done(false))
}
