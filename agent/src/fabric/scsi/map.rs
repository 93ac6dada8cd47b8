//! The map that multipathd makes of the paths of one volume, as sysfs shows it.

use std::{collections::BTreeSet, path::Path};

use crate::host::{DeviceNumber, linux::observe::attribute};

/// How device mapper names the maps of multipathd, as against those of others.
const PREFIX: &str = "mpath-";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    /// The kernel's name of it.
    pub disk: String,
    /// What multipathd knows it by.
    pub name: String,
    /// The kernel's names of its paths.
    pub paths: BTreeSet<String>,
}

impl Map {
    /// The map that this disk is a path of.
    pub fn of_path(sysfs: &Path, disk: &str) -> Option<Self> {
        let holders = attribute::names(&sysfs.join("class/block").join(disk).join("holders"));
        holders.iter().find_map(|holder| Self::read(sysfs, holder))
    }

    /// The map with this number.
    pub fn of_device(sysfs: &Path, number: DeviceNumber) -> Option<Self> {
        let device = sysfs.join("dev/block").join(number.to_string()).canonicalize().ok()?;
        Self::read(sysfs, device.file_name()?.to_str()?)
    }

    fn read(sysfs: &Path, disk: &str) -> Option<Self> {
        let directory = sysfs.join("class/block").join(disk);
        attribute::text(&directory.join("dm/uuid"))?.strip_prefix(PREFIX)?;
        let name = attribute::text(&directory.join("dm/name"))?;
        let paths = attribute::names(&directory.join("slaves")).into_iter().collect();
        Some(Self { disk: disk.to_owned(), name, paths })
    }

    pub fn is_there(&self, sysfs: &Path) -> bool {
        Self::read(sysfs, &self.disk).is_some_and(|now| now.name == self.name)
    }
}
