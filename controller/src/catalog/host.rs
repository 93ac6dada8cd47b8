//! A host as the catalog knows it, and the edge where its report turns into types.

use std::{collections::HashSet, sync::Arc};

use sanfleet_protocol::{
    Generation, HostId, Initiator, Labels, Layers, MountPoint, ReportPublicKey, VolumeId, limits, v1,
};

use super::{Change, HostNotes, Starts, layers};

#[derive(Debug, Default, Clone)]
pub struct HostRecord {
    pub online: bool,
    pub last_seen_unix_ms: i64,
    /// When the host last said that this inventory is its newest.
    pub confirmed_unix_ms: i64,
    pub inventory: Option<Arc<Inventory>>,
    pub notes: HostNotes,
    pub dispute: Option<Dispute>,
    pub starts: Starts,
}

impl HostRecord {
    /// Whether anybody has said anything of it, since we have started or before: one of which there is a key and nothing else is
    /// remembered for the day when it reports again.
    pub fn is_heard_of(&self) -> bool {
        let said = self.notes.cordoned || self.notes.labels != Labels::default();
        self.inventory.is_some() || self.last_seen_unix_ms > 0 || self.dispute.is_some() || said
    }
}

/// Somebody has reported in the host's name whose key is not the host's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    /// None where the report was not signed.
    pub key: Option<ReportPublicKey>,
    /// When that was the last time.
    pub at_unix_ms: i64,
}

/// A report after parsing: the message for showing, and the ids in it as types.
#[derive(Debug)]
pub struct Inventory {
    pub generation: Generation,
    pub initiators: Vec<Initiator>,
    pub report: v1::HostReport,
    ids: Vec<Vec<VolumeId>>,
}

/// Why a report is not believed.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("report is of version {0}, this controller knows {known}", known = sanfleet_protocol::VERSION)]
    Version(u32),
    #[error("report on the subject of {subject} says that it is of host {claimed:?}")]
    Host { subject: HostId, claimed: String },
    #[error("report lists {0} devices, more than {max}", max = limits::DEVICES)]
    TooManyDevices(usize),
}

impl Inventory {
    /// Parses a report that came on the subject of `host`. An id that cannot be parsed identifies nothing and is dropped.
    pub fn from_report(host: &HostId, report: v1::HostReport) -> Result<Self, ReportError> {
        if report.version != sanfleet_protocol::VERSION {
            return Err(ReportError::Version(report.version));
        }
        if report.host != host.as_str() {
            return Err(ReportError::Host {
                subject: host.clone(),
                claimed: report.host.chars().take(64).collect(),
            });
        }
        if report.devices.len() > limits::DEVICES {
            return Err(ReportError::TooManyDevices(report.devices.len()));
        }
        let parse = |ids: &Vec<String>| ids.iter().filter_map(|id| id.parse().ok()).collect();
        let ids = report.devices.iter().map(|device| parse(&device.volume_ids)).collect();
        let initiators = report.initiators.iter().filter_map(|text| text.parse().ok()).collect();
        Ok(Self { generation: Generation(report.generation), initiators, ids, report })
    }

    pub fn devices(&self) -> impl Iterator<Item = (&v1::BlockDevice, &[VolumeId])> {
        self.report.devices.iter().zip(self.ids.iter().map(Vec::as_slice))
    }

    /// Where a device is mounted.
    pub fn mount_points<'a>(&'a self, device: &'a v1::BlockDevice) -> impl Iterator<Item = &'a str> {
        self.report.mounts.iter().filter(|mount| is_on(mount, device)).map(|mount| mount.mount_point.as_str())
    }

    /// What is mounted read-write and so may be written to, with the ids of the volumes beneath: those of the device itself
    /// and of all that it is stacked on.
    pub fn written(&self) -> impl Iterator<Item = (&v1::Mount, Vec<&VolumeId>)> {
        self.report.mounts.iter().filter(|mount| !mount.read_only).filter_map(|mount| {
            let device = self.devices().position(|(device, _)| is_on(mount, device))?;
            Some((mount, self.ids_beneath(device)))
        })
    }

    fn ids_beneath(&self, top: usize) -> Vec<&VolumeId> {
        self.beneath(top).into_iter().filter_map(|place| self.ids.get(place)).flatten().collect()
    }

    /// Places in the report of a device and of all that it is stacked on.
    fn beneath(&self, top: usize) -> Vec<usize> {
        let (mut found, mut at) = (vec![top], 0);
        while let Some(device) = found.get(at).and_then(|place| self.report.devices.get(*place)) {
            for below in device.slaves.iter().chain([&device.parent]).filter(|below| !below.is_empty()) {
                let place = self.report.devices.iter().position(|known| known.name == *below);
                found.extend(place.filter(|place| !found.contains(place)));
            }
            at += 1;
        }
        found
    }

    /// From a device down to its volume: what lies between, and the device of that.
    pub fn down<'a>(&'a self, top: &'a v1::BlockDevice) -> (Layers, &'a v1::BlockDevice) {
        layers::down(&self.report.devices, top)
    }

    /// The device of this name.
    pub fn device(&self, name: &str) -> Option<&v1::BlockDevice> {
        self.report.devices.iter().find(|device| device.name == name)
    }

    /// Where the device of this name, or anything that rests on it, is mounted.
    pub fn mounts_of(&self, name: &str) -> Vec<&str> {
        let Some(wanted) = self.report.devices.iter().position(|device| device.name == name) else {
            return Vec::new();
        };
        let rests_on_it = |mount: &&v1::Mount| {
            let top = self.report.devices.iter().position(|device| is_on(mount, device));
            top.is_some_and(|top| self.beneath(top).contains(&wanted))
        };
        self.report.mounts.iter().filter(rests_on_it).map(|mount| mount.mount_point.as_str()).collect()
    }

    /// Where a device is mounted so that its file system can grow.
    pub fn writable_at(&self, device: &v1::BlockDevice) -> Option<MountPoint> {
        let same = |mount: &&v1::Mount| mount.major == device.major && mount.minor == device.minor;
        let mut writable = self.report.mounts.iter().filter(same).filter(|mount| !mount.read_only);
        writable.find_map(|mount| mount.mount_point.parse().ok())
    }

    /// The mount there: of several on one path the last one is what programs see.
    pub fn mount(&self, at: &MountPoint) -> Option<&v1::Mount> {
        self.report.mounts.iter().rev().find(|mount| mount.mount_point == at.as_str())
    }

    /// The device that is mounted there.
    pub fn mounted_at(&self, at: &MountPoint) -> Option<(&v1::BlockDevice, &[VolumeId])> {
        let mount = self.mount(at)?;
        self.devices().find(|(device, _)| is_on(mount, device))
    }
}

fn is_on(mount: &v1::Mount, device: &v1::BlockDevice) -> bool {
    (mount.major, mount.minor) == (device.major, device.minor)
}

/// A device is the same one as before when name, number and disk sequence are.
fn identity(device: &v1::BlockDevice) -> (&str, u32, u32, u64) {
    (&device.name, device.major, device.minor, device.disk_sequence)
}

pub fn device_changes(host: &HostId, old: &Inventory, new: &Inventory) -> Vec<Change> {
    let before: HashSet<_> = old.report.devices.iter().map(identity).collect();
    let after: HashSet<_> = new.report.devices.iter().map(identity).collect();
    let gone = old.report.devices.iter().filter(|device| !after.contains(&identity(device)));
    let appeared = new.report.devices.iter().filter(|device| !before.contains(&identity(device)));
    let what = |device: &v1::BlockDevice| (host.clone(), new.generation, device.clone());
    let gone =
        gone.map(what).map(|(host, generation, device)| Change::DeviceGone { host, generation, device });
    let appeared = appeared.map(what).map(|(host, generation, device)| Change::DeviceAppeared {
        host,
        generation,
        device,
    });
    gone.chain(appeared).collect()
}
