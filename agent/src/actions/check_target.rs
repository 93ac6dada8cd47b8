//! Could a file system be mounted there?

use sanfleet_protocol::{MountPoint, v1};

use super::{ActionError, done};
use crate::host::Host;

pub fn check_target(host: &dyn Host, at: &MountPoint) -> Result<v1::CommandDone, ActionError> {
    host.check_mount_point(at)?;
    Ok(done(false))
}
