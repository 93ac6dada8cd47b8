//! SCSI targets and their units, as sysfs shows them.
//!
//! A unit's directory is `…/host2/session1/target2:0:0/2:0:0:7`, over Fibre Channel with `rport-2:0-3` in the place of `session1`: host,
//! channel, target and the kernel's number of the unit.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use sanfleet_protocol::VolumeId;

use crate::host::{
    DeviceNumber,
    linux::observe::{attribute, device_ids},
};

/// A target as one SCSI host of this machine has it.
#[derive(Debug, Clone)]
pub struct Target {
    /// What the transport puts between a host and its target: `/sys/devices/…/host2/session1`.
    directory: PathBuf,
    host: u32,
    channel: u32,
    number: u32,
}

impl Target {
    /// The target with this number below a directory of the transport's; `None` where that is not a host's.
    pub fn below(directory: PathBuf, channel: u32, number: u32) -> Option<Self> {
        let host = directory.parent()?.file_name()?.to_str()?.strip_prefix("host")?.parse().ok()?;
        Some(Self { directory, host, channel, number })
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// `host2`.
    pub fn host(&self) -> String {
        format!("host{}", self.host)
    }

    /// Where its SCSI host is told to scan.
    pub fn ear(&self, sysfs: &Path) -> PathBuf {
        sysfs.join("class/scsi_host").join(self.host()).join("scan")
    }

    /// The unit that the kernel has, or would have, under this number.
    pub fn unit(&self, number: u64) -> Unit {
        let directory = self.units_below().join(format!("{self}:{number}"));
        Unit { directory, target: self.clone(), number }
    }

    /// The units that are here, of whatever kind.
    pub fn units(&self) -> Vec<Unit> {
        let prefix = format!("{self}:");
        let names = attribute::names(&self.units_below());
        names
            .iter()
            .filter_map(|name| name.strip_prefix(&prefix)?.parse().ok())
            .map(|n| self.unit(n))
            .collect()
    }

    fn units_below(&self) -> PathBuf {
        self.directory.join(format!("target{self}"))
    }
}

/// As the kernel numbers it: `2:0:0`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.host, self.channel, self.number)
    }
}

/// A unit of a target: a place, be anything there or not.
#[derive(Debug, Clone)]
pub struct Unit {
    directory: PathBuf,
    target: Target,
    number: u64,
}

impl Unit {
    /// The unit whose disk has this number.
    pub fn of_device(sysfs: &Path, number: DeviceNumber) -> Option<Self> {
        Self::at(&sysfs.join("dev/block").join(number.to_string()).canonicalize().ok()?)
    }

    /// The unit of a disk.
    pub fn of_disk(sysfs: &Path, disk: &str) -> Option<Self> {
        Self::at(&sysfs.join("class/block").join(disk).canonicalize().ok()?)
    }

    fn at(disk: &Path) -> Option<Self> {
        // `<unit>/block/sda`, and no partition of it.
        let directory = disk.parent().filter(|block| block.ends_with("block"))?.parent()?;
        let address = directory.file_name()?.to_str()?;
        let [host, channel, target, unit] = address.split(':').collect::<Vec<_>>()[..] else { return None };
        let target = Target {
            directory: directory.parent()?.parent()?.to_owned(),
            host: host.parse().ok()?,
            channel: channel.parse().ok()?,
            number: target.parse().ok()?,
        };
        Some(Self { directory: directory.to_owned(), target, number: unit.parse().ok()? })
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    pub fn is_there(&self) -> bool {
        self.directory.exists()
    }

    /// The kernel's name of its disk.
    pub fn disk(&self) -> Option<String> {
        attribute::names(&self.directory.join("block")).into_iter().next()
    }

    /// What the kernel found when it scanned: no proof of what is there now.
    pub fn cached_ids(&self) -> Vec<VolumeId> {
        device_ids::of_scsi_unit(&self.directory)
    }

    /// Makes the kernel forget the unit.
    pub fn delete(&self) -> PathBuf {
        self.directory.join("delete")
    }

    /// Whether the kernel sends anything to the unit.
    pub fn state(&self) -> PathBuf {
        self.directory.join("state")
    }

    /// What has this unit scanned, and no other: channel, target, unit.
    pub fn scan_words(&self) -> String {
        format!("{} {} {}", self.target.channel, self.target.number, self.number)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SCSI unit {}:{}", self.target, self.number)
    }
}
