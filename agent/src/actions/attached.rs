//! The device of a volume: found by its id, or remembered from when it was attached.

use sanfleet_protocol::{Layers, MountPoint, VolumeId, volume_id};

use super::{ActionError, check_source};
use crate::{
    clock::unix_ms,
    host::{DeviceNumber, Host, MountEntry, SysDevice},
    ledger::{Attachment, Ledger, LedgerError, Record},
    verify::{self, VerifiedDevice, VerifyError},
};

/// Finds the volume's device. Where nothing is the volume now, but a device was it when we attached it, the error says
/// what that device is today: a reused unit shows as a wrong volume, not as a missing one.
pub fn find(host: &dyn Host, ledger: &Ledger, volume: &VolumeId) -> Result<VerifiedDevice, ActionError> {
    let error = match verify::verify(host, volume) {
        Ok(device) => return Ok(device),
        Err(error @ VerifyError::NotFound { .. }) => error,
        Err(error) => return Err(error.into()),
    };
    let Some(remembered) = ledger.attachment(volume) else { return Err(error.into()) };
    let devices = host.devices()?;
    let Some(device) = devices.iter().find(|device| device.number == remembered.number) else {
        return Err(error.into());
    };
    Err(now_another(host, &devices, device, &remembered, volume).unwrap_or_else(|| error.into()))
}

/// The device of the file system on a copy; `of_source` is what lies between on its source.
pub fn find_within(
    host: &dyn Host,
    ledger: &Ledger,
    volume: &VolumeId,
    of_source: &Layers,
) -> Result<VerifiedDevice, ActionError> {
    Ok(verify::within(host, find(host, ledger, volume)?, &of_source.on_copy(volume))?)
}

/// `None` when the device is not bound to anything that could be told from the volume: it is simply gone.
fn now_another(
    host: &dyn Host,
    devices: &[SysDevice],
    device: &SysDevice,
    remembered: &Attachment,
    volume: &VolumeId,
) -> Option<ActionError> {
    match verify::verify_device(host, devices, device, volume) {
        Err(VerifyError::WrongVolume { found, .. }) => {
            let is_other = !found.is_empty() || device.disk_sequence == remembered.disk_sequence;
            is_other.then(|| {
                let found = volume_id::preferred(&found)
                    .map_or_else(|| "nothing that is published here".to_owned(), |id| format!("volume {id}"));
                ActionError::WrongVolume(format!(
                    "device {} was volume {volume} when it was attached, and is {found} now",
                    device.name
                ))
            })
        }
        Err(error) => Some(error.into()),
        // It is the volume after all; the hint of sysfs was late.
        Ok(_) => None,
    }
}

/// Proves that what is mounted there, as a whole, is the volume.
pub fn mounted(
    host: &dyn Host,
    mounts: &[MountEntry],
    volume: &VolumeId,
    at: &MountPoint,
) -> Result<VerifiedDevice, ActionError> {
    let entry = check_source::whole_mount(mounts, at)?;
    let devices = host.devices()?;
    let device = by_number(&devices, entry.device, at.as_str())?;
    Ok(verify::verify_device(host, &devices, device, volume)?)
}

/// Writes down which device is the volume.
pub fn remember(host: &dyn Host, ledger: &Ledger, device: &VerifiedDevice) -> Result<(), ActionError> {
    let number = device.number();
    let disk_sequence =
        host.devices()?.iter().find(|d| d.number == number).map_or(0, |device| device.disk_sequence);
    let attachment = Attachment { name: device.device().name(), number, disk_sequence };
    let volume = device.volume().clone();
    if ledger.attachment(&volume).as_ref() != Some(&attachment) {
        ledger.write(vec![Record::Attached { volume, device: attachment }], unix_ms())?;
    }
    Ok(())
}

pub fn forget(ledger: &Ledger, volume: &VolumeId) -> Result<(), LedgerError> {
    match ledger.attachment(volume) {
        Some(_) => ledger.write(vec![Record::Detached { volume: volume.clone() }], unix_ms()),
        None => Ok(()),
    }
}

/// True when the device is the one that we attached as this volume, and was not replaced since.
pub fn is_remembered(ledger: &Ledger, volume: &VolumeId, device: &SysDevice) -> bool {
    ledger.attachment(volume).is_some_and(|remembered| {
        remembered.number == device.number
            && remembered.disk_sequence == device.disk_sequence
            && device.disk_sequence != 0
    })
}

/// The device with this number, or an error that says where it was wanted.
pub fn by_number<'a>(
    devices: &'a [SysDevice],
    number: DeviceNumber,
    wanted_for: &str,
) -> Result<&'a SysDevice, ActionError> {
    devices
        .iter()
        .find(|device| device.number == number)
        .ok_or_else(|| ActionError::NotFound { what: format!("device {number} of {wanted_for}") })
}
