//! Making a file system on a device that has proved to be blank.
//!
//! No program is ever told to overwrite. Some of them would without being told, and ask only where there is a terminal: the
//! proof is what counts, and whoever has it keeps others of ours away. Nothing is discarded, because a blank volume has nothing to discard and a thin one should stay thin.

use rustix::fs::fsync;
use sanfleet_protocol::FileSystemKind;

use super::descriptor;
use crate::{
    blank::BlankDevice,
    deadline::Deadline,
    host::{
        HostError, NewFileSystem,
        linux::tool::{DEVICE, Tool},
    },
};

const MKFS_XFS: Tool = Tool { program: "mkfs.xfs", package: "xfsprogs" };
const MKFS_EXT4: Tool = Tool { program: "mkfs.ext4", package: "e2fsprogs" };
const MKFS_BTRFS: Tool = Tool { program: "mkfs.btrfs", package: "btrfs-progs" };

/// See [`Host::make_file_system`](crate::host::Host::make_file_system).
pub fn make_file_system(
    device: &BlankDevice<'_>,
    wanted: &NewFileSystem,
    deadline: Deadline,
) -> Result<(), HostError> {
    let device = device.device();
    let descriptor = descriptor(device)?;
    let (tool, id_option, id) = match wanted.kind {
        FileSystemKind::Xfs => (MKFS_XFS, "-m", format!("uuid={}", wanted.id)),
        FileSystemKind::Ext4 => (MKFS_EXT4, "-U", wanted.id.to_string()),
        FileSystemKind::Btrfs => (MKFS_BTRFS, "-U", wanted.id.to_string()),
    };
    let mut arguments = vec!["-q", id_option, &id];
    arguments.extend(match wanted.kind {
        FileSystemKind::Xfs | FileSystemKind::Btrfs => ["-K"].as_slice(),
        FileSystemKind::Ext4 => ["-E", "nodiscard"].as_slice(),
    });
    let label = wanted.label.as_str();
    if !label.is_empty() {
        arguments.extend(["-L", label]);
    }
    arguments.push(DEVICE);
    tool.run(&arguments, Some(descriptor), deadline)?;
    fsync(descriptor).map_err(|e| HostError::os(format!("write back {}", device.name()), e))
}
