//! Making a file system on a new volume.

use sanfleet_protocol::{VolumeId, v1};

use super::{ActionError, attached, done, refuse_late};
use crate::{
    blank,
    deadline::Deadline,
    host::{FileSystem, Host, NewFileSystem},
    ledger::Ledger,
    verify::VerifiedDevice,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub volume: VolumeId,
    pub wanted: NewFileSystem,
}

/// Fine when the volume carries this very file system already. What is not blank is refused: a program that was killed
/// half-way leaves a volume that is not blank, which then has to be deleted and made anew.
pub fn format(
    host: &dyn Host,
    ledger: &Ledger,
    request: &Request,
    deadline: Deadline,
) -> Result<v1::CommandDone, ActionError> {
    let Request { volume, wanted } = request;
    let device = attached::find(host, ledger, volume)?;
    if is_made(&device, wanted)? {
        return Ok(done(false));
    }
    let blank = blank::prove(host, &device)?;
    attached::remember(host, ledger, &device)?;
    refuse_late(deadline, "the formatting")?;
    host.make_file_system(&blank, wanted, deadline)?;
    match is_made(&device, wanted)? {
        true => Ok(done(true)),
        false => Err(ActionError::Invalid(format!(
            "volume {volume} ({}) does not show {} {} after it was formatted",
            device.device().name(),
            wanted.kind,
            wanted.id
        ))),
    }
}

fn is_made(device: &VerifiedDevice, wanted: &NewFileSystem) -> Result<bool, ActionError> {
    let found = device.device().file_system()?.unwrap_or_default();
    let FileSystem { kind, uuid, .. } = found;
    Ok(kind == wanted.kind.as_str() && uuid == wanted.id.to_string())
}
