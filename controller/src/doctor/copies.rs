//! Volumes that runs of ours made and nothing accounts for.

use sanfleet_protocol::{FindingCode, v1::FindingSeverity};

use super::{
    Condition, Fix, Object,
    view::{View, listed_at, named},
};
use crate::{
    catalog::{ArrayRecord, VolumeRecord},
    runs::{AnyProcedure, ArrayVolume, Fate, Minted, Repair},
};

pub fn examine(view: &View<'_>, found: &mut Vec<Condition>) {
    for (array, _, volume) in view.listed() {
        let Some(minted) = view.snapshot.runs.minted.named(&volume.name) else { continue };
        let accounted =
            minted.fate == Fate::Open || volume.id.as_ref().is_some_and(|id| view.is_attached(id));
        if minted.array == array.name && !accounted {
            found.push(orphan(view, array, volume, minted));
        }
    }
}

fn orphan(view: &View<'_>, array: &ArrayRecord, volume: &VolumeRecord, minted: &Minted) -> Condition {
    let run = minted.run;
    let became = match minted.fate {
        Fate::TakenBack => "was taken back",
        Fate::Deleted => "succeeded, and its volume was deleted later",
        Fate::Made | Fate::Open => "succeeded, and nothing is attached any more",
    };
    let mut evidence = vec![
        format!("the name of {} was minted by run {run}, which {became}", named(volume)),
        "no attachment and no run accounts for it".to_owned(),
    ];
    evidence.extend(view.devices_of(&volume.key).iter().map(super::view::SeenDevice::shown));
    if !volume.masked_to.is_empty() {
        let seers: Vec<String> = volume.masked_to.keys().map(ToString::to_string).collect();
        evidence.push(format!("it is shown to {}", seers.join(", ")));
    }
    Condition {
        code: FindingCode::OrphanCopy,
        severity: match minted.fate {
            Fate::Made | Fate::Open => FindingSeverity::Info,
            Fate::TakenBack | Fate::Deleted => FindingSeverity::Warning,
        },
        what: format!("nothing accounts for volume {} of array {}", volume.name, array.name),
        objects: vec![Object::Volume(volume.key.clone())],
        evidence,
        remedy: format!("sanfleet run show {run}"),
        fix: fix(view, volume, minted),
        since_unix_ms: None,
        seen_unix_ms: listed_at(array),
    }
}

/// Only what should not be there, and what nobody could be using: what a run that succeeded has made may be data.
fn fix(view: &View<'_>, volume: &VolumeRecord, minted: &Minted) -> Option<Fix> {
    let unwanted = matches!(minted.fate, Fate::TakenBack | Fate::Deleted);
    let unseen = volume.masked_to.is_empty() && view.devices_of(&volume.key).is_empty();
    let id = volume.id.clone().filter(|_| unwanted && unseen)?;
    let (at, name, size_bytes) = (volume.key.clone(), volume.name.clone(), volume.size_bytes);
    let volume = ArrayVolume { at, id, name, size_bytes };
    Some(Fix {
        says: format!("delete volume {} of array {}", volume.name, volume.array()),
        procedure: AnyProcedure::Repair(Repair::DeleteCopy(volume)),
    })
}
