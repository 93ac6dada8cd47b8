//! The sessions of this host and their units, as sysfs shows them.
//!
//! A unit's directory is `…/host2/session1/target2:0:0/2:0:0:7`: host, channel, target and the kernel's number of the unit.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use sanfleet_protocol::{TargetName, TargetPath, VolumeId};

use crate::host::{
    DeviceNumber,
    linux::observe::{attribute, device_ids},
};

#[derive(Debug, Clone)]
pub struct Session {
    /// `session1`.
    pub name: String,
    pub target: String,
    /// What was logged in to; where that was a name, what it has led to.
    pub portal: Option<SocketAddr>,
    pub is_up: bool,
    /// `/sys/devices/…/host2/session1`.
    directory: PathBuf,
    /// `2`.
    host: String,
    /// The target's number on its host.
    number: u32,
}

impl Session {
    pub fn all(sysfs: &Path) -> Vec<Self> {
        let names = attribute::names(&sysfs.join("class/iscsi_session"));
        names.into_iter().filter_map(|name| Self::read(sysfs, name)).collect()
    }

    /// The session to this path's target through its portal, be it up or not.
    pub fn to(sysfs: &Path, path: &TargetPath) -> Option<Self> {
        let is_it = |session: &Self| {
            session.name_of_target().as_ref() == Some(&path.target) && session.portal == Some(path.portal)
        };
        Self::all(sysfs).into_iter().find(is_it)
    }

    pub fn of_unit(sysfs: &Path, unit: &Unit) -> Option<Self> {
        Self::all(sysfs).into_iter().find(|session| unit.directory.starts_with(&session.directory))
    }

    /// `None` for one that vanishes while it is read.
    fn read(sysfs: &Path, name: String) -> Option<Self> {
        let class = sysfs.join("class/iscsi_session").join(&name);
        let directory = class.join("device").canonicalize().ok()?;
        let host = directory.parent()?.file_name()?.to_str()?.strip_prefix("host")?.to_owned();
        let connections = attribute::names(&sysfs.join("class/iscsi_connection"));
        let prefix = format!("connection{}:", name.strip_prefix("session")?);
        let connections: Vec<PathBuf> = connections
            .iter()
            .filter(|connection| connection.starts_with(&prefix))
            .map(|connection| sysfs.join("class/iscsi_connection").join(connection))
            .collect();
        // Kernels before 5.7 do not tell the state of a connection.
        let is_connected =
            |one: &PathBuf| attribute::text(&one.join("state")).is_none_or(|state| state == "up");
        let is_logged_in = attribute::text(&class.join("state")).as_deref() == Some("LOGGED_IN");
        Some(Self {
            target: attribute::text(&class.join("targetname"))?,
            portal: connections.iter().find_map(|connection| portal(connection)),
            is_up: is_logged_in && !connections.is_empty() && connections.iter().all(is_connected),
            number: attribute::number(&class.join("target_id")).unwrap_or_default(),
            name,
            directory,
            host,
        })
    }

    pub fn name_of_target(&self) -> Option<TargetName> {
        self.target.parse().ok()
    }

    pub fn is_there(&self, sysfs: &Path) -> bool {
        sysfs.join("class/iscsi_session").join(&self.name).exists()
    }

    /// Where its SCSI host is told to scan.
    pub fn ear(&self, sysfs: &Path) -> PathBuf {
        sysfs.join("class/scsi_host").join(format!("host{}", self.host)).join("scan")
    }

    /// The unit that the kernel has, or would have, under this number.
    pub fn unit(&self, number: u64) -> Unit {
        let target = format!("{}:0:{}", self.host, self.number);
        let directory = self.directory.join(format!("target{target}")).join(format!("{target}:{number}"));
        Unit { directory, target: self.number, number }
    }

    /// The units that are here, of whatever kind.
    pub fn units(&self) -> Vec<Unit> {
        let prefix = format!("{}:0:{}:", self.host, self.number);
        let target = self.directory.join(format!("target{}", prefix.trim_end_matches(':')));
        let numbers = attribute::names(&target);
        numbers
            .iter()
            .filter_map(|name| name.strip_prefix(&prefix)?.parse().ok())
            .map(|n| self.unit(n))
            .collect()
    }

    pub fn has_units(&self) -> bool {
        !self.units().is_empty()
    }
}

/// A unit of a session: a place, be anything there or not.
#[derive(Debug, Clone)]
pub struct Unit {
    directory: PathBuf,
    target: u32,
    number: u64,
}

impl Unit {
    /// The unit whose disk has this number.
    pub fn of_device(sysfs: &Path, number: DeviceNumber) -> Option<Self> {
        Self::at(&sysfs.join("dev/block").join(number.to_string()).canonicalize().ok()?)
    }

    fn at(disk: &Path) -> Option<Self> {
        // `<unit>/block/sda`, and no partition of it.
        let directory = disk.parent().filter(|block| block.ends_with("block"))?.parent()?;
        let address = directory.file_name()?.to_str()?;
        let [_, _, target, unit] = address.split(':').collect::<Vec<_>>()[..] else { return None };
        let session = directory.parent()?.parent()?.file_name()?.to_str()?;
        let is_session = session.starts_with("session");
        is_session.then_some(())?;
        Some(Self {
            target: target.parse().ok()?,
            number: unit.parse().ok()?,
            directory: directory.to_owned(),
        })
    }

    /// The unit of a disk.
    pub fn of_disk(sysfs: &Path, disk: &str) -> Option<Self> {
        Self::at(&sysfs.join("class/block").join(disk).canonicalize().ok()?)
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
        format!("0 {} {}", self.target, self.number)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.directory.file_name().unwrap_or_default();
        write!(f, "SCSI unit {}", name.to_string_lossy())
    }
}

fn portal(connection: &Path) -> Option<SocketAddr> {
    let read = |address: &str, port: &str| {
        let address: IpAddr = attribute::text(&connection.join(address))?.parse().ok()?;
        Some(SocketAddr::new(address, attribute::number(&connection.join(port))?))
    };
    read("persistent_address", "persistent_port").or_else(|| read("address", "port"))
}
