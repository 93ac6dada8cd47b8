//! Runs that make no progress, or are stuck.

use sanfleet_protocol::{FindingCode, v1::FindingSeverity};

use super::{Condition, Object, snapshot::millis, view::View};
use crate::runs::{OpenRun, StuckRun};

pub fn examine(view: &View<'_>, found: &mut Vec<Condition>) {
    let (runs, now) = (&view.snapshot.runs, view.snapshot.now_unix_ms);
    let longest = millis(view.snapshot.limits.stalled_after);
    let silent = |run: &&OpenRun| !run.paused && now.saturating_sub(run.last_at_unix_ms) > longest;
    found.extend(runs.open.iter().filter(silent).map(|run| stalled(run, now)));
    found.extend(runs.stuck.iter().map(|run| stuck(run, now)));
}

fn stalled(run: &OpenRun, now_unix_ms: i64) -> Condition {
    let minutes = now_unix_ms.saturating_sub(run.last_at_unix_ms) / 60_000;
    Condition {
        code: FindingCode::NoProgress,
        severity: FindingSeverity::Warning,
        what: format!("run {} ({}) makes no progress", run.run, run.procedure),
        objects: vec![Object::Run(run.run)],
        evidence: vec![format!(
            "its journal, and those of its parts, have been silent for {minutes} minutes; controller {} carries it out",
            run.owner
        )],
        remedy: format!("sanfleet run show {}", run.run),
        fix: None,
        since_unix_ms: Some(run.last_at_unix_ms),
        seen_unix_ms: now_unix_ms,
    }
}

fn stuck(run: &StuckRun, now_unix_ms: i64) -> Condition {
    Condition {
        code: FindingCode::StuckRun,
        severity: FindingSeverity::Error,
        what: format!("run {} ({}) could not be taken back", run.run, run.procedure),
        objects: vec![Object::Run(run.run)],
        evidence: vec![run.error.clone()],
        remedy: format!("sanfleet run show {0}, then sanfleet run retry {0}", run.run),
        fix: None,
        since_unix_ms: Some(run.since_unix_ms),
        seen_unix_ms: now_unix_ms,
    }
}
