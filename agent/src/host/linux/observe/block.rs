//! One block device's directory in sysfs, and how all of them are found.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs, io,
    path::{Component, Path, PathBuf},
    str::FromStr,
};

use super::attribute;
use crate::host::HostError;

/// A directory such as `/sys/devices/…/block/sda`, without symbolic links in its path.
#[derive(Debug, Clone)]
pub struct BlockNode {
    pub directory: PathBuf,
    /// The kernel's name: sysfs has `!` where a name has a slash.
    pub name: String,
    /// What is in the directory. Of thousands of devices most attributes are not there, and each question is a system call.
    entries: HashSet<OsString>,
}

/// A fallback for what sysfs does not show; never a source of identity.
#[derive(Debug, Clone, Default)]
pub struct UdevProperties {
    pub vendor: Option<String>,
    pub model: Option<String>,
    pub serial: Option<String>,
}

impl BlockNode {
    /// `None` for a device that has just gone.
    fn read(directory: PathBuf) -> Option<Self> {
        let name = kernel_name(&directory)?;
        let entries = fs::read_dir(&directory).ok()?.flatten().map(|entry| entry.file_name()).collect();
        Some(Self { directory, name, entries })
    }

    pub fn path(&self, attribute: &str) -> PathBuf {
        self.directory.join(attribute)
    }

    pub fn bytes(&self, attribute: &str) -> Option<Vec<u8>> {
        self.may_have(attribute).then(|| attribute::bytes(&self.path(attribute))).flatten()
    }

    pub fn text(&self, attribute: &str) -> Option<String> {
        attribute::legible(&self.bytes(attribute)?)
    }

    pub fn number<T: FromStr>(&self, attribute: &str) -> Option<T> {
        self.text(attribute)?.parse().ok()
    }

    pub fn has(&self, attribute: &str) -> bool {
        self.may_have(attribute) && (!attribute.contains('/') || self.path(attribute).exists())
    }

    /// False when not even the directory that the attribute would be in is there.
    fn may_have(&self, attribute: &str) -> bool {
        let first = Path::new(attribute).components().next();
        first.is_some_and(|first| self.entries.contains(first.as_os_str()))
    }

    pub fn is_partition(&self) -> bool {
        self.has("partition")
    }

    /// For a partition: the directory of its disk.
    pub fn disk(&self) -> Option<&Path> {
        self.is_partition().then(|| self.directory.parent()).flatten()
    }

    /// What udevd's database says, where there is a udevd and this is the one real sysfs.
    pub fn udev(&self) -> UdevProperties {
        let Ok(device) = udev::Device::from_syspath(&self.directory) else {
            return UdevProperties::default();
        };
        let property = |name| attribute::legible(device.property_value(name)?.as_encoded_bytes());
        UdevProperties {
            vendor: property("ID_VENDOR"),
            model: property("ID_MODEL"),
            serial: property("ID_SERIAL_SHORT"),
        }
    }
}

/// The kernel's name of the device that a directory of sysfs is for.
pub fn kernel_name(directory: &Path) -> Option<String> {
    Some(directory.file_name()?.to_str()?.replace('!', "/"))
}

/// Every block device and partition that the kernel shows, in no order.
///
/// libudev could list them too. It walks to each device directory by directory and reads what is known of each, which for
/// thousands of devices takes longer than all the rest.
pub fn nodes(sysfs_root: &Path) -> Result<Vec<BlockNode>, HostError> {
    let class = sysfs_root.join("class/block");
    let read = || -> io::Result<Vec<BlockNode>> {
        let links = fs::read_dir(&class)?.flatten();
        Ok(links.filter_map(|link| BlockNode::read(linked(&class, &link.path())?)).collect())
    };
    read().map_err(|error| HostError::os("list of block devices", error))
}

/// Where a link in `class` leads to: in sysfs as many directories up as `class` is deep, and from there on by no other link.
fn linked(class: &Path, link: &Path) -> Option<PathBuf> {
    let mut place = class.to_owned();
    for part in fs::read_link(link).ok()?.components() {
        match part {
            Component::ParentDir => drop(place.pop()),
            Component::CurDir => {}
            part => place.push(part),
        }
    }
    Some(place)
}
