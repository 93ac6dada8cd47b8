//! Having a volume mounted again after the host's next start.

use sanfleet_protocol::{MountPoint, v1};

use super::{ActionError, attached, done, refuse_late};
use crate::{
    deadline::Deadline,
    host::{Host, PersistentMount},
    ledger::Ledger,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub at: MountPoint,
    pub mount: PersistentMount,
}

/// Fine when it is written down so already. A volume that does not carry the file system is refused: the mount goes by the
/// UUID, and one day another volume might.
pub fn persist_mount(
    host: &dyn Host,
    ledger: &Ledger,
    request: &Request,
    deadline: Deadline,
) -> Result<v1::CommandDone, ActionError> {
    let Request { at, mount } = request;
    let device = attached::find(host, ledger, &mount.volume)?;
    let found = device.device().file_system()?.unwrap_or_default();
    if found.kind != mount.kind.as_str() || found.uuid != mount.id.to_string() {
        let name = device.device().name();
        return Err(ActionError::Invalid(format!(
            "volume {} ({name}) holds {:?} {:?}, not {} {}",
            mount.volume, found.kind, found.uuid, mount.kind, mount.id
        )));
    }
    refuse_late(deadline, "writing down the mount")?;
    Ok(done(host.persist_mount(&device, at, mount, deadline)?))
}
