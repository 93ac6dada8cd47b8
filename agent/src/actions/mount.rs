//! Mounting a volume.

use sanfleet_protocol::{Layers, MountPoint, VolumeId, v1};

use super::{ActionError, attached, done, refuse_late};
use crate::{
    deadline::Deadline,
    host::{DeviceNumber, Host, HostError, MountOptions},
    ledger::Ledger,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub volume: VolumeId,
    pub at: MountPoint,
    pub read_write: bool,
    /// What the source had; a device that shows another is refused.
    pub file_system: String,
    /// What lies between on the source.
    pub layers: Layers,
}

/// Fine when the volume is mounted there already in the same mode.
pub fn mount(
    host: &dyn Host,
    ledger: &Ledger,
    request: &Request,
    deadline: Deadline,
) -> Result<v1::CommandDone, ActionError> {
    let Request { volume, at, read_write, file_system, layers } = request;
    let device = attached::find_within(host, ledger, volume, layers)?;
    if is_mounted(host, device.number(), request)? {
        return Ok(done(false));
    }
    match device.device().file_system()? {
        Some(found) if found.kind == *file_system => {}
        found => {
            let found = found.map_or_else(|| "no file system".to_owned(), |found| found.kind);
            let name = device.device().name();
            return Err(ActionError::Invalid(format!(
                "volume {volume} ({name}) holds {found}, not {file_system}"
            )));
        }
    }
    host.check_mount_point(at)?;
    if layers.is_none() {
        attached::remember(host, ledger, &device)?;
    }
    refuse_late(deadline, "the mount")?;
    let options = MountOptions { file_system: file_system.clone(), read_write: *read_write };
    host.mount(&device, at, &options)?;
    if deadline.has_passed() {
        // The answer was a timeout, and whoever asked goes by it.
        host.unmount(at)?;
        return Err(ActionError::Timeout { what: "the mount".to_owned() });
    }
    match is_mounted(host, device.number(), request)? {
        true => Ok(done(true)),
        false => Err(HostError::Invalid {
            what: at.to_string(),
            why: "does not show the volume after it was mounted".to_owned(),
        }
        .into()),
    }
}

/// A mount of something else, or in the other mode, is an error that says so.
fn is_mounted(host: &dyn Host, device: DeviceNumber, request: &Request) -> Result<bool, ActionError> {
    let at = &request.at;
    let here: Vec<_> = host.mounts()?.into_iter().filter(|entry| entry.mount_point == at.as_path()).collect();
    let busy = |by: String| HostError::Busy { what: at.to_string(), by };
    match here.as_slice() {
        [] => Ok(false),
        [entry] if entry.device != device => Err(busy(format!(
            "device {} is mounted there, and {} is device {device}",
            entry.device, request.volume
        ))
        .into()),
        [entry] if entry.read_only == request.read_write => {
            let mode = if entry.read_only { "read-only" } else { "read-write" };
            Err(busy(format!("the same volume is mounted there {mode}")).into())
        }
        [_] => Ok(true),
        [_, _, ..] => {
            Err(busy("several file systems are mounted there on top of each other".to_owned()).into())
        }
    }
}
