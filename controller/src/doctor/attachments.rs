//! Attachments against what hosts have mounted and arrays hold and show.

use std::collections::BTreeMap;

use sanfleet_protocol::{
    ArrayId, FindingCode, HostId, MountPoint, VolumeId, v1, v1::FindingSeverity, volume_id,
};

use super::{
    Condition, Fix, Object,
    view::{View, listed_at, tells_mappings},
};
use crate::{
    catalog::{ArrayRecord, HostRecord},
    plan::backup_detach::{self, is_copy},
    runs::AnyProcedure,
};

/// The attachments of one host, or of one array.
type Held<'a> = Vec<&'a v1::Attachment>;

/// So many of them are named.
const NAMED: usize = 5;

pub fn examine(view: &View<'_>, found: &mut Vec<Condition>) {
    let at_rest = |one: &&v1::Attachment| !view.is_busy_at(&one.host, &one.mount_point);
    let (mut away, mut cut_off) =
        (BTreeMap::<&HostId, Held<'_>>::new(), BTreeMap::<&ArrayId, Held<'_>>::new());
    for one in view.snapshot.runs.attachments.iter().filter(at_rest) {
        let host = one.host.parse().ok().and_then(|host| view.host(&host));
        let array = one.array.parse().ok().and_then(|array| view.array(&array));
        match host {
            Some((_, record)) if record.online => found.extend(not_mounted(one, record)),
            Some((host, _)) => away.entry(host).or_default().push(one),
            None => {}
        }
        match array {
            Some(array) if array.error.is_none() => found.extend(on_array(view, one, host, array)),
            Some(array) => cut_off.entry(&array.name).or_default().push(one),
            None => {}
        }
        found.extend(expired(view, one));
    }
    found.extend(away.into_iter().filter_map(|(host, held)| Some(offline(view.host(host)?, &held))));
    found.extend(cut_off.into_iter().filter_map(|(array, held)| unreachable(view.array(array)?, &held)));
}

fn not_mounted(one: &v1::Attachment, record: &HostRecord) -> Option<Condition> {
    let (inventory, at) = (record.inventory.as_ref()?, one.mount_point.parse::<MountPoint>().ok()?);
    let wanted: VolumeId = one.volume_id.parse().ok()?;
    let place = format!("{}:{}", one.host, one.mount_point);
    let sees = match inventory.mounted_at(&at) {
        None => format!("nothing is mounted at {place}"),
        Some((_, ids)) if volume_id::same_volume(ids, std::slice::from_ref(&wanted)) => return None,
        Some((device, ids)) => {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let what = if ids.is_empty() { "which tells no id".to_owned() } else { ids.join(", ") };
            format!("device {} is mounted at {place}, {what}", device.name)
        }
    };
    let what = format!("{place} is not what attachment {} put there", one.id);
    let seen = record.confirmed_unix_ms;
    Some(condition(FindingCode::NotMounted, FindingSeverity::Error, what, one, sees, seen))
}

fn on_array(
    view: &View<'_>,
    one: &v1::Attachment,
    host: Option<(&HostId, &HostRecord)>,
    array: &ArrayRecord,
) -> Option<Condition> {
    let (state, wanted) = (array.state.as_ref()?, one.volume_id.parse::<VolumeId>().ok()?);
    let found =
        view.identify([&wanted]).find(|volume| volume.key.array == array.name).map(|volume| &volume.key);
    let Some(volume) = found.and_then(|key| view.volume(key)) else {
        let what = format!("array {} has the volume of {}:{} no more", array.name, one.host, one.mount_point);
        let sees = format!("no volume of array {} has the id {wanted}", array.name);
        let seen = listed_at(array);
        return Some(condition(FindingCode::VolumeGone, FindingSeverity::Error, what, one, sees, seen));
    };
    let own = &host?.1.inventory.as_ref()?.initiators;
    if !tells_mappings(state) || own.is_empty() || own.iter().any(|id| volume.masked_to.contains_key(id)) {
        return None;
    }
    let what = format!("array {} does not show {} to host {}", array.name, volume.name, one.host);
    let sees = format!("volume {} ({wanted}) is masked to no initiator of host {}", volume.name, one.host);
    Some(condition(FindingCode::MaskGone, FindingSeverity::Error, what, one, sees, listed_at(array)))
}

fn offline((host, record): (&HostId, &HostRecord), held: &Held<'_>) -> Condition {
    let heard = format!("host {host} was heard last at {}", moment(record.last_seen_unix_ms));
    Condition {
        code: FindingCode::HostOffline,
        severity: FindingSeverity::Warning,
        what: format!("host {host}, to which volumes are attached, is offline"),
        objects: vec![Object::Host(host.clone())],
        evidence: [heard].into_iter().chain(named(held)).collect(),
        remedy: "start sanfleet-agent.service there, or see in its log why it cannot reach the bus"
            .to_owned(),
        fix: None,
        since_unix_ms: Some(record.last_seen_unix_ms),
        seen_unix_ms: i64::MAX,
    }
}

fn unreachable(array: &ArrayRecord, held: &Held<'_>) -> Option<Condition> {
    let failed = format!("listing array {} failed: {}", array.name, array.error.as_ref()?);
    Some(Condition {
        code: FindingCode::ArrayUnreachable,
        severity: FindingSeverity::Error,
        what: format!("array {}, whose volumes are attached, cannot be reached", array.name),
        objects: vec![Object::Array(array.name.clone())],
        evidence: [failed].into_iter().chain(named(held)).collect(),
        remedy: format!("sanfleet array show {}", array.name),
        fix: None,
        since_unix_ms: Some(array.since_unix_ms),
        seen_unix_ms: i64::MAX,
    })
}

fn named(held: &Held<'_>) -> impl Iterator<Item = String> {
    let named = held.iter().take(NAMED).map(|one| attached(one));
    let more = held.len().checked_sub(NAMED).filter(|more| *more > 0);
    named.chain(more.map(|more| format!("and {more} more")))
}

fn attached(one: &v1::Attachment) -> String {
    let v1::Attachment { id, volume_name, volume_id, host, mount_point, .. } = one;
    format!("attachment {id} is volume {volume_name} ({volume_id}) at {host}:{mount_point}")
}

/// The reconciler takes it down by itself: what is left a while later could not be.
fn expired(view: &View<'_>, one: &v1::Attachment) -> Option<Condition> {
    let due = one.expires_at_unix_ms;
    if due == 0 || due > view.snapshot.now_unix_ms {
        return None;
    }
    let place = format!("{}:{}", one.host, one.mount_point);
    let what = format!("{place} has expired and is still there");
    let sees = format!("attachment {} was to be taken down at {}", one.id, moment(due));
    let found = condition(FindingCode::Expired, FindingSeverity::Warning, what, one, sees, i64::MAX);
    let detach = backup_detach::params(&view.snapshot.runs.attachments, one).ok().filter(|_| is_copy(one));
    let fix = detach.map(|detach| Fix {
        says: match detach.also.len() {
            0 => format!("take {place} down, with its copy"),
            also => format!("take {place} down, with its copy and {also} that were made with it"),
        },
        procedure: AnyProcedure::BackupDetach(detach),
    });
    Some(Condition { since_unix_ms: Some(due), fix, ..found })
}

fn condition(
    code: FindingCode,
    severity: FindingSeverity,
    what: String,
    one: &v1::Attachment,
    sees: String,
    seen_unix_ms: i64,
) -> Condition {
    let host = one.host.parse().map(Object::Host);
    let array = one.array.parse().map(Object::Array);
    let about = [Ok(Object::Attachment(one.id.clone())), host, array];
    Condition {
        code,
        severity,
        what,
        objects: about.into_iter().filter_map(Result::ok).collect(),
        evidence: vec![attached(one), sees],
        remedy: match is_copy(one) {
            true => format!("sanfleet backup detach {}:{}", one.host, one.mount_point),
            false => format!("sanfleet run show {}", one.id),
        },
        fix: None,
        since_unix_ms: None,
        seen_unix_ms,
    }
}

fn moment(unix_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(unix_ms).unwrap_or_default().to_string()
}
