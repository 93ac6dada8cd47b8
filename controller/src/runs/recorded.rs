//! Journals that earlier versions have written, replayed: they are read whole, and after every record what comes next is what
//! came next then. A step that was renamed, moved or taken out of its table shows here.

use std::collections::BTreeMap;

use sanfleet_protocol::{
    RunId,
    v1::{self, RunState, journal_record::Entry as Record},
};
use serde::Deserialize;

use super::{
    AnyProcedure,
    any::shapes_of,
    journal::Entry,
    known::Known,
    progress::{Next, Progress},
};

/// By the version that wrote them. One is added with every release, and none is ever changed.
const JOURNALS: [(&str, &str); 1] = [("0.1.0", include_str!("../../tests/journals/0.1.0.jsonl"))];

/// A record as proto3 JSON, with the run that it is of.
#[derive(Deserialize)]
struct Line {
    run: String,
    record: v1::JournalRecord,
}

/// The records of one of these journals.
fn entries(journal: &str) -> Vec<Entry> {
    let lines = journal.lines().map(|line| serde_json::from_str::<Line>(line).unwrap());
    (1..)
        .zip(lines)
        .map(|(sequence, Line { run, record })| Entry { run: run.parse().unwrap(), sequence, record })
        .collect()
}

/// What the newest of them says.
pub fn newest() -> Vec<Entry> {
    JOURNALS.last().map(|(_, journal)| entries(journal)).unwrap_or_default()
}

/// What the record says was decided before it; `None` for one that tells what came of it, or what others wanted.
fn decided(progress: &Progress, record: &v1::JournalRecord) -> Option<Next> {
    let place = |name: &str| progress.steps.iter().position(|step| step.name == name).unwrap();
    match record.entry.as_ref()? {
        Record::StepStarted(step) => Some(Next::Act(place(&step.step))),
        Record::UndoStarted(step) => Some(Next::Undo(place(&step.step))),
        Record::Finished(finished) => Some(Next::Finish(finished.state())),
        _ => None,
    }
}

#[test]
fn what_earlier_versions_wrote_is_read_and_goes_on_as_it_did() {
    for (version, journal) in JOURNALS {
        let mut runs = BTreeMap::<RunId, Progress>::new();
        let mut decisions = 0;
        for entry in entries(journal) {
            let Some(progress) = runs.get_mut(&entry.run) else {
                let begun = Progress::begin(entry.run, entry.sequence, &entry.record, shapes_of).unwrap();
                AnyProcedure::try_from(begun.procedure.as_ref()).unwrap();
                runs.insert(entry.run, begun);
                continue;
            };
            if let Some(then) = decided(progress, &entry.record) {
                let now = progress.next(&shapes_of(&progress.procedure));
                assert_eq!(now, then, "{version}: {} after record {}", entry.run, progress.last_sequence);
                decisions += 1;
            }
            progress.apply(entry.sequence, &entry.record);
        }
        assert!(decisions > 20, "{version} has only {decisions} decisions");
        assert!(
            runs.values().any(|run| run.state == RunState::Undone),
            "{version} has no run that was undone"
        );
    }
}

#[test]
fn what_was_attached_by_earlier_versions_and_not_taken_down_is_known() {
    for (version, journal) in JOURNALS {
        let mut known = Known::default();
        let (mut attached, mut taken_down) = (0, 0);
        for entry in entries(journal) {
            let before = attached;
            assert!(known.learn(&entry), "{version}: {} was passed over", entry.sequence);
            attached = known.attachments().count();
            taken_down += usize::from(attached < before);
        }
        assert!(attached > 0 && taken_down > 0, "{version}: {attached} attached, {taken_down} taken down");
    }
}
