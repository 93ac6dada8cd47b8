//! Is there a file system on the volume, and can it be read? Read-only.
//!
//! It says that the volume answers and that its superblock is whole. It does not say that the data in it are: that only
//! whoever wrote them could tell.

use sanfleet_protocol::{MountPoint, VolumeId, v1};

use super::{ActionError, attached};
use crate::{deadline::Deadline, host::Host, ledger::Ledger, report};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub volume: VolumeId,
    /// Where it has to be mounted.
    pub at: Option<MountPoint>,
    /// Reads samples from all over the device.
    pub deep: bool,
}

pub fn check_volume(
    host: &dyn Host,
    ledger: &Ledger,
    request: &Request,
    deadline: Deadline,
) -> Result<v1::CommandDone, ActionError> {
    let Request { volume, at, deep } = request;
    let (device, usage) = match at {
        Some(at) => (attached::mounted(host, &host.mounts()?, volume, at)?, Some(host.usage(at)?)),
        None => (attached::find(host, ledger, volume)?, None),
    };
    let device = device.device();
    device.read_first_block()?;
    let Some(found) = device.file_system()? else {
        return Err(ActionError::Invalid(format!(
            "volume {volume} ({}) holds no file system that we know",
            device.name()
        )));
    };
    let checked = v1::VolumeChecked {
        file_system: Some(report::file_system(&found, usage)),
        device: device.name(),
        size_bytes: device.size_bytes()?,
        read_bytes: if *deep { device.read_samples(deadline)? } else { 0 },
    };
    Ok(v1::CommandDone { changed: false, detail: Some(v1::command_done::Detail::Volume(checked)) })
}
