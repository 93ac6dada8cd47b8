//! Whether the world is as it may be: the arrays' own state, the hosts' devices, mounts and quiesces, and what the runs' journals say,
//! compared.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use sanfleet_agent::host::Host as _;
use sanfleet_controller::runs::{AnyProcedure, BackupAttach, Procedure};
use sanfleet_driver::{AccessGroup, ArrayDriver};
use sanfleet_protocol::{
    ArrayId, HookId, HostId, VolumeId,
    v1::{self, journal_record::Entry as Record, step_output::Output},
};

use crate::{Fleet, array::Content};

/// All that a run could leave behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Id, the array's key, name.
    pub volumes: BTreeSet<(ArrayId, VolumeId, String, String)>,
    /// Name, initiators.
    pub groups: BTreeSet<(ArrayId, String, Vec<String>)>,
    /// Who may see which volume.
    pub masks: BTreeSet<(ArrayId, VolumeId, String)>,
    pub devices: BTreeSet<(HostId, VolumeId)>,
    /// Read-write when true.
    pub mounts: BTreeSet<(HostId, PathBuf, VolumeId, bool)>,
    pub frozen: BTreeSet<(HostId, PathBuf)>,
    /// Hooks that were begun and not ended.
    pub hooked: BTreeSet<(HostId, HookId)>,
}

impl Snapshot {
    pub fn of(fleet: &Fleet) -> Self {
        let mut all = Self::default();
        for array in fleet.arrays.values() {
            let mut driver = array.session();
            for volume in driver.volumes(None).unwrap() {
                let id = volume.volume_id().unwrap();
                all.volumes.insert((array.name.clone(), id, volume.id.to_string(), volume.name));
            }
            for group in driver.access_groups(None).unwrap() {
                all.add_group(&array.name, &mut driver, group);
            }
        }
        for host in fleet.hosts.values() {
            let devices = host.sim.devices().unwrap();
            let is = |device: &sanfleet_agent::host::SysDevice| device.cached_ids.first().cloned().unwrap();
            all.devices.extend(devices.iter().map(|device| (host.id.clone(), is(device))));
            for mount in host.sim.mounts().unwrap() {
                let device = devices.iter().find(|device| device.number == mount.device);
                let device = device.expect("what is mounted is there");
                all.mounts.insert((host.id.clone(), mount.mount_point, is(device), !mount.read_only));
            }
            all.frozen.extend(host.sim.frozen().into_iter().map(|at| (host.id.clone(), at)));
            all.hooked.extend(host.sim.hooked().into_iter().map(|hook| (host.id.clone(), hook)));
        }
        all
    }

    fn add_group(&mut self, array: &ArrayId, driver: &mut dyn ArrayDriver, group: AccessGroup) {
        for volume in driver.volumes_accessible_by_access_group(&group).unwrap() {
            let seen_by = group.init_ids.iter();
            let id = volume.volume_id().unwrap();
            self.masks.extend(seen_by.map(|initiator| (array.clone(), id.clone(), initiator.clone())));
        }
        self.groups.insert((array.clone(), group.name, group.init_ids));
    }

    /// The same with what these attachments need, and no more.
    pub fn with(mut self, fleet: &Fleet, attachments: &[v1::Attachment]) -> Self {
        for one in attachments {
            let (array, host): (ArrayId, HostId) = (one.array.parse().unwrap(), one.host.parse().unwrap());
            let id: VolumeId = one.volume_id.parse().unwrap();
            let initiator = fleet.hosts[&host].initiator.to_string();
            let has_group = self.groups.iter().any(|(at, _, who)| *at == array && who.contains(&initiator));
            if !has_group {
                let name = format!("sanfleet-{host}");
                self.groups.insert((array.clone(), name, vec![initiator.clone()]));
            }
            self.volumes.insert((array.clone(), id.clone(), one.volume.clone(), one.volume_name.clone()));
            self.masks.insert((array, id.clone(), initiator));
            self.devices.insert((host.clone(), id.clone()));
            self.mounts.insert((host, one.mount_point.clone().into(), id, one.read_write));
        }
        self
    }

    /// What differs, in words; empty when nothing does.
    pub fn differences(&self, wanted: &Self) -> Vec<String> {
        let mut words = Vec::new();
        compare(&mut words, "volume", &self.volumes, &wanted.volumes);
        compare(&mut words, "access group", &self.groups, &wanted.groups);
        compare(&mut words, "mask", &self.masks, &wanted.masks);
        compare(&mut words, "device", &self.devices, &wanted.devices);
        compare(&mut words, "mount", &self.mounts, &wanted.mounts);
        compare(&mut words, "held still", &self.frozen, &wanted.frozen);
        compare(&mut words, "hook not ended", &self.hooked, &wanted.hooked);
        words
    }
}

fn compare<T: Ord + std::fmt::Debug>(
    words: &mut Vec<String>,
    what: &str,
    found: &BTreeSet<T>,
    wanted: &BTreeSet<T>,
) {
    words.extend(found.difference(wanted).map(|one| format!("{what} too much: {one:?}")));
    words.extend(wanted.difference(found).map(|one| format!("{what} missing: {one:?}")));
}

/// What is wrong with the backups that are attached: each must have been made while the application was held still.
pub fn torn_copies(fleet: &Fleet, attachments: &[v1::Attachment]) -> Vec<String> {
    let copies = attachments.iter().filter(|one| one.procedure == BackupAttach::NAME);
    let torn = copies.filter(|one| {
        let array: ArrayId = one.array.parse().unwrap();
        fleet.array(&array).content(&one.volume).word != Content::STILL
    });
    torn.map(|one| format!("{} was copied while {} wrote to it", one.volume_name, one.source_host)).collect()
}

/// What runs may have shown and mounted by now, as their journals say.
#[derive(Debug, Default)]
struct Allowed {
    /// Who may see a volume that a run made.
    seen_by: BTreeMap<VolumeId, BTreeSet<HostId>>,
    /// What may be mounted where.
    at: BTreeSet<(HostId, PathBuf, VolumeId)>,
}

impl Allowed {
    fn by(fleet: &Fleet) -> Self {
        let mut allowed = Self::default();
        let mut places = BTreeMap::new();
        for entry in fleet.journal.entries() {
            match &entry.record.entry {
                Some(Record::Created(created)) => {
                    let procedure = created.procedure.as_ref().expect("a run has a procedure");
                    let procedure = AnyProcedure::try_from(procedure).expect("a procedure can be read back");
                    places.insert(entry.run, procedure.places());
                }
                Some(Record::StepDone(done)) => {
                    let output = done.output.as_ref().and_then(|output| output.output.as_ref());
                    let made = output.map(made).unwrap_or_default();
                    // Volumes and places are told in the same order.
                    for (id, place) in made.into_iter().zip(&places[&entry.run]) {
                        let at = place.mount_point.as_path().to_owned();
                        allowed.seen_by.entry(id.clone()).or_default().insert(place.host.clone());
                        allowed.at.insert((place.host.clone(), at, id));
                    }
                }
                _ => {}
            }
        }
        allowed
    }
}

/// The volumes that a step has made.
fn made(output: &Output) -> Vec<VolumeId> {
    let ids: Vec<&String> = match output {
        Output::Copied(copied) => {
            [&copied.volume_id].into_iter().chain(copied.also.iter().map(|one| &one.volume_id)).collect()
        }
        Output::Made(made) => vec![&made.volume_id],
        Output::Resolved(_) | Output::Access(_) | Output::Device(_) | Output::Parts(_) => vec![],
    };
    ids.into_iter().map(|id| id.parse().expect("a journal holds volume ids")).collect()
}

/// What must never be, not even for a moment: a volume shown to or mounted on a host that no run names for it, or one volume
/// mounted read-write on two hosts. `base` is what was there before all runs.
pub fn violations(fleet: &Fleet, base: &Snapshot) -> Vec<String> {
    let allowed = Allowed::by(fleet);
    let mut words = Vec::new();
    let mut writers: BTreeMap<VolumeId, BTreeSet<HostId>> = BTreeMap::new();
    for host in fleet.hosts.values() {
        let initiator = host.initiator.to_string();
        for id in host.shown() {
            let is_base = base.masks.iter().any(|(_, known, to)| *known == id && *to == initiator);
            let is_run = allowed.seen_by.get(&id).is_some_and(|hosts| hosts.contains(&host.id));
            if !is_base && !is_run {
                words.push(format!("{id} is shown to {}, and no run says so", host.id));
            }
        }
        let devices = host.sim.devices().unwrap();
        for mount in host.sim.mounts().unwrap() {
            let device = devices.iter().find(|device| device.number == mount.device);
            let Some(id) = device.and_then(|device| device.cached_ids.first()) else { continue };
            if !mount.read_only {
                writers.entry(id.clone()).or_default().insert(host.id.clone());
            }
            let there = (host.id.clone(), mount.mount_point.clone(), id.clone());
            let is_base = base.mounts.contains(&(there.0.clone(), there.1.clone(), id.clone(), true));
            if !is_base && !allowed.at.contains(&there) {
                words.push(format!("{id} is mounted on {}:{}", host.id, mount.mount_point.display()));
            }
        }
    }
    for (id, hosts) in writers.into_iter().filter(|(_, hosts)| hosts.len() > 1) {
        words.push(format!("{id} is mounted read-write on {hosts:?}"));
    }
    words
}
