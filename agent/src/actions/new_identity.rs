//! Giving a copy's file system an identity of its own.

use sanfleet_protocol::{FileSystemId, FileSystemKind, Layers, VolumeId, v1};

use super::{ActionError, attached, done, refuse_late};
use crate::{
    deadline::Deadline,
    host::{Host, HostError},
    ledger::Ledger,
    users,
    verify::VerifiedDevice,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub volume: VolumeId,
    pub kind: FileSystemKind,
    pub wanted: FileSystemId,
    /// What it has from its source; a file system with neither this nor what is wanted is somebody else's.
    pub replaced: FileSystemId,
    /// What lies between on the source.
    pub layers: Layers,
}

/// Fine when it has the wanted UUID already. Never makes a file system, whatever goes wrong.
pub fn new_identity(
    host: &dyn Host,
    ledger: &Ledger,
    request: &Request,
    deadline: Deadline,
) -> Result<v1::CommandDone, ActionError> {
    let Request { volume, kind, wanted, replaced, layers } = request;
    let device = attached::find_within(host, ledger, volume, layers)?;
    let found = identity(&device, request)?;
    if found == wanted.to_string() {
        return Ok(done(false));
    }
    let refuse = |why: String| {
        Err(ActionError::Invalid(format!("volume {volume} ({})", device.device().name()) + &why))
    };
    if found != replaced.to_string() {
        return refuse(format!(" holds the {kind} {found}, which is neither {replaced} nor {wanted}"));
    }
    let users = users::of(host, &device)?;
    if !users.is_empty() {
        return Err(HostError::Busy { what: device.device().name(), by: users.join(", ") }.into());
    }
    refuse_late(deadline, "the change of the UUID")?;
    host.set_file_system_id(&device, *kind, *wanted, deadline)?;
    let now = identity(&device, request)?;
    match now == wanted.to_string() {
        true => Ok(done(true)),
        false => refuse(format!(" still shows {now} after it was given {wanted}")),
    }
}

/// The UUID in the superblock.
fn identity(device: &VerifiedDevice, request: &Request) -> Result<String, ActionError> {
    let found = device.device().file_system()?.unwrap_or_default();
    if found.kind == request.kind.as_str() {
        return Ok(found.uuid);
    }
    let holds = if found.kind.is_empty() { "no file system that we know" } else { &found.kind };
    Err(ActionError::Invalid(format!(
        "volume {} ({}) holds {holds}, not {}",
        request.volume,
        device.device().name(),
        request.kind
    )))
}
