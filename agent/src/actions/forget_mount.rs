//! Not having a volume mounted again after the host's next start. What is mounted now stays so.

use sanfleet_protocol::{MountPoint, v1};

use super::{ActionError, done, refuse_late};
use crate::{deadline::Deadline, host::Host};

/// Fine when nothing was written down for this place. What somebody else wrote down is an error.
pub fn forget_mount(
    host: &dyn Host,
    at: &MountPoint,
    deadline: Deadline,
) -> Result<v1::CommandDone, ActionError> {
    refuse_late(deadline, "forgetting the mount")?;
    Ok(done(host.forget_mount(at, deadline)?))
}
