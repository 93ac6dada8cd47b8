//! Devices that hosts still have of volumes that they are not shown any more: their unit may be another volume's tomorrow.

use std::collections::BTreeMap;

use sanfleet_protocol::{FindingCode, HostId, VolumeId, v1::FindingSeverity};

use super::{
    Condition, Fix, Object,
    view::{SeenDevice, View, listed_at, named, tells_mappings},
};
use crate::{
    catalog::VolumeRecord,
    matching::VolumeRef,
    runs::{AnyProcedure, Repair},
};

pub fn examine(view: &View<'_>, found: &mut Vec<Condition>) {
    for (key, devices) in view.seen() {
        let Some(volume) = view.volume(key) else { continue };
        let mut hosts: BTreeMap<&HostId, Vec<SeenDevice<'_>>> = BTreeMap::new();
        for device in devices.iter().filter(|device| is_left(view, volume, device)) {
            hosts.entry(device.host).or_default().push(*device);
        }
        found.extend(hosts.values().filter_map(|devices| unmasked(view, volume, devices)));
    }
    for (host, record, inventory) in view.reported().filter(|(host, ..)| !view.is_busy(host)) {
        for (device, ids) in inventory.devices().filter(|(device, _)| device.parent.is_empty()) {
            let seen = SeenDevice { host, record, inventory, device };
            found.extend(ids.iter().find_map(|id| deleted(view, seen, id)));
        }
    }
}

/// An initiator that nobody has reported may be the host's own: then nothing is known.
fn is_left(view: &View<'_>, volume: &VolumeRecord, device: &SeenDevice<'_>) -> bool {
    let state = view.array(&volume.key.array).and_then(|array| array.state.as_ref());
    let own = &device.inventory.initiators;
    let others = |to: &VolumeRecord| to.masked_to.keys().all(|one| view.has_owner(one) && !own.contains(one));
    state.is_some_and(|state| tells_mappings(state))
        && !own.is_empty()
        && others(volume)
        && !view.is_busy(device.host)
}

fn unmasked(view: &View<'_>, volume: &VolumeRecord, devices: &[SeenDevice<'_>]) -> Option<Condition> {
    let first = devices.first()?;
    let array = view.array(&volume.key.array)?;
    let mut evidence =
        vec![format!("array {} shows {} to no initiator of host {}", array.name, named(volume), first.host)];
    evidence.extend(devices.iter().map(SeenDevice::shown));
    let seen_unix_ms = listed_at(array).min(first.record.confirmed_unix_ms);
    let used = devices.iter().any(SeenDevice::is_used);
    Some(left(first, volume.id.as_ref(), Object::Volume(volume.key.clone()), evidence, seen_unix_ms, used))
}

/// A device of a volume that a run of ours had made and its array has no more.
fn deleted(view: &View<'_>, device: SeenDevice<'_>, id: &VolumeId) -> Option<Condition> {
    let array = view.array(view.snapshot.runs.minted.array_of(id)?)?;
    if array.state.is_none() || view.identify([id]).next().is_some() || view.is_attached(id) {
        return None;
    }
    let evidence =
        vec![format!("a run made volume {id} on array {}, which has it no more", array.name), device.shown()];
    let seen_unix_ms = listed_at(array).min(device.record.confirmed_unix_ms);
    let volume =
        VolumeRef { array: array.name.clone(), volume: sanfleet_driver::VolumeKey::new(id.to_string()) };
    Some(left(&device, Some(id), Object::Volume(volume), evidence, seen_unix_ms, device.is_used()))
}

fn left(
    device: &SeenDevice<'_>,
    id: Option<&VolumeId>,
    volume: Object,
    evidence: Vec<String>,
    seen_unix_ms: i64,
    used: bool,
) -> Condition {
    let (host, name) = (device.host, &device.device.name);
    let fix = id.filter(|_| !used && device.record.online).map(|id| Fix {
        says: format!("remove device {name} from {host}"),
        procedure: AnyProcedure::Repair(Repair::Detach { host: host.clone(), volume_id: id.clone() }),
    });
    Condition {
        code: FindingCode::DeviceLeft,
        severity: FindingSeverity::Error,
        what: format!("host {host} still has device {name} of a volume that it is not shown"),
        objects: vec![Object::Host(host.clone()), volume],
        evidence,
        remedy: format!("sanfleet map {host}"),
        fix,
        since_unix_ms: None,
        seen_unix_ms,
    }
}
