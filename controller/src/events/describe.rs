//! What changed, as an event. Pure.

use sanfleet_protocol::{
    Generation, HostId,
    v1::{self, RunVerb, StepState, event_data::Event, journal_record::Entry},
};
use uuid::Uuid;

use super::{EventKind, Outgoing, Teller, id};
use crate::{
    catalog::Change,
    matching::{DeviceKey, MatchChange},
    runs::{Progress, name_of},
};

pub fn change(change: Change, id_of: &impl Fn(&MatchChange) -> String, at_unix_ms: i64) -> Outgoing {
    use EventKind as Kind;
    match change {
        Change::HostOnline(host) => presence(Kind::HostOnline, &host, true, at_unix_ms),
        Change::HostOffline(host) => presence(Kind::HostOffline, &host, false, at_unix_ms),
        Change::DeviceAppeared { host, generation, device } => {
            seen(Kind::DeviceAppeared, &host, generation, device, at_unix_ms)
        }
        Change::DeviceGone { host, generation, device } => {
            seen(Kind::DeviceGone, &host, generation, device, at_unix_ms)
        }
        Change::ArrayReachable(array) => {
            let data = v1::ArrayHealth { array: array.to_string(), reachable: true, error: String::new() };
            by_first(Kind::ArrayReachable, array.to_string(), Event::Array(data), at_unix_ms)
        }
        Change::ArrayUnreachable(array, error) => {
            let data = v1::ArrayHealth { array: array.to_string(), reachable: false, error };
            by_first(Kind::ArrayUnreachable, array.to_string(), Event::Array(data), at_unix_ms)
        }
        Change::Match { generation, change } => matched(generation, change, id_of, at_unix_ms),
    }
}

/// Every controller sees these at another moment, so that they have nothing in common to make an id of.
fn by_first(kind: EventKind, about: String, data: Event, at_unix_ms: i64) -> Outgoing {
    let id = Uuid::now_v7().to_string();
    Outgoing { id, kind, about, at_unix_ms, data, teller: Teller::First }
}

pub fn finding(kind: EventKind, finding: v1::Finding, at_unix_ms: i64) -> Outgoing {
    by_first(kind, finding.code.clone(), Event::Finding(finding), at_unix_ms)
}

fn presence(kind: EventKind, host: &HostId, online: bool, at_unix_ms: i64) -> Outgoing {
    let data = Event::Host(v1::HostPresence { host: host.to_string(), online });
    by_first(kind, host.to_string(), data, at_unix_ms)
}

fn seen(
    kind: EventKind,
    host: &HostId,
    generation: Generation,
    device: v1::BlockDevice,
    at_unix_ms: i64,
) -> Outgoing {
    let id = id::of_change(host, generation, kind, &[&device.name]).to_string();
    let data = Event::Device(v1::DeviceChange {
        host: host.to_string(),
        device: device.name,
        size_bytes: device.size_bytes,
        volume_ids: device.volume_ids,
    });
    Outgoing { id, kind, about: host.to_string(), at_unix_ms, data, teller: Teller::Anyone }
}

fn matched(
    generation: Generation,
    change: MatchChange,
    id_of: &impl Fn(&MatchChange) -> String,
    at_unix_ms: i64,
) -> Outgoing {
    let volume_id = id_of(&change);
    let (kind, device, volume) = match change {
        MatchChange::Matched { device, volume, .. } => (EventKind::VolumeMatched, device, volume),
        MatchChange::Unmatched { device, volume } => (EventKind::VolumeUnmatched, device, volume),
    };
    let DeviceKey { host, device } = device;
    let (array, volume) = (volume.array.to_string(), volume.volume.to_string());
    let id = id::of_change(&host, generation, kind, &[&device, &array, &volume]).to_string();
    let about = host.to_string();
    let data = Event::Match(v1::VolumeMatch { host: about.clone(), device, array, volume, volume_id });
    Outgoing { id, kind, about, at_unix_ms, data, teller: Teller::Anyone }
}

/// None for a record that tells others nothing.
pub fn record(progress: &Progress, record: &v1::JournalRecord) -> Option<(EventKind, Event)> {
    use EventKind as Kind;
    let run = progress.run.to_string();
    let change = |kind, step: &str, state: StepState, error: &str, duration_us: u64| {
        let (run, step, error) = (run.clone(), step.to_owned(), error.to_owned());
        Some((kind, Event::Step(v1::StepChange { run, step, state: state.into(), error, duration_us })))
    };
    let whole = |kind, error: &str| {
        let procedure = name_of(&progress.procedure).to_owned();
        let (run, error, state) = (run.clone(), error.to_owned(), progress.state.into());
        let whole = progress.whole.map(|whole| whole.to_string()).unwrap_or_default();
        Some((kind, Event::Run(v1::RunChange { run, procedure, state, error, whole })))
    };
    match record.entry.as_ref()? {
        Entry::Created(_) => whole(Kind::RunStarted, ""),
        Entry::Finished(finished) => whole(Kind::RunFinished, &finished.error),
        Entry::Claimed(_) => None,
        Entry::Controlled(asked) => match asked.verb() {
            RunVerb::Pause => whole(Kind::RunPaused, ""),
            RunVerb::Resume => whole(Kind::RunResumed, ""),
            RunVerb::Cancel => whole(Kind::RunCancelled, &progress.error),
            RunVerb::Retry => whole(Kind::RunRetried, ""),
            RunVerb::Forget | RunVerb::Unspecified => None,
        },
        Entry::StepStarted(step) => change(Kind::StepStarted, &step.step, StepState::Running, "", 0),
        Entry::StepDone(step) => {
            change(Kind::StepFinished, &step.step, StepState::Done, "", step.duration_us)
        }
        Entry::StepFailed(step) => change(Kind::StepFailed, &step.step, StepState::Failed, &step.error, 0),
        Entry::UndoStarted(step) => change(Kind::UndoStarted, &step.step, StepState::Undoing, "", 0),
        Entry::UndoDone(step) => {
            change(Kind::UndoFinished, &step.step, StepState::Undone, "", step.duration_us)
        }
        Entry::UndoFailed(step) => {
            change(Kind::UndoFailed, &step.step, StepState::UndoFailed, &step.error, 0)
        }
    }
}
