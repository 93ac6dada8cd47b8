//! What should be one thing's alone: names, initiators and machine ids of hosts, ids of volumes.

use std::collections::{BTreeMap, BTreeSet};

use sanfleet_protocol::{FindingCode, HostId, v1::FindingSeverity};

use super::{
    Condition, Object,
    view::{View, listed_at, named},
};

/// Longer than an agent goes without a full report.
const DISPUTED_FOR_MS: i64 = 15 * 60 * 1_000;

pub fn examine(view: &View<'_>, found: &mut Vec<Condition>) {
    initiators(view, found);
    machines(view, found);
    reporters(view, found);
    twins(view, found);
    volumes(view, found);
}

fn initiators(view: &View<'_>, found: &mut Vec<Condition>) {
    for (initiator, hosts) in view.owners() {
        let hosts: BTreeSet<&HostId> = hosts.iter().copied().collect();
        if hosts.len() < 2 {
            continue;
        }
        let names = listed(&hosts);
        found.push(Condition {
            code: FindingCode::SharedInitiator,
            severity: FindingSeverity::Error,
            what: format!("hosts {names} have one initiator id"),
            objects: objects(&hosts, Object::Initiator(initiator.clone())),
            evidence: vec![format!("{names} report {initiator}: what one is shown, the other sees")],
            remedy: "give all of them but one an initiator name of their own".to_owned(),
            fix: None,
            since_unix_ms: None,
            seen_unix_ms: confirmed(view, &hosts),
        });
    }
}

/// Agents under one running kernel are on one machine, which may have but one id.
fn machines(view: &View<'_>, found: &mut Vec<Condition>) {
    let mut machines: BTreeMap<&str, BTreeMap<&str, BTreeSet<&HostId>>> = BTreeMap::new();
    for (host, _, inventory) in view.reported() {
        let machine = inventory.report.facts.as_ref().map(|facts| facts.machine_id.as_str());
        if let Some(machine) = machine.filter(|machine| !machine.is_empty()) {
            let boots = machines.entry(machine).or_default();
            boots.entry(&inventory.report.boot_id).or_default().insert(host);
        }
    }
    for (machine, boots) in machines.into_iter().filter(|(_, boots)| boots.len() > 1) {
        let hosts: BTreeSet<&HostId> = boots.into_values().flatten().collect();
        let names = listed(&hosts);
        found.push(Condition {
            code: FindingCode::SharedMachineId,
            severity: FindingSeverity::Warning,
            what: format!("hosts {names} have one machine id"),
            objects: objects(&hosts, Object::MachineId(machine.to_owned())),
            evidence: vec![format!("{names} report machine id {machine}, and are different machines")],
            remedy: "on all of them but one: rm /etc/machine-id && systemd-machine-id-setup, and restart"
                .to_owned(),
            fix: None,
            since_unix_ms: None,
            seen_unix_ms: confirmed(view, &hosts),
        });
    }
}

/// Who reports in a host's name and is not the host.
fn reporters(view: &View<'_>, found: &mut Vec<Condition>) {
    let since = view.snapshot.now_unix_ms.saturating_sub(DISPUTED_FOR_MS);
    for (host, record) in &view.snapshot.hosts {
        let Some(dispute) = record.dispute.as_ref().filter(|one| one.at_unix_ms > since) else { continue };
        let (signed, key) = match &dispute.key {
            Some(key) => (format!("signed by {key}"), key.to_string()),
            None => ("not signed".to_owned(), "KEY".to_owned()),
        };
        let known = record.notes.report_key.as_ref().map(ToString::to_string).unwrap_or_default();
        found.push(Condition {
            code: FindingCode::OtherReportKey,
            severity: FindingSeverity::Error,
            what: format!("somebody else reports as host {host}"),
            objects: vec![Object::Host(host.clone())],
            evidence: vec![format!("a report in its name is {signed}, and {host} is known by {known}")],
            remedy: format!("if it was made anew: sanfleet host trust {host} {key}"),
            fix: None,
            since_unix_ms: None,
            seen_unix_ms: i64::MAX,
        });
    }
}

/// Two machines under one name. Nothing is planned with either.
fn twins(view: &View<'_>, found: &mut Vec<Condition>) {
    for (host, record) in &view.snapshot.hosts {
        let Some([one, other]) = record.starts.twins() else { continue };
        found.push(Condition {
            code: FindingCode::TwoMachines,
            severity: FindingSeverity::Error,
            what: format!("two machines report as host {host}"),
            objects: vec![Object::Host(host.clone())],
            evidence: vec![format!("reports in its name come by turns from kernels with the boot ids {one} and {other}")],
            remedy: "on the copy: stop sanfleet-agent, and give it a name, a state directory and initiators of its own"
                .to_owned(),
            fix: None,
            since_unix_ms: None,
            seen_unix_ms: i64::MAX,
        });
    }
}

fn volumes(view: &View<'_>, found: &mut Vec<Condition>) {
    for (id, volumes) in view.by_id().filter(|(_, volumes)| volumes.len() > 1) {
        let mut volumes = volumes.to_vec();
        volumes.sort_by(|a, b| a.key.cmp(&b.key));
        let arrays = volumes.iter().filter_map(|volume| view.array(&volume.key.array));
        found.push(Condition {
            code: FindingCode::SharedVolumeId,
            severity: FindingSeverity::Error,
            what: format!("{} volumes have the id {id}", volumes.len()),
            seen_unix_ms: arrays.map(listed_at).min().unwrap_or_default(),
            objects: volumes.iter().map(|volume| Object::Volume(volume.key.clone())).collect(),
            evidence: volumes.iter().map(|volume| format!("{id} is that of {}", named(volume))).collect(),
            remedy: "sanfleet volume list".to_owned(),
            fix: None,
            since_unix_ms: None,
        });
    }
}

fn listed(hosts: &BTreeSet<&HostId>) -> String {
    hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

fn objects(hosts: &BTreeSet<&HostId>, what: Object) -> Vec<Object> {
    hosts.iter().map(|host| Object::Host((*host).clone())).chain([what]).collect()
}

fn confirmed(view: &View<'_>, hosts: &BTreeSet<&HostId>) -> i64 {
    let records = hosts.iter().filter_map(|host| view.host(host));
    records.map(|(_, record)| record.confirmed_unix_ms).min().unwrap_or_default()
}
