//! Volumes that several hosts may write to at one time.

use std::collections::BTreeMap;

use sanfleet_protocol::{FindingCode, HostId, v1::FindingSeverity};

use super::{
    Condition, Object,
    view::{View, named},
};
use crate::{catalog::VolumeRecord, matching::VolumeRef};

/// File systems that are made for it.
const SHARED: [&str; 2] = ["gfs2", "ocfs2"];

struct Written<'a> {
    volume: &'a VolumeRecord,
    hosts: BTreeMap<&'a HostId, String>,
    seen_unix_ms: i64,
}

pub fn examine(view: &View<'_>, found: &mut Vec<Condition>) {
    let mut written: BTreeMap<&VolumeRef, Written<'_>> = BTreeMap::new();
    for (host, record, inventory) in view.reported() {
        let alone = |kind: &str| !SHARED.contains(&kind);
        for (mount, beneath) in inventory.written().filter(|(mount, _)| alone(&mount.r#type)) {
            for volume in view.identify(beneath) {
                let new = || Written { volume, hosts: BTreeMap::new(), seen_unix_ms: i64::MAX };
                let one = written.entry(&volume.key).or_insert_with(new);
                one.hosts.insert(host, mount.mount_point.clone());
                one.seen_unix_ms = one.seen_unix_ms.min(record.confirmed_unix_ms);
            }
        }
    }
    found.extend(written.values().filter(|one| one.hosts.len() > 1).map(several));
}

fn several(written: &Written<'_>) -> Condition {
    let hosts: Vec<String> = written.hosts.keys().map(ToString::to_string).collect();
    let mut evidence = vec![format!("it is {}", named(written.volume))];
    evidence.extend(written.hosts.iter().map(|(host, at)| format!("{host}:{at} is mounted read-write")));
    let objects = written.hosts.keys().map(|host| Object::Host((*host).clone()));
    Condition {
        code: FindingCode::SeveralWriters,
        severity: FindingSeverity::Error,
        what: format!("volume {} is mounted read-write on {}", written.volume.name, hosts.join(" and ")),
        objects: objects.chain([Object::Volume(written.volume.key.clone())]).collect(),
        evidence,
        remedy: "unmount it on all hosts but one, then check its file system".to_owned(),
        fix: None,
        since_unix_ms: None,
        seen_unix_ms: written.seen_unix_ms,
    }
}
