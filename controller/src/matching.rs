//! Which device is which volume: by id, and by nothing else.
//!
//! Pure and incremental: a report of one host or a listing of one array changes only what it must, and says what changed.
//! A match is evidence that a host *sees* a volume. It never allows an action: before one, the agent asks the device itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sanfleet_driver::VolumeKey;
use sanfleet_protocol::{ArrayId, HostId, VolumeId};

/// A device as its host names it at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceKey {
    pub host: HostId,
    pub device: String,
}

/// A volume as its array names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VolumeRef {
    pub array: ArrayId,
    pub volume: VolumeKey,
}

impl std::fmt::Display for VolumeRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.array, self.volume)
    }
}

/// What an update made true or false.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MatchChange {
    Matched { device: DeviceKey, volume: VolumeRef, id: VolumeId },
    Unmatched { device: DeviceKey, volume: VolumeRef },
}

impl MatchChange {
    pub fn device(&self) -> &DeviceKey {
        match self {
            Self::Matched { device, .. } | Self::Unmatched { device, .. } => device,
        }
    }
}

/// What a device is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity<'a> {
    /// On no array that we know.
    Unknown,
    Volume(&'a VolumeRef),
    /// Several volumes claim the id of this device. That is a result, and nobody may guess.
    Ambiguous(Vec<&'a VolumeRef>),
}

/// Both sides of the match, by id.
#[derive(Debug, Default)]
pub struct Matching {
    devices: HashMap<HostId, BTreeMap<String, BTreeSet<VolumeId>>>,
    volumes: HashMap<ArrayId, BTreeMap<VolumeKey, BTreeSet<VolumeId>>>,
    devices_by_id: HashMap<VolumeId, BTreeSet<DeviceKey>>,
    volumes_by_id: HashMap<VolumeId, BTreeSet<VolumeRef>>,
}

impl Matching {
    /// Replaces what is known of one host's devices. Weak ids are left out: they prove nothing.
    pub fn set_host(
        &mut self,
        host: &HostId,
        devices: impl IntoIterator<Item = (String, Vec<VolumeId>)>,
    ) -> Vec<MatchChange> {
        let new = strong(devices);
        let old = match new.is_empty() {
            true => self.devices.remove(host).unwrap_or_default(),
            false => self.devices.insert(host.clone(), new.clone()).unwrap_or_default(),
        };
        let key = |device: &String| DeviceKey { host: host.clone(), device: device.clone() };

        let mut changes = Vec::new();
        for (device, id) in pairs_only_in(&old, &new) {
            drop_from(&mut self.devices_by_id, id, &key(device));
            for volume in self.volumes_by_id.get(id).into_iter().flatten() {
                changes.push(MatchChange::Unmatched { device: key(device), volume: volume.clone() });
            }
        }
        for (device, id) in pairs_only_in(&new, &old) {
            self.devices_by_id.entry(id.clone()).or_default().insert(key(device));
            for volume in self.volumes_by_id.get(id).into_iter().flatten() {
                changes.push(MatchChange::Matched {
                    device: key(device),
                    volume: volume.clone(),
                    id: id.clone(),
                });
            }
        }
        changes
    }

    /// Replaces what is known of one array's volumes.
    pub fn set_array(
        &mut self,
        array: &ArrayId,
        volumes: impl IntoIterator<Item = (VolumeKey, Vec<VolumeId>)>,
    ) -> Vec<MatchChange> {
        let new = strong(volumes);
        let old = match new.is_empty() {
            true => self.volumes.remove(array).unwrap_or_default(),
            false => self.volumes.insert(array.clone(), new.clone()).unwrap_or_default(),
        };
        let key = |volume: &VolumeKey| VolumeRef { array: array.clone(), volume: volume.clone() };

        let mut changes = Vec::new();
        for (volume, id) in pairs_only_in(&old, &new) {
            drop_from(&mut self.volumes_by_id, id, &key(volume));
            for device in self.devices_by_id.get(id).into_iter().flatten() {
                changes.push(MatchChange::Unmatched { device: device.clone(), volume: key(volume) });
            }
        }
        for (volume, id) in pairs_only_in(&new, &old) {
            self.volumes_by_id.entry(id.clone()).or_default().insert(key(volume));
            for device in self.devices_by_id.get(id).into_iter().flatten() {
                changes.push(MatchChange::Matched {
                    device: device.clone(),
                    volume: key(volume),
                    id: id.clone(),
                });
            }
        }
        changes
    }

    pub fn identify(&self, host: &HostId, device: &str) -> Identity<'_> {
        let ids = self.devices.get(host).and_then(|devices| devices.get(device));
        self.identify_ids(ids.into_iter().flatten())
    }

    /// The volume that has one of these ids.
    pub fn identify_ids<'a>(&self, ids: impl IntoIterator<Item = &'a VolumeId>) -> Identity<'_> {
        let volumes: BTreeSet<&VolumeRef> =
            ids.into_iter().filter_map(|id| self.volumes_by_id.get(id)).flatten().collect();
        let mut found: Vec<&VolumeRef> = volumes.into_iter().collect();
        match found.len() {
            0 | 1 => found.pop().map_or(Identity::Unknown, Identity::Volume),
            _ => Identity::Ambiguous(found),
        }
    }

    /// Every device, on any host, that is this volume.
    pub fn devices_of(&self, volume: &VolumeRef) -> BTreeSet<&DeviceKey> {
        let ids = self.volumes.get(&volume.array).and_then(|volumes| volumes.get(&volume.volume));
        ids.into_iter().flatten().filter_map(|id| self.devices_by_id.get(id)).flatten().collect()
    }

    pub fn matched_devices(&self, host: &HostId) -> usize {
        let devices = self.devices.get(host).into_iter().flatten();
        devices.filter(|(_, ids)| ids.iter().any(|id| self.volumes_by_id.contains_key(id))).count()
    }
}

fn strong<K: Ord>(items: impl IntoIterator<Item = (K, Vec<VolumeId>)>) -> BTreeMap<K, BTreeSet<VolumeId>> {
    items
        .into_iter()
        .map(|(name, ids)| (name, ids.into_iter().filter(VolumeId::is_strong).collect::<BTreeSet<_>>()))
        .filter(|(_, ids)| !ids.is_empty())
        .collect()
}

fn pairs_only_in<'a, K: Ord>(
    one: &'a BTreeMap<K, BTreeSet<VolumeId>>,
    other: &'a BTreeMap<K, BTreeSet<VolumeId>>,
) -> impl Iterator<Item = (&'a K, &'a VolumeId)> {
    one.iter()
        .flat_map(|(name, ids)| ids.iter().map(move |id| (name, id)))
        .filter(|(name, id)| !other.get(*name).is_some_and(|ids| ids.contains(id)))
}

fn drop_from<K: Ord>(index: &mut HashMap<VolumeId, BTreeSet<K>>, id: &VolumeId, key: &K) {
    if let Some(keys) = index.get_mut(id) {
        keys.remove(key);
        if keys.is_empty() {
            index.remove(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(n: u8) -> VolumeId {
        VolumeId::naa(&[0x60, 0x25, 0x34, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n]).unwrap()
    }

    fn host(name: &str) -> HostId {
        name.parse().unwrap()
    }

    fn array(name: &str) -> ArrayId {
        name.parse().unwrap()
    }

    fn key(name: &str) -> VolumeKey {
        VolumeKey::new(name)
    }

    fn device(name: &str, n: u8) -> Vec<(String, Vec<VolumeId>)> {
        vec![(name.to_owned(), vec![id(n)])]
    }

    fn volume(name: &str, n: u8) -> Vec<(VolumeKey, Vec<VolumeId>)> {
        vec![(key(name), vec![id(n)])]
    }

    #[test]
    fn a_device_and_a_volume_with_one_id_match_whichever_comes_first() {
        let mut matching = Matching::default();
        assert!(matching.set_host(&host("db1"), device("sda", 1)).is_empty());
        let changes = matching.set_array(&array("a"), volume("v1", 1));
        assert!(matches!(changes.as_slice(), [MatchChange::Matched { .. }]), "{changes:?}");
        let changes = matching.set_host(&host("db2"), device("sdb", 1));
        assert!(matches!(changes.as_slice(), [MatchChange::Matched { .. }]), "{changes:?}");
    }

    #[test]
    fn a_name_that_now_is_another_volume_unmatches_the_old_one() {
        let mut matching = Matching::default();
        matching.set_array(&array("a"), [(key("v1"), vec![id(1)]), (key("v2"), vec![id(2)])]);
        matching.set_host(&host("db1"), device("sda", 1));
        let changes = matching.set_host(&host("db1"), device("sda", 2));
        assert!(matches!(changes.as_slice(), [MatchChange::Unmatched { .. }, MatchChange::Matched { .. }]));
        let v2 = VolumeRef { array: array("a"), volume: key("v2") };
        assert_eq!(matching.identify(&host("db1"), "sda"), Identity::Volume(&v2));
    }

    #[test]
    fn one_id_on_two_arrays_is_ambiguous_and_nobody_guesses() {
        let mut matching = Matching::default();
        matching.set_host(&host("db1"), device("sda", 1));
        matching.set_array(&array("a"), volume("v1", 1));
        matching.set_array(&array("b"), volume("v9", 1));
        assert!(
            matches!(matching.identify(&host("db1"), "sda"), Identity::Ambiguous(both) if both.len() == 2)
        );
    }

    #[test]
    fn weak_ids_never_match() {
        let weak: VolumeId = "t10.Linux scsi_debug 2000".parse().unwrap();
        let mut matching = Matching::default();
        matching.set_array(&array("a"), [(key("v1"), vec![weak.clone()])]);
        assert!(matching.set_host(&host("db1"), [("sda".to_owned(), vec![weak])]).is_empty());
        assert_eq!(matching.identify(&host("db1"), "sda"), Identity::Unknown);
    }

    /// An update of one side: which host or array, and its devices or volumes with one id each.
    fn update() -> impl Strategy<Value = (bool, u8, Vec<(u8, u8)>)> {
        (any::<bool>(), 0u8..3, proptest::collection::vec((0u8..4, 0u8..5), 0..5))
    }

    proptest! {
        #[test]
        fn the_changes_always_add_up_to_what_a_fresh_match_would_find(updates in proptest::collection::vec(update(), 0..30)) {
            let mut matching = Matching::default();
            let mut told: BTreeSet<(DeviceKey, VolumeRef)> = BTreeSet::new();
            for (is_host, who, items) in updates {
                // A name twice in one update would be two devices of one name, which a host cannot have.
                let items: BTreeMap<String, Vec<VolumeId>> =
                    items.into_iter().map(|(name, n)| (format!("x{name}"), vec![id(n)])).collect();
                let changes = match is_host {
                    true => matching.set_host(&host(&format!("h{who}")), items),
                    false => {
                        let volumes = items.into_iter().map(|(name, ids)| (key(&name), ids));
                        matching.set_array(&array(&format!("a{who}")), volumes)
                    }
                };
                for change in changes {
                    match change {
                        MatchChange::Matched { device, volume, .. } => prop_assert!(told.insert((device, volume))),
                        MatchChange::Unmatched { device, volume } => prop_assert!(told.remove(&(device, volume))),
                    }
                }
            }
            let mut fresh = BTreeSet::new();
            for (array, volumes) in &matching.volumes {
                for volume in volumes.keys() {
                    let key = VolumeRef { array: array.clone(), volume: volume.clone() };
                    fresh.extend(matching.devices_of(&key).into_iter().map(|device| (device.clone(), key.clone())));
                }
            }
            prop_assert_eq!(told, fresh);
        }
    }
}
