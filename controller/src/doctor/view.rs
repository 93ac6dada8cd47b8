//! The picture, indexed once a look: which device is which volume, who has which initiator, what is accounted for.

use std::collections::{HashMap, HashSet};

use sanfleet_protocol::{ArrayId, HostId, Initiator, VolumeId, v1};

use super::Snapshot;
use crate::{
    catalog::{ArrayRecord, ArrayState, HostRecord, Inventory, VolumeRecord},
    matching::VolumeRef,
};

pub struct View<'a> {
    pub snapshot: &'a Snapshot,
    hosts: HashMap<&'a HostId, &'a HostRecord>,
    arrays: HashMap<&'a ArrayId, &'a ArrayRecord>,
    /// Volumes by every strong id. Several under one id are a finding of their own.
    volumes: HashMap<&'a VolumeId, Vec<&'a VolumeRecord>>,
    owners: HashMap<&'a Initiator, Vec<&'a HostId>>,
    devices: HashMap<&'a VolumeRef, Vec<SeenDevice<'a>>>,
    /// By host and volume id.
    attached: HashSet<(&'a str, &'a str)>,
    attached_ids: HashSet<&'a str>,
    busy_hosts: HashSet<&'a HostId>,
    busy_places: HashSet<(&'a str, &'a str)>,
}

/// A device that is a volume, as its host reported it.
#[derive(Clone, Copy)]
pub struct SeenDevice<'a> {
    pub host: &'a HostId,
    pub record: &'a HostRecord,
    pub inventory: &'a Inventory,
    pub device: &'a v1::BlockDevice,
}

impl<'a> View<'a> {
    pub fn of(snapshot: &'a Snapshot) -> Self {
        let runs = &snapshot.runs;
        let mut view = Self {
            snapshot,
            hosts: snapshot.hosts.iter().map(|(host, record)| (host, record)).collect(),
            arrays: snapshot.arrays.iter().map(|array| (&array.name, array)).collect(),
            volumes: HashMap::new(),
            owners: HashMap::new(),
            devices: HashMap::new(),
            attached: HashSet::new(),
            attached_ids: HashSet::new(),
            busy_hosts: HashSet::new(),
            busy_places: HashSet::new(),
        };
        for (_, _, volume) in view.listed() {
            for id in volume.id.iter().chain(&volume.more_ids).filter(|id| id.is_strong()) {
                view.volumes.entry(id).or_default().push(volume);
            }
        }
        for one in &runs.attachments {
            view.attached.insert((&one.host, &one.volume_id));
            view.attached_ids.insert(&one.volume_id);
        }
        for place in runs.open.iter().flat_map(|run| &run.places) {
            view.busy_hosts.insert(&place.host);
            view.busy_places.insert((place.host.as_str(), place.mount_point.as_str()));
        }
        view.see_hosts();
        view
    }

    fn see_hosts(&mut self) {
        for (host, record, inventory) in self.reported() {
            for initiator in &inventory.initiators {
                self.owners.entry(initiator).or_default().push(host);
            }
            for (device, ids) in inventory.devices().filter(|(device, _)| device.parent.is_empty()) {
                let mut volumes: Vec<&VolumeRef> = self.identify(ids).map(|volume| &volume.key).collect();
                volumes.sort_unstable();
                volumes.dedup();
                for volume in volumes {
                    let seen = SeenDevice { host, record, inventory, device };
                    self.devices.entry(volume).or_default().push(seen);
                }
            }
        }
    }

    /// The volumes that have one of these ids.
    pub fn identify(
        &self,
        ids: impl IntoIterator<Item = &'a VolumeId>,
    ) -> impl Iterator<Item = &'a VolumeRecord> {
        ids.into_iter().filter_map(|id| self.volumes.get(id)).flatten().copied()
    }

    /// Ids with all the volumes that have them.
    pub fn by_id(&self) -> impl Iterator<Item = (&'a VolumeId, &[&'a VolumeRecord])> {
        self.volumes.iter().map(|(id, volumes)| (*id, volumes.as_slice()))
    }

    /// Every volume of every array that was listed.
    pub fn listed(
        &self,
    ) -> impl Iterator<Item = (&'a ArrayRecord, &'a ArrayState, &'a VolumeRecord)> + use<'a> {
        self.snapshot.arrays.iter().flat_map(|array| {
            let states = array.state.iter();
            states.flat_map(move |state| state.volumes.values().map(move |volume| (array, &**state, volume)))
        })
    }

    /// Every host that has reported.
    pub fn reported(&self) -> impl Iterator<Item = (&'a HostId, &'a HostRecord, &'a Inventory)> + use<'a> {
        let hosts = self.snapshot.hosts.iter();
        hosts.filter_map(|(host, record)| Some((host, record, record.inventory.as_deref()?)))
    }

    pub fn owners(&self) -> impl Iterator<Item = (&'a Initiator, &[&'a HostId])> {
        self.owners.iter().map(|(initiator, hosts)| (*initiator, hosts.as_slice()))
    }

    pub fn has_owner(&self, initiator: &Initiator) -> bool {
        self.owners.contains_key(initiator)
    }

    pub fn host(&self, name: &HostId) -> Option<(&'a HostId, &'a HostRecord)> {
        self.hosts.get_key_value(name).map(|(host, record)| (*host, *record))
    }

    pub fn array(&self, name: &ArrayId) -> Option<&'a ArrayRecord> {
        self.arrays.get(name).copied()
    }

    /// The devices, on any host, that are this volume.
    pub fn devices_of(&self, volume: &VolumeRef) -> &[SeenDevice<'a>] {
        self.devices.get(volume).map(Vec::as_slice).unwrap_or_default()
    }

    pub fn seen(&self) -> impl Iterator<Item = (&'a VolumeRef, &[SeenDevice<'a>])> {
        self.devices.iter().map(|(volume, devices)| (*volume, devices.as_slice()))
    }

    pub fn volume(&self, key: &VolumeRef) -> Option<&'a VolumeRecord> {
        self.arrays.get(&key.array)?.state.as_ref()?.volumes.get(&key.volume)
    }

    pub fn is_attached(&self, id: &VolumeId) -> bool {
        self.attached_ids.contains(id.to_string().as_str())
    }

    pub fn is_attached_to(&self, host: &HostId, id: &VolumeId) -> bool {
        self.attached.contains(&(host.as_str(), id.to_string().as_str()))
    }

    /// A run works on this host.
    pub fn is_busy(&self, host: &HostId) -> bool {
        self.busy_hosts.contains(host)
    }

    /// A run works on this place.
    pub fn is_busy_at(&self, host: &str, mount_point: &str) -> bool {
        self.busy_places.contains(&(host, mount_point))
    }
}

impl SeenDevice<'_> {
    /// Mounted, or part of another device.
    pub fn is_used(&self) -> bool {
        !self.device.holders.is_empty() || self.inventory.mount_points(self.device).next().is_some()
    }

    pub fn shown(&self) -> String {
        let mounts: Vec<&str> = self.inventory.mount_points(self.device).collect();
        match mounts.is_empty() {
            true => format!("host {} has it as device {}", self.host, self.device.name),
            false => {
                let (host, device) = (self.host, &self.device.name);
                format!("host {host} has it as device {device}, mounted at {}", mounts.join(", "))
            }
        }
    }
}

/// When the array was asked for what is known of it.
pub fn listed_at(array: &ArrayRecord) -> i64 {
    array.state.as_ref().map(|state| state.begun_unix_ms).unwrap_or_default()
}

/// Whether the array tells who sees what. Of one that does not, a missing mapping says nothing.
pub fn tells_mappings(state: &ArrayState) -> bool {
    let claims = |name: &str| state.facts.claimed.contains(&name);
    state.facts.extensions.iter().any(|name| name == "mappings_page")
        || (claims("ACCESS_GROUPS") && claims("VOLUMES_ACCESSIBLE_BY_ACCESS_GROUP"))
}

/// How a volume is spoken of.
pub fn named(volume: &VolumeRecord) -> String {
    let id = volume.id.as_ref().map_or_else(|| "without an id".to_owned(), ToString::to_string);
    format!("volume {} ({}, {id})", volume.name, volume.key)
}
