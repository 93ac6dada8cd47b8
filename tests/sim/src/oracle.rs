//! Whether the world is as it may be: the arrays' own state, the hosts' devices, mounts and quiesces, and what the runs' journals say,
//! compared.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use sanfleet_agent::host::Host as _;
use sanfleet_controller::runs::{
    AnyProcedure, BackupAttach, HostRetire, Place, Procedure, Repair, VolumeDelete, VolumeDetach, VolumeMove,
    VolumeResize,
};
use sanfleet_driver::{AccessGroup, ArrayDriver, Volume};
use sanfleet_protocol::{
    ArrayId, HookId, HostId, VolumeId,
    v1::{self, RunState, journal_record::Entry as Record, step_output::Output},
};

use crate::{Fleet, array::Content};

/// All that a run could leave behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Id, the array's key, name.
    pub volumes: BTreeSet<(ArrayId, VolumeId, String, String)>,
    /// In bytes.
    pub sizes: BTreeSet<(ArrayId, VolumeId, u64)>,
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
    pub cordoned: BTreeSet<HostId>,
}

impl Snapshot {
    pub fn of(fleet: &Fleet) -> Self {
        let mut all = Self { cordoned: fleet.cordoned(), ..Self::default() };
        for array in fleet.arrays.values() {
            let mut driver = array.session();
            for volume in driver.volumes(None).unwrap() {
                all.add_volume(&array.name, volume);
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

    fn add_volume(&mut self, array: &ArrayId, volume: Volume) {
        let (id, bytes) = (volume.volume_id().unwrap(), volume.size_bytes().unwrap());
        self.sizes.insert((array.clone(), id.clone(), bytes));
        self.volumes.insert((array.clone(), id, volume.id.to_string(), volume.name));
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
            self.keep(fleet, one);
            self.masks.insert((array, id.clone(), initiator));
            self.devices.insert((host.clone(), id.clone()));
            self.mounts.insert((host, one.mount_point.clone().into(), id, one.read_write));
        }
        self
    }

    /// The same with what runs that have succeeded have made, grown and taken away, apart from what is attached.
    pub fn after_runs(mut self, fleet: &Fleet) -> Self {
        let mut procedures = BTreeMap::new();
        for entry in fleet.journal.entries() {
            match &entry.record.entry {
                Some(Record::Created(created)) => {
                    procedures.insert(entry.run, procedure_of(created));
                }
                Some(Record::Finished(end)) if end.state() == RunState::Succeeded => {
                    self.take_in(fleet, &procedures[&entry.run]);
                }
                _ => {}
            }
        }
        self
    }

    /// No wildcard: whoever adds a procedure says here what it leaves.
    fn take_in(&mut self, fleet: &Fleet, procedure: &AnyProcedure) {
        match procedure {
            // All that these leave is attached, or was.
            AnyProcedure::BackupAttach(_)
            | AnyProcedure::BackupDetach(_)
            | AnyProcedure::Provision(_)
            | AnyProcedure::CloneVolume(_)
            | AnyProcedure::Rollout(_)
            | AnyProcedure::Adopt(_) => {}
            AnyProcedure::VolumeDetach(VolumeDetach { what }) => {
                self.hide(fleet, &what.volume_id, &what.host);
                self.keep(fleet, &what.record);
            }
            AnyProcedure::VolumeMove(VolumeMove { what, .. }) => {
                self.hide(fleet, &what.volume_id, &what.host);
            }
            AnyProcedure::VolumeDelete(VolumeDelete { volume })
            | AnyProcedure::Repair(Repair::DeleteCopy(volume)) => self.delete(&volume.id),
            AnyProcedure::VolumeResize(VolumeResize { volume, size_bytes, .. }) => {
                self.grow(&volume.id, *size_bytes);
            }
            AnyProcedure::HostRetire(HostRetire { host, arrays, .. }) => {
                let initiator = fleet.hosts[host].initiator.to_string();
                self.groups.retain(|(array, _, who)| !arrays.contains(array) || !who.contains(&initiator));
                self.masks.retain(|(array, _, who)| !arrays.contains(array) || *who != initiator);
                self.cordoned.insert(host.clone());
            }
            AnyProcedure::Repair(Repair::Unmask { volume, host, .. }) => {
                self.hide(fleet, &volume.id, host);
                let (name, initiator) = (format!("sanfleet-{host}"), fleet.hosts[host].initiator.to_string());
                let array = volume.array();
                if !self.masks.iter().any(|(at, _, who)| (at, who) == (array, &initiator)) {
                    self.groups.retain(|(at, group, _)| (at, group) != (array, &name));
                }
            }
            AnyProcedure::Repair(Repair::Detach { host, volume_id }) => {
                self.devices.remove(&(host.clone(), volume_id.clone()));
            }
        }
    }

    /// The host does not see the volume any more.
    fn hide(&mut self, fleet: &Fleet, id: &VolumeId, host: &HostId) {
        let initiator = fleet.hosts[host].initiator.to_string();
        self.masks.retain(|(_, volume, who)| (volume, who) != (id, &initiator));
        self.mounts.retain(|(at, _, volume, _)| (at, volume) != (host, id));
        self.devices.remove(&(host.clone(), id.clone()));
    }

    fn delete(&mut self, id: &VolumeId) {
        self.volumes.retain(|(_, volume, ..)| volume != id);
        self.sizes.retain(|(_, volume, _)| volume != id);
    }

    fn grow(&mut self, id: &VolumeId, wanted: u64) {
        let sizes = std::mem::take(&mut self.sizes).into_iter();
        let grown = |bytes: u64, volume: &VolumeId| if volume == id { bytes.max(wanted) } else { bytes };
        self.sizes =
            sizes.map(|(array, volume, bytes)| (array, volume.clone(), grown(bytes, &volume))).collect();
    }

    /// The volume of an attachment is there, whoever sees it.
    fn keep(&mut self, fleet: &Fleet, one: &v1::Attachment) {
        let (array, id): (ArrayId, VolumeId) = (one.array.parse().unwrap(), one.volume_id.parse().unwrap());
        if !self.volumes.iter().any(|(at, known, ..)| (at, known) == (&array, &id)) {
            let bytes = fleet.array(&array).bytes(&one.volume);
            self.sizes.insert((array.clone(), id.clone(), bytes));
            self.volumes.insert((array, id, one.volume.clone(), one.volume_name.clone()));
        }
    }

    /// What differs, in words; empty when nothing does.
    pub fn differences(&self, wanted: &Self) -> Vec<String> {
        let mut words = Vec::new();
        compare(&mut words, "volume", &self.volumes, &wanted.volumes);
        compare(&mut words, "size", &self.sizes, &wanted.sizes);
        compare(&mut words, "access group", &self.groups, &wanted.groups);
        compare(&mut words, "mask", &self.masks, &wanted.masks);
        compare(&mut words, "device", &self.devices, &wanted.devices);
        compare(&mut words, "mount", &self.mounts, &wanted.mounts);
        compare(&mut words, "held still", &self.frozen, &wanted.frozen);
        compare(&mut words, "hook not ended", &self.hooked, &wanted.hooked);
        compare(&mut words, "cordoned", &self.cordoned, &wanted.cordoned);
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

fn procedure_of(created: &v1::RunCreated) -> AnyProcedure {
    let procedure = created.procedure.as_ref().expect("a run has a procedure");
    AnyProcedure::try_from(procedure).expect("a procedure can be read back")
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

/// Where a host has not the size of a volume: its device, or the file system that is mounted from it and may be grown.
pub fn sizes_that_differ(fleet: &Fleet) -> Vec<String> {
    let mut words = Vec::new();
    for host in fleet.hosts.values() {
        let (sizes, mounts) = (host.shown_bytes(), host.sim.mounts().unwrap());
        for device in host.sim.devices().unwrap() {
            let Some(bytes) = device.cached_ids.iter().find_map(|id| sizes.get(id)) else { continue };
            let held = host.sim.file_system_bytes(&device.name);
            let is_written = mounts.iter().any(|mount| mount.device == device.number && !mount.read_only);
            if device.size_bytes != *bytes || is_written && held != Some(*bytes) {
                let (name, shown) = (&device.name, device.size_bytes);
                words.push(format!("{name} on {} has {bytes} bytes, shows {shown}, holds {held:?}", host.id));
            }
        }
    }
    words
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
                    let procedure = procedure_of(created);
                    if let AnyProcedure::VolumeMove(moved) = &procedure {
                        allowed.put(&moved.what.volume_id, &procedure.places());
                    }
                    places.insert(entry.run, procedure.places());
                }
                Some(Record::StepDone(done)) => {
                    let output = done.output.as_ref().and_then(|output| output.output.as_ref());
                    // Volumes and places are told in the same order.
                    for (id, place) in output.map(made).unwrap_or_default().iter().zip(&places[&entry.run]) {
                        allowed.put(id, std::slice::from_ref(place));
                    }
                }
                _ => {}
            }
        }
        allowed
    }

    fn put(&mut self, id: &VolumeId, places: &[Place]) {
        for place in places {
            let at = place.mount_point.as_path().to_owned();
            self.seen_by.entry(id.clone()).or_default().insert(place.host.clone());
            self.at.insert((place.host.clone(), at, id.clone()));
        }
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

/// What must never be, not even for a moment: a volume shown to or mounted on a host that no run names for it, one volume mounted
/// read-write on two hosts, or one taken away from a host that has it mounted. `base` is what was there before all runs.
pub fn violations(fleet: &Fleet, base: &Snapshot) -> Vec<String> {
    let allowed = Allowed::by(fleet);
    let mut words = Vec::new();
    let mut writers: BTreeMap<VolumeId, BTreeSet<HostId>> = BTreeMap::new();
    for host in fleet.hosts.values() {
        let (initiator, shown) = (host.initiator.to_string(), host.shown());
        for id in &shown {
            let is_base = base.masks.iter().any(|(_, known, to)| known == id && *to == initiator);
            let is_run = allowed.seen_by.get(id).is_some_and(|hosts| hosts.contains(&host.id));
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
            if !shown.contains(id) {
                words.push(format!("{id} is not shown to {} any more, which has it mounted", host.id));
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
