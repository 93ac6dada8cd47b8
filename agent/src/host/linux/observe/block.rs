//! One block device's directory in sysfs, and how all of them are found.

use std::path::{Path, PathBuf};

use super::attribute;
use crate::host::HostError;

/// A directory such as `/sys/devices/…/block/sda`, without symbolic links in its path.
#[derive(Debug, Clone)]
pub struct BlockNode {
    pub directory: PathBuf,
    /// The kernel's name: sysfs has `!` where a name has a slash.
    pub name: String,
    /// What udevd's database says, where there is a udevd.
    pub udev: UdevProperties,
}

/// A fallback for what sysfs does not show; never a source of identity.
#[derive(Debug, Clone, Default)]
pub struct UdevProperties {
    pub vendor: Option<String>,
    pub model: Option<String>,
    pub serial: Option<String>,
}

impl BlockNode {
    fn new(directory: PathBuf, udev: UdevProperties) -> Option<Self> {
        let name = kernel_name(&directory)?;
        Some(Self { directory, name, udev })
    }

    pub fn path(&self, attribute: &str) -> PathBuf {
        self.directory.join(attribute)
    }

    pub fn text(&self, attribute: &str) -> Option<String> {
        attribute::text(&self.path(attribute))
    }

    pub fn has(&self, attribute: &str) -> bool {
        self.path(attribute).exists()
    }

    pub fn is_partition(&self) -> bool {
        self.has("partition")
    }

    /// For a partition: the directory of its disk.
    pub fn disk(&self) -> Option<&Path> {
        self.is_partition().then(|| self.directory.parent()).flatten()
    }
}

/// The kernel's name of the device that a directory of sysfs is for.
pub fn kernel_name(directory: &Path) -> Option<String> {
    Some(directory.file_name()?.to_str()?.replace('!', "/"))
}

/// Every block device and partition that the kernel shows, in no order.
pub fn nodes(sysfs_root: &Path) -> Result<Vec<BlockNode>, HostError> {
    // libudev looks at the one real sysfs only.
    let found = match sysfs_root == Path::new("/sys") {
        true => through_udev(),
        false => through_directory(&sysfs_root.join("class/block")),
    };
    found.map_err(|error| HostError::os("list of block devices", error))
}

fn through_udev() -> std::io::Result<Vec<BlockNode>> {
    let mut enumerator = udev::Enumerator::new()?;
    enumerator.match_subsystem("block")?;
    let devices = enumerator.scan_devices()?;
    Ok(devices
        .filter_map(|device| {
            let property = |name| attribute::legible(device.property_value(name)?.as_encoded_bytes());
            let udev = UdevProperties {
                vendor: property("ID_VENDOR"),
                model: property("ID_MODEL"),
                serial: property("ID_SERIAL_SHORT"),
            };
            BlockNode::new(device.syspath().to_owned(), udev)
        })
        .collect())
}

fn through_directory(class: &Path) -> std::io::Result<Vec<BlockNode>> {
    let entries = std::fs::read_dir(class)?;
    Ok(entries
        .flatten()
        .filter_map(|entry| BlockNode::new(entry.path().canonicalize().ok()?, UdevProperties::default()))
        .collect())
}
