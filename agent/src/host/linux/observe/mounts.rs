//! The mounts that this process sees.

use std::{io, os::unix::fs::FileTypeExt, os::unix::fs::MetadataExt, path::Path};

use super::{
    attribute,
    mountinfo::{self, Line},
};
use crate::host::{DeviceNumber, HostError, MountEntry, linux::LinuxHostOptions};

/// Some 300,000 mounts: more than the kernel allows by default in one namespace (fs.mount-max, 100,000).
const MAX_TABLE: u64 = 64 * 1024 * 1024;

pub fn mounts(options: &LinuxHostOptions) -> Result<Vec<MountEntry>, HostError> {
    let file = options.proc_root.join("self/mountinfo");
    let table = attribute::bounded(&file, MAX_TABLE).ok_or_else(|| {
        HostError::os(file.display().to_string(), io::Error::other("cannot be read or is too large"))
    })?;
    Ok(mountinfo::parse(&table).into_iter().map(|line| with_real_device(line, &options.dev_root)).collect())
}

/// Btrfs gives each mount an anonymous device number and names one of its devices as the source.
fn with_real_device(line: Line, dev_root: &Path) -> MountEntry {
    let Line { mut entry, source } = line;
    if entry.file_system == "btrfs"
        && entry.device.major == 0
        && let Ok(inside) = source.strip_prefix("/dev")
        && let Some(device) = block_device(&dev_root.join(inside))
    {
        entry.device = device;
    }
    entry
}

fn block_device(node: &Path) -> Option<DeviceNumber> {
    let metadata = std::fs::metadata(node).ok()?;
    metadata.file_type().is_block_device().then(|| DeviceNumber {
        major: rustix::fs::major(metadata.rdev()),
        minor: rustix::fs::minor(metadata.rdev()),
    })
}
