//! What arrays show to initiators: volumes through groups of ours that nothing accounts for, and initiators of nobody.

use std::collections::{BTreeMap, BTreeSet};

use sanfleet_protocol::{ArrayId, FindingCode, HostId, Initiator, v1::FindingSeverity};

use super::{
    Condition, Fix, Object,
    view::{SeenDevice, View, listed_at, named},
};
use crate::{
    arrays::AccessGroupName,
    catalog::{ArrayRecord, ArrayState, HostRecord, VolumeRecord},
    runs::{AnyProcedure, ArrayVolume, Fate, Repair},
};

/// So many volumes of one initiator are named.
const NAMED: usize = 5;

pub fn examine(view: &View<'_>, found: &mut Vec<Condition>) {
    for (array, state, volume) in view.listed() {
        for host in ours(state, volume).filter_map(|host| view.host(&host)) {
            if !is_accounted_for(view, volume, host.0) {
                found.push(orphan(view, array, volume, host));
            }
        }
    }
    unowned(view, found);
}

/// The hosts for which the volume is in a group of ours.
fn ours<'a>(state: &'a ArrayState, volume: &VolumeRecord) -> impl Iterator<Item = HostId> + use<'a> {
    let groups = state.shown_through.get(&volume.key.volume);
    groups.into_iter().flatten().filter_map(|name| AccessGroupName::host(name))
}

fn is_accounted_for(view: &View<'_>, volume: &VolumeRecord, host: &HostId) -> bool {
    let minted = view.snapshot.runs.minted.named(&volume.name);
    volume.id.as_ref().is_some_and(|id| view.is_attached_to(host, id))
        || view.is_busy(host)
        || minted.is_some_and(|minted| minted.fate == Fate::Open)
}

fn orphan(
    view: &View<'_>,
    array: &ArrayRecord,
    volume: &VolumeRecord,
    (host, record): (&HostId, &HostRecord),
) -> Condition {
    let group = AccessGroupName::of(host);
    let mut evidence = vec![
        format!("array {} shows {} through group {}", array.name, named(volume), group.as_str()),
        "no attachment and no run accounts for it".to_owned(),
    ];
    evidence.extend(view.devices_of(&volume.key).iter().map(SeenDevice::shown));
    Condition {
        code: FindingCode::OrphanMapping,
        severity: FindingSeverity::Error,
        what: format!("volume {} of array {} is shown to host {host} for no reason", volume.name, array.name),
        objects: vec![Object::Host(host.clone()), Object::Volume(volume.key.clone())],
        evidence,
        remedy: format!("sanfleet map {host}"),
        fix: fix(view, volume, host, record),
        since_unix_ms: None,
        seen_unix_ms: listed_at(array),
    }
}

/// Only while no host uses it. The run asks the host's agent once more.
fn fix(view: &View<'_>, volume: &VolumeRecord, host: &HostId, record: &HostRecord) -> Option<Fix> {
    let unused = !view.devices_of(&volume.key).iter().any(SeenDevice::is_used);
    let id = volume.id.clone().filter(|_| unused && record.online)?;
    let initiators = record.inventory.as_ref()?.initiators.clone();
    let says = format!("remove its device from {host}, and hide volume {} from it", volume.name);
    let (at, name, size_bytes) = (volume.key.clone(), volume.name.clone(), volume.size_bytes);
    let volume = ArrayVolume { at, id, name, size_bytes };
    let repair = Repair::Unmask { volume, host: host.clone(), initiators };
    Some(Fix { says, procedure: AnyProcedure::Repair(repair) })
}

/// What one array shows to one initiator that no host has.
struct Unowned<'a> {
    array: &'a ArrayRecord,
    volumes: Vec<&'a VolumeRecord>,
    /// The hosts for which it is in a group of ours.
    ours: BTreeSet<HostId>,
}

fn unowned(view: &View<'_>, found: &mut Vec<Condition>) {
    let mut all: BTreeMap<(&ArrayId, &Initiator), Unowned<'_>> = BTreeMap::new();
    for (array, state, volume) in view.listed() {
        for initiator in volume.masked_to.keys().filter(|one| !view.has_owner(one)) {
            let new = || Unowned { array, volumes: Vec::new(), ours: BTreeSet::new() };
            let known = all.entry((&array.name, initiator)).or_insert_with(new);
            known.volumes.push(volume);
            // Of a volume in several groups nobody tells which holds the initiator: one that only ours could.
            if state.shown_through.get(&volume.key.volume).is_some_and(|groups| groups.len() == 1) {
                known.ours.extend(ours(state, volume));
            }
        }
    }
    found.extend(all.into_iter().map(|((_, initiator), what)| nobodys(initiator, &what)));
}

fn nobodys(initiator: &Initiator, what: &Unowned<'_>) -> Condition {
    let array = &what.array.name;
    let mut evidence: Vec<String> =
        what.volumes.iter().take(NAMED).map(|volume| format!("it is shown {}", named(volume))).collect();
    if what.volumes.len() > NAMED {
        evidence.push(format!("and {} more", what.volumes.len() - NAMED));
    }
    evidence.extend(
        what.ours
            .iter()
            .map(|host| format!("it is in group {}, which is ours", AccessGroupName::of(host).as_str())),
    );
    Condition {
        code: FindingCode::UnownedInitiator,
        severity: if what.ours.is_empty() { FindingSeverity::Info } else { FindingSeverity::Warning },
        what: format!("array {array} shows volumes to {initiator}, which no host has reported"),
        objects: vec![Object::Array(array.clone()), Object::Initiator(initiator.clone())],
        evidence,
        remedy: "sanfleet host list".to_owned(),
        fix: None,
        since_unix_ms: None,
        seen_unix_ms: listed_at(what.array),
    }
}
