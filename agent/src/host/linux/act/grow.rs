//! Seeing that a volume has grown, and growing what is on it.
//!
//! A file system is grown by the kernel's own call on an open descriptor of its mount: no program and no name comes between.

use std::{
    fs,
    os::fd::{AsFd, BorrowedFd},
    path::PathBuf,
};

use rustix::io::Errno;
use sanfleet_protocol::{FileSystemKind, MountPoint};

use super::{descriptor, directory};
use crate::{
    deadline::Deadline,
    host::{
        HostError, OpenDevice, ioctl,
        linux::{LinuxHost, mounted, tool::MULTIPATHD},
    },
    verify::VerifiedDevice,
};

/// Where a kind of device is told, below its directory in sysfs: SCSI, and NVMe, which answers later.
const RESCANS: [&str; 2] = ["device/rescan", "device/rescan_controller"];

/// See [`Host::reread_size`](crate::host::Host::reread_size).
pub fn reread_size(host: &LinuxHost, device: &VerifiedDevice) -> Result<(), HostError> {
    match device.paths() {
        [] => reread(host, device.device()),
        paths => paths.iter().try_for_each(|path| reread(host, path.as_ref())),
    }
}

fn reread(host: &LinuxHost, path: &dyn OpenDevice) -> Result<(), HostError> {
    let failed =
        |error| HostError::os(format!("make the kernel read the size of {} again", path.name()), error);
    let directory = directory_of(host, path);
    if directory.join("loop").exists() {
        return ioctl::loop_set_capacity(descriptor(path)?).map_err(|e| failed(e.into()));
    }
    match RESCANS.iter().map(|rescan| directory.join(rescan)).find(|rescan| rescan.exists()) {
        Some(rescan) => fs::write(rescan, "1").map_err(failed),
        None => Err(HostError::Invalid {
            what: path.name(),
            why: "is of a kind whose size cannot be read again".to_owned(),
        }),
    }
}

/// See [`Host::resize_map`](crate::host::Host::resize_map).
pub fn resize_map(host: &LinuxHost, device: &VerifiedDevice, deadline: Deadline) -> Result<(), HostError> {
    if device.paths().is_empty() {
        return Ok(());
    }
    let file = directory_of(host, device.device()).join("dm/name");
    let name = fs::read_to_string(&file).map_err(|e| HostError::os(format!("read {}", file.display()), e))?;
    MULTIPATHD.run(&["resize", "map", name.trim()], None, deadline)
}

/// By its number, which is no other device's as long as it is open.
fn directory_of(host: &LinuxHost, device: &dyn OpenDevice) -> PathBuf {
    host.options().sysfs_root.join("dev/block").join(device.number().to_string())
}

/// See [`Host::grow_file_system`](crate::host::Host::grow_file_system).
pub fn grow_file_system(host: &LinuxHost, device: &VerifiedDevice, at: &MountPoint) -> Result<(), HostError> {
    let invalid = |why: String| Err(HostError::Invalid { what: at.to_string(), why });
    let entry = match mounted::at(host, at)? {
        Some(entry) if entry.device == device.number() => entry,
        _ => return invalid(format!("is not where {} is mounted", device.device().name())),
    };
    let Ok(kind) = entry.file_system.parse::<FileSystemKind>() else {
        return invalid(format!("is of {}, which is not grown", entry.file_system));
    };
    let size_bytes = device.device().size_bytes()?;
    let directory = directory::open(at)?;
    grow(kind, directory.as_fd(), size_bytes).map_err(|error| {
        let hint = match (kind, error) {
            (FileSystemKind::Ext4, Errno::PERM) => ", which needs CAP_SYS_RESOURCE",
            _ => "",
        };
        HostError::os(format!("grow the {kind} on {at}{hint}"), error)
    })
}

fn grow(kind: FileSystemKind, directory: BorrowedFd<'_>, size_bytes: u64) -> Result<(), Errno> {
    match kind {
        FileSystemKind::Xfs => {
            let now = ioctl::xfs_geometry(directory)?;
            let blocks = size_bytes.checked_div(now.block_bytes.into()).ok_or(Errno::INVAL)?;
            match blocks > now.data_blocks {
                true => ioctl::xfs_grow(directory, blocks, now.max_inode_percent),
                false => Ok(()),
            }
        }
        FileSystemKind::Ext4 => {
            let block_bytes = rustix::fs::fstatvfs(directory)?.f_frsize;
            let blocks = size_bytes.checked_div(block_bytes).ok_or(Errno::INVAL)?;
            ioctl::ext4_resize(directory, blocks)
        }
        FileSystemKind::Btrfs => ioctl::btrfs_resize_to_max(directory),
    }
}
