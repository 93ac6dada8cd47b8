//! Taking a volume's device away from the host; the volume stays.

use sanfleet_protocol::{VolumeId, v1};

use super::{ActionError, attached, done, refuse_late};
use crate::{
    deadline::Deadline,
    host::{Host, HostError},
    ledger::Ledger,
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
    refuse_used(host, &device)?;
    refuse_late(deadline, "the detachment")?;
    host.detach(device)?;
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

fn refuse_used(host: &dyn Host, device: &VerifiedDevice) -> Result<(), ActionError> {
    let number = device.number();
    let mounts = host.mounts()?;
    let mounted = mounts.iter().filter(|entry| entry.device == number);
    let mut users: Vec<String> =
        mounted.map(|entry| format!("the mount {}", entry.mount_point.display())).collect();
    let holders = host.devices()?.into_iter().filter(|d| d.number == number).flat_map(|d| d.holders);
    users.extend(holders.map(|holder| format!("the device {holder} on top of it")));
    match users.is_empty() {
        true => Ok(()),
        false => Err(HostError::Busy { what: device.device().name(), by: users.join(", ") }.into()),
    }
}
