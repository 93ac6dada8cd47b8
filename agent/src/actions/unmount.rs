//! Unmounting a volume.

use sanfleet_protocol::{MountPoint, VolumeId, v1};

use super::{ActionError, attached, done, refuse_late};
use crate::{
    deadline::Deadline,
    host::{Host, MountEntry, SysDevice},
    layers,
    ledger::Ledger,
    verify::{self, VerifyError},
};

/// Fine when nothing is mounted there. What is mounted there must be the volume.
pub fn unmount(
    host: &dyn Host,
    ledger: &Ledger,
    volume: &VolumeId,
    at: &MountPoint,
    deadline: Deadline,
) -> Result<v1::CommandDone, ActionError> {
    let entry = host.mounts()?.into_iter().rfind(|entry| entry.mount_point == at.as_path());
    if let Some(entry) = &entry {
        prove(host, ledger, volume, entry, at)?;
    }
    refuse_late(deadline, "the unmount")?;
    // Asked too when nothing is mounted: a directory that a mount made may still be there.
    host.unmount(at)?;
    Ok(done(entry.is_some()))
}

fn prove(
    host: &dyn Host,
    ledger: &Ledger,
    volume: &VolumeId,
    entry: &MountEntry,
    at: &MountPoint,
) -> Result<(), ActionError> {
    let devices = host.devices()?;
    let device = attached::by_number(&devices, entry.device, at.as_str())?;
    match verify::verify_device(host, &devices, device, volume) {
        Ok(_) => Ok(()),
        Err(error) if has_lost_its_id(&error) && is_remembered(ledger, volume, &devices, device) => {
            // It is the very disk that proved to be the volume when we attached it. The array has taken it back since, so
            // that it cannot say so any more; leaving the mount behind would help nobody.
            warn_lost(device, volume);
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// The device itself, or one that it rests on.
fn is_remembered(ledger: &Ledger, volume: &VolumeId, devices: &[SysDevice], device: &SysDevice) -> bool {
    layers::beneath(devices, device).into_iter().any(|device| attached::is_remembered(ledger, volume, device))
}

fn has_lost_its_id(error: &VerifyError) -> bool {
    matches!(error, VerifyError::WrongVolume { found, .. } if found.is_empty())
}

fn warn_lost(device: &SysDevice, volume: &VolumeId) {
    tracing::warn!(device = %device.name, %volume, "the device has lost its id since it was attached");
}
