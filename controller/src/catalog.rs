//! What exists, as far as hosts and arrays have said: hosts with their devices and mounts, arrays with their volumes, and
//! which is which.
//!
//! The catalog is rebuilt from reports and listings and is kept nowhere else. It decides nothing: planning reads it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use sanfleet_protocol::{ArrayId, Generation, HostId, Initiator, ReportPublicKey, VolumeId, v1};

use crate::matching::{DeviceKey, Identity, MatchChange, Matching, VolumeRef};

mod array;
mod host;
mod layers;
mod notes;
mod starts;
mod users;

pub use array::{
    ArrayFacts, ArrayRecord, ArrayState, Health, PoolRecord, Problem, SystemRecord, Trouble, VolumeRecord,
    pool_status_words, status_words,
};
pub use host::{Dispute, HostRecord, Inventory, ReportError};
pub use notes::{HostNotes, Signer};
pub use starts::Starts;

/// Something that became different, for the event stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    HostOnline(HostId),
    HostOffline(HostId),
    DeviceAppeared {
        host: HostId,
        generation: Generation,
        device: v1::BlockDevice,
    },
    DeviceGone {
        host: HostId,
        generation: Generation,
        device: v1::BlockDevice,
    },
    /// With the generation of the host's report in which the device stands.
    Match {
        generation: Generation,
        change: MatchChange,
    },
    ArrayReachable(ArrayId),
    ArrayUnreachable(ArrayId, String),
}

/// A place where a volume may be written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    pub host: HostId,
    pub mount_point: String,
}

#[derive(Debug, Default)]
pub struct Catalog {
    hosts: BTreeMap<HostId, HostRecord>,
    arrays: BTreeMap<ArrayId, ArrayRecord>,
    matching: Matching,
    /// Who claims which initiator.
    claims: BTreeMap<Initiator, BTreeSet<HostId>>,
    generation: u64,
}

impl Catalog {
    /// Takes in a report, unless it is not newer than what is known. The first report of a host is where its story
    /// begins: it says that the host is there, not that each of its devices has just appeared.
    pub fn take_report(&mut self, host: &HostId, inventory: Inventory, now_unix_ms: i64) -> Vec<Change> {
        let known = self.hosts.get(host).and_then(|record| record.inventory.as_ref());
        if known.is_some_and(|known| known.generation >= inventory.generation) {
            return self.saw(host, now_unix_ms);
        }
        let mut changes =
            known.map(|known| host::device_changes(host, known, &inventory)).unwrap_or_default();
        let first = known.is_none();

        let before = known.map(|known| known.initiators.clone()).unwrap_or_default();
        self.claim(host, before, &inventory.initiators);
        self.generation += 1;
        let ids =
            inventory.devices().map(|(device, ids)| (device.name.clone(), ids.to_vec())).collect::<Vec<_>>();
        let matches = self.matching.set_host(host, ids);
        let record = self.hosts.entry(host.clone()).or_default();
        record.starts.saw(&inventory.report.boot_id, now_unix_ms);
        record.inventory = Some(Arc::new(inventory));
        changes.extend(matches.into_iter().filter(|_| !first).map(|change| self.matched(change)));
        let mut all = self.saw(host, now_unix_ms);
        all.append(&mut changes);
        all
    }

    fn claim(&mut self, host: &HostId, before: Vec<Initiator>, now: &[Initiator]) {
        for initiator in before {
            if let Some(owners) = self.claims.get_mut(&initiator) {
                owners.remove(host);
                if owners.is_empty() {
                    self.claims.remove(&initiator);
                }
            }
        }
        for initiator in now {
            self.claims.entry(initiator.clone()).or_default().insert(host.clone());
        }
    }

    /// Rises with every report and listing that was taken in.
    pub fn generation_now(&self) -> u64 {
        self.generation
    }

    /// Whose a report in the host's name is.
    pub fn signer(&self, host: &HostId, key: Option<&ReportPublicKey>) -> Signer {
        self.hosts.get(host).map_or_else(|| HostNotes::default().signer(key), |known| known.notes.signer(key))
    }

    /// Notes that somebody else has reported in the host's name.
    pub fn dispute(&mut self, host: &HostId, dispute: Dispute) {
        self.hosts.entry(host.clone()).or_default().dispute = Some(dispute);
    }

    /// Whoever reports in the host's name has this key from now on.
    pub fn know_by(&mut self, host: &HostId, key: ReportPublicKey) {
        let notes = self.hosts.get(host).map(|known| known.notes.clone()).unwrap_or_default();
        self.note(host, HostNotes { report_key: Some(key), ..notes });
    }

    /// The host is as if it had not shown this key: the next one that it shows counts.
    pub fn forget_key(&mut self, host: &HostId, key: &ReportPublicKey) {
        let Some(record) = self.hosts.get_mut(host) else { return };
        record.notes.report_key.take_if(|known| known == key);
    }

    /// Takes in what is known of a host that it does not report.
    pub fn note(&mut self, host: &HostId, notes: HostNotes) {
        self.generation += 1;
        let record = self.hosts.entry(host.clone()).or_default();
        // Who is known by another key now is judged by that.
        if record.notes.report_key != notes.report_key {
            record.dispute = None;
        }
        record.notes = notes;
    }

    /// Notes a sign of life.
    pub fn saw(&mut self, host: &HostId, now_unix_ms: i64) -> Vec<Change> {
        let record = self.hosts.entry(host.clone()).or_default();
        record.last_seen_unix_ms = now_unix_ms;
        match std::mem::replace(&mut record.online, true) {
            true => Vec::new(),
            false => vec![Change::HostOnline(host.clone())],
        }
    }

    /// Notes that a host says which of its reports is the newest.
    pub fn confirm(&mut self, host: &HostId, newest: Generation, now_unix_ms: i64) {
        if self.generation(host) == Some(newest)
            && let Some(record) = self.hosts.get_mut(host)
        {
            record.confirmed_unix_ms = now_unix_ms;
        }
    }

    /// Notes that a host said goodbye or has been silent for too long.
    pub fn lost(&mut self, host: &HostId) -> Vec<Change> {
        let was_online = self.hosts.get_mut(host).is_some_and(|record| std::mem::take(&mut record.online));
        match was_online {
            true => vec![Change::HostOffline(host.clone())],
            false => Vec::new(),
        }
    }

    /// The online hosts whose last sign of life is older than `before`.
    pub fn silent_since(&self, before_unix_ms: i64) -> Vec<HostId> {
        let silent = |record: &HostRecord| record.online && record.last_seen_unix_ms < before_unix_ms;
        self.hosts.iter().filter(|(_, record)| silent(record)).map(|(host, _)| host.clone()).collect()
    }

    pub fn generation(&self, host: &HostId) -> Option<Generation> {
        Some(self.hosts.get(host)?.inventory.as_ref()?.generation)
    }

    pub fn add_array(&mut self, array: ArrayRecord) {
        self.arrays.insert(array.name.clone(), array);
    }

    /// Forgets an array with its volumes. What hosts see of them is no longer matched.
    pub fn remove_array(&mut self, array: &ArrayId) -> Vec<Change> {
        self.arrays.remove(array);
        let matches = self.matching.set_array(array, std::iter::empty());
        matches.into_iter().map(|change| self.matched(change)).collect()
    }

    /// Takes in what a listing of an array found, or why there is none.
    pub fn take_listing(
        &mut self,
        array: &ArrayId,
        listing: Result<Arc<ArrayState>, Trouble>,
        now_unix_ms: i64,
    ) -> Vec<Change> {
        let Some(record) = self.arrays.get_mut(array) else { return Vec::new() };
        self.generation += 1;
        let first = record.state.is_none();
        let had_failed = record.take(listing.clone(), now_unix_ms);
        match listing {
            Ok(state) => {
                let ids = state.volumes.values().map(|volume| {
                    let ids = volume.id.iter().chain(&volume.more_ids).cloned().collect::<Vec<_>>();
                    (volume.key.volume.clone(), ids)
                });
                let matches = self.matching.set_array(array, ids);
                let reachable = (first || had_failed).then(|| Change::ArrayReachable(array.clone()));
                let matches = matches.into_iter().filter(|_| !first).map(|change| self.matched(change));
                reachable.into_iter().chain(matches).collect()
            }
            Err(_) if had_failed => Vec::new(),
            Err(trouble) => vec![Change::ArrayUnreachable(array.clone(), trouble.error)],
        }
    }

    fn matched(&self, change: MatchChange) -> Change {
        let generation = self.generation(&change.device().host).unwrap_or_default();
        Change::Match { generation, change }
    }

    pub fn hosts(&self) -> impl Iterator<Item = (&HostId, &HostRecord)> {
        self.hosts.iter().filter(|(_, record)| record.is_heard_of())
    }

    pub fn host(&self, host: &HostId) -> Option<&HostRecord> {
        self.hosts.get(host).filter(|record| record.is_heard_of())
    }

    /// What is remembered of the starts of a host.
    pub fn starts(&self, host: &HostId) -> Starts {
        self.hosts.get(host).map(|record| record.starts.clone()).unwrap_or_default()
    }

    pub fn arrays(&self) -> impl Iterator<Item = &ArrayRecord> {
        self.arrays.values()
    }

    pub fn array(&self, array: &ArrayId) -> Option<&ArrayRecord> {
        self.arrays.get(array)
    }

    pub fn volume(&self, key: &VolumeRef) -> Option<&VolumeRecord> {
        self.arrays.get(&key.array)?.state.as_ref()?.volumes.get(&key.volume)
    }

    pub fn identify(&self, host: &HostId, device: &str) -> Identity<'_> {
        self.matching.identify(host, device)
    }

    pub fn identify_ids<'a>(&self, ids: impl IntoIterator<Item = &'a VolumeId>) -> Identity<'_> {
        self.matching.identify_ids(ids)
    }

    /// Where hosts have a volume with one of these ids mounted read-write.
    pub fn writers(&self, ids: &[VolumeId]) -> Vec<Writer> {
        let reported =
            self.hosts.iter().filter_map(|(host, record)| Some((host, record.inventory.as_ref()?)));
        let writers = reported.flat_map(|(host, inventory)| {
            let is_one = |beneath: &[&VolumeId]| beneath.iter().any(|id| id.is_strong() && ids.contains(id));
            let mounts = inventory.written().filter(move |(_, beneath)| is_one(beneath));
            mounts.map(|(mount, _)| Writer { host: host.clone(), mount_point: mount.mount_point.clone() })
        });
        writers.collect()
    }

    pub fn devices_of(&self, volume: &VolumeRef) -> impl Iterator<Item = &DeviceKey> {
        self.matching.devices_of(volume).into_iter()
    }

    pub fn matched_devices(&self, host: &HostId) -> usize {
        self.matching.matched_devices(host)
    }

    /// Every host that claims this initiator: more than one is a cloned machine, and nothing may be masked to either.
    pub fn owners(&self, initiator: &Initiator) -> impl Iterator<Item = &HostId> {
        self.claims.get(initiator).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests;
