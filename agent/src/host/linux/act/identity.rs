//! Giving an unmounted file system another UUID, so that it can live beside the one that it was copied from.
//!
//! Its journal is replayed first, by mounting it once where nobody sees it: a copy of what was in use has one, and a new
//! UUID would make it worthless. Nothing else of it is changed. A file system that cannot be mounted gets an error here and
//! never a new file system. Killed half-way, an XFS may be left with a log that does not fit: such a copy is thrown away.

use rustix::fs::{OFlags, fsync};
use sanfleet_protocol::{FileSystemId, FileSystemKind};

use super::{descriptor, mount};
use crate::{
    deadline::Deadline,
    host::{
        HostError, MountOptions,
        linux::{
            LinuxHost,
            claim::claim,
            tool::{DEVICE, Tool},
        },
    },
    verify::VerifiedDevice,
};

/// What `xfs_admin` runs; that is a shell script, which takes its device's name apart.
const XFS_DB: Tool = Tool { program: "xfs_db", package: "xfsprogs" };
const TUNE2FS: Tool = Tool { program: "tune2fs", package: "e2fsprogs" };
const BTRFSTUNE: Tool = Tool { program: "btrfstune", package: "btrfs-progs" };

/// See [`Host::set_file_system_id`](crate::host::Host::set_file_system_id).
pub fn set_file_system_id(
    host: &LinuxHost,
    device: &VerifiedDevice,
    kind: FileSystemKind,
    id: FileSystemId,
    deadline: Deadline,
) -> Result<(), HostError> {
    let opened = device.device();
    let descriptor = descriptor(opened)?;
    // Mounted in another namespace it could be mounted here too, and would be changed below both.
    drop(claim(descriptor, &opened.name(), OFlags::empty())?);
    if kind == FileSystemKind::Btrfs {
        refuse_twin(host, device)?;
    }
    let options = MountOptions { file_system: kind.to_string(), read_write: true };
    // Dropped, it is unmounted again.
    drop(mount::detached(host, device, &options)?);
    let text = id.to_string();
    let run = |tool: Tool, arguments: &[&str]| tool.run(arguments, Some(descriptor), deadline);
    match kind {
        FileSystemKind::Xfs => {
            run(XFS_DB, &["-x", "-p", "xfs_admin", "-c", &format!("uuid {text}"), DEVICE])?;
        }
        FileSystemKind::Ext4 => {
            // Checksums are made with the UUID unless a seed is kept beside it. With one, the superblock is all that
            // changes; without, all metadata would be written anew, and lost if that were cut off. An ext4 that has no
            // such checksums refuses the seed and needs none.
            if let Err(error @ HostError::Missing { .. }) =
                run(TUNE2FS, &["-O", "metadata_csum_seed", DEVICE])
            {
                return Err(error);
            }
            run(TUNE2FS, &["-U", &text, DEVICE])?;
        }
        FileSystemKind::Btrfs => run(BTRFSTUNE, &["-M", &text, DEVICE])?,
    }
    fsync(descriptor).map_err(|e| HostError::os(format!("write back {}", opened.name()), e))
}

/// The kernel takes devices with one btrfs id for parts of one file system.
fn refuse_twin(host: &LinuxHost, device: &VerifiedDevice) -> Result<(), HostError> {
    let Some(found) = device.device().file_system()? else { return Ok(()) };
    match host.options().sysfs_root.join("fs/btrfs").join(&found.uuid).exists() {
        false => Ok(()),
        true => Err(HostError::Busy {
            what: format!("btrfs {}", found.uuid),
            by: "a file system with the same UUID that is mounted on this host".to_owned(),
        }),
    }
}
