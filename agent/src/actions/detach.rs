//! Taking a volume's device away from the host; the volume stays.

use sanfleet_protocol::{VolumeId, v1};

use super::{ActionError, attached, done, refuse_late};
use crate::{
    deadline::Deadline,
    host::{Host, HostError},
    ledger::Ledger,
    users,
    verify::{VerifiedDevice, VerifyError},
};

/// Fine when the volume is not here. A device that was the volume and is another one now is an error, not a success.
pub fn detach(
    host: &dyn Host,
    ledger: &Ledger,
    volume: &VolumeId,
    deadline: Deadline,
) -> Result<v1::CommandDone, ActionError> {
    let device = match attached::find(host, ledger, volume) {
        Ok(device) => device,
        Err(ActionError::Verify(VerifyError::NotFound { .. })) => {
            attached::forget(ledger, volume)?;
            return Ok(done(false));
        }
        Err(error) => return Err(error),
    };
    refuse_used(&device, users::mounts(host, &device)?)?;
    refuse_late(deadline, "the detachment")?;
    host.close_layers(&device, deadline)?;
    refuse_used(&device, users::of(host, &device)?)?;
    host.detach(device, deadline)?;
    match attached::find(host, ledger, volume) {
        Err(ActionError::Verify(VerifyError::NotFound { .. })) => {
            attached::forget(ledger, volume)?;
            Ok(done(true))
        }
        Err(error) => Err(error),
        Ok(device) => Err(HostError::Busy {
            what: format!("volume {volume}"),
            by: format!("{}, which is still there after it was detached", device.device().name()),
        }
        .into()),
    }
}

fn refuse_used(device: &VerifiedDevice, users: Vec<String>) -> Result<(), ActionError> {
    match users.is_empty() {
        true => Ok(()),
        false => Err(HostError::Busy { what: device.device().name(), by: users.join(", ") }.into()),
    }
}
