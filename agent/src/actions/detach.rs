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
        // There is nothing to be flushed to, and nothing left to verify.
        Err(ActionError::Verify(VerifyError::Host(HostError::Unmapped { .. }))) => {
            host.drop_unmapped(volume, deadline)?;
            return prove_gone(host, ledger, volume);
        }
        Err(error) => return Err(error),
    };
    refuse_used(&device, users::mounts(host, &device)?)?;
    refuse_late(deadline, "the detachment")?;
    host.close_layers(&device, deadline)?;
    refuse_used(&device, users::of(host, &device)?)?;
    host.detach(device, deadline)?;
    prove_gone(host, ledger, volume)
}

fn prove_gone(host: &dyn Host, ledger: &Ledger, volume: &VolumeId) -> Result<v1::CommandDone, ActionError> {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::host::sim::{SimDevice, SimHost};

    fn detach_from(host: &SimHost, volume: &VolumeId) -> Result<v1::CommandDone, ActionError> {
        let directory = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(directory.path(), 0).unwrap();
        detach(host, &ledger, volume, Deadline::after(Duration::from_secs(5)))
    }

    #[test]
    fn what_its_array_has_taken_away_already_goes_unless_somebody_uses_it() {
        let volume: VolumeId = "naa.60014050000000000000000000000001".parse().unwrap();
        let host = SimHost::builder().device(SimDevice::disk("sda", vec![volume.clone()])).build();
        host.unmap("sda");
        host.mount_by_hand("sda", "/srv/data");
        assert_eq!(detach_from(&host, &volume).unwrap_err().kind(), v1::command_error::Kind::Busy);
        host.set_mounts(Vec::new());
        assert!(detach_from(&host, &volume).unwrap().changed);
        assert!(host.devices().unwrap().is_empty());
        assert!(!detach_from(&host, &volume).unwrap().changed, "twice is once");
    }
}
