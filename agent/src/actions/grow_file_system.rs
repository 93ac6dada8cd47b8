//! Growing a mounted file system to the size of its volume.

use sanfleet_protocol::{MountPoint, VolumeId, v1};

use super::{ActionError, attached, grown, refuse_late};
use crate::{
    deadline::Deadline,
    host::{Host, HostError},
};

/// Fine when it has that size already.
pub fn grow_file_system(
    host: &dyn Host,
    volume: &VolumeId,
    at: &MountPoint,
    deadline: Deadline,
) -> Result<v1::CommandDone, ActionError> {
    let device = attached::mounted(host, &host.mounts()?, volume, at)?;
    let before = host.usage(at)?.size_bytes;
    refuse_late(deadline, "the growth of the file system")?;
    host.grow_file_system(&device, at)?;
    let after = host.usage(at)?.size_bytes;
    match after >= before {
        true => Ok(grown(before, after)),
        false => Err(HostError::Invalid {
            what: at.to_string(),
            why: format!("can hold {after} bytes after it was grown, and could hold {before}"),
        }
        .into()),
    }
}
