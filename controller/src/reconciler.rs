//! Looks at the whole picture at an interval, whatever has changed: tells what does not fit, and takes down what has expired.
//!
//! Every controller looks. The first of them by name tells; and what has expired is taken down once, because everybody finds
//! the same id for the run that does it. Anything else is repaired only when somebody asks.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sanfleet_protocol::{ControllerId, RunId, v1};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    arrays::Arrays,
    clock::now_unix_ms,
    doctor::{self, Changes, Filter, Ledger, Limits, Snapshot},
    events::{EventKind, Events},
    plan::backup_detach::is_copy,
    runs::{AnyProcedure, Attached, BackupDetach, JournalError, Runs},
    state::SharedCatalog,
};

/// The parts that looking needs. Cheap to clone.
#[derive(Clone)]
pub struct Reconciler {
    pub name: ControllerId,
    pub catalog: SharedCatalog,
    pub runs: Runs,
    pub arrays: Arrays,
    pub events: Events,
    pub pace: Pace,
    pub ledger: Arc<Mutex<Ledger>>,
}

/// How often it looks, and how patient it is.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub look_every: Duration,
    pub limits: Limits,
}

/// What was asked to be put right.
#[derive(Debug, Default)]
pub struct Fixed {
    pub begun: Vec<(v1::Finding, RunId)>,
    pub left: Vec<v1::Finding>,
}

impl Reconciler {
    pub async fn run(self) {
        let mut ticks = interval(self.pace.look_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look().await;
        }
    }

    async fn look(&self) {
        let now = now_unix_ms();
        let snapshot = Snapshot::of(&self.catalog.read(), self.runs.seen(), now, self.pace.limits);
        self.take_down_expired(&snapshot).await;
        // Of a large fleet it takes a while, and nothing else is to wait for it.
        let Ok(conditions) = tokio::task::spawn_blocking(move || doctor::examine(&snapshot)).await else {
            tracing::error!("looking at the fleet failed");
            return;
        };
        let changes = self.ledger().look(conditions, now, &self.pace.limits);
        for array in &changes.awaited {
            self.arrays.look_again(array);
        }
        if self.runs.controllers().first() == Some(&self.name) {
            self.tell(changes).await;
        }
    }

    async fn tell(&self, changes: Changes) {
        for finding in changes.raised {
            tracing::warn!(code = finding.code, what = finding.what, "finding");
            self.events.finding(EventKind::FindingRaised, finding).await;
        }
        for finding in changes.cleared {
            tracing::info!(code = finding.code, what = finding.what, "finding is gone");
            self.events.finding(EventKind::FindingCleared, finding).await;
        }
    }

    /// Begins to take down each copy whose time is over, unless it was tried before or somebody is at it.
    async fn take_down_expired(&self, snapshot: &Snapshot) {
        for one in &snapshot.runs.attachments {
            let Some((run, detach)) = due(one, snapshot.now_unix_ms) else { continue };
            let busy = self.runs.busy_with(&detach.what.host, &detach.what.mount_point).is_some();
            if busy || self.runs.procedure(run).is_some() {
                continue;
            }
            tracing::info!(attachment = one.id, %run, "expired, taking it down");
            if let Err(error) = self.runs.start(run, &AnyProcedure::BackupDetach(detach)).await {
                tracing::warn!(attachment = one.id, %error, "cannot take it down yet");
            }
        }
    }

    /// The findings that the filter leaves, and when they were looked for.
    pub fn findings(&self, filter: &Filter) -> (Vec<v1::Finding>, i64) {
        let ledger = self.ledger();
        let findings = ledger.findings(filter).into_iter().map(|(finding, _)| finding);
        (findings.collect(), ledger.looked_at_unix_ms())
    }

    /// Begins a run for each finding that can be put right safely; one that is under way already counts.
    pub async fn fix(&self, filter: &Filter) -> Result<Fixed, JournalError> {
        let findings: Vec<_> = {
            let ledger = self.ledger();
            let found = ledger.findings(filter);
            found.into_iter().map(|(finding, fix)| (finding, fix.cloned())).collect()
        };
        let mut fixed = Fixed::default();
        for (finding, fix) in findings {
            let Some(fix) = fix else {
                fixed.left.push(finding);
                continue;
            };
            let run = match self.runs.doing(&fix.procedure) {
                Some(run) => run,
                None => {
                    let run = Runs::mint();
                    self.runs.start(run, &fix.procedure).await?;
                    run
                }
            };
            fixed.begun.push((finding, run));
        }
        Ok(fixed)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The run that takes an attachment down whose time is over, the same for whoever works it out.
fn due(one: &v1::Attachment, now_unix_ms: i64) -> Option<(RunId, BackupDetach)> {
    let at = u64::try_from(one.expires_at_unix_ms).ok().filter(|at| *at > 0)?;
    if one.expires_at_unix_ms > now_unix_ms || !is_copy(one) {
        return None;
    }
    let made_by: RunId = one.id.parse().ok()?;
    Some((made_by.due(at), BackupDetach { what: Attached::try_from(one.clone()).ok()? }))
}

/// How many findings there are of each severity.
pub fn count(findings: &[v1::Finding]) -> v1::FindingCounts {
    let mut by_severity = BTreeMap::<v1::FindingSeverity, u32>::new();
    for finding in findings {
        *by_severity.entry(finding.severity()).or_default() += 1;
    }
    let of = |severity| by_severity.get(&severity).copied().unwrap_or_default();
    v1::FindingCounts {
        errors: of(v1::FindingSeverity::Error),
        warnings: of(v1::FindingSeverity::Warning),
        infos: of(v1::FindingSeverity::Info),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(expires_at_unix_ms: i64) -> v1::Attachment {
        v1::Attachment {
            id: "01990000-0000-7000-8000-0123456789ab".into(),
            host: "b1".into(),
            mount_point: "/copy".into(),
            array: "lab".into(),
            volume_id: "naa.602534e0000000000000000000000001".into(),
            procedure: "backup attach".into(),
            expires_at_unix_ms,
            ..Default::default()
        }
    }

    #[test]
    fn what_has_expired_has_one_run_whoever_works_it_out_and_another_time_another() {
        let (run, _) = due(&copy(1_000), 1_000).unwrap();
        assert_eq!(due(&copy(1_000), 9_000).unwrap().0, run);
        assert_ne!(due(&copy(1_001), 9_000).unwrap().0, run);
    }

    #[test]
    fn what_never_expires_or_not_yet_or_is_no_copy_stays() {
        assert!(due(&copy(0), 9_000).is_none());
        assert!(due(&copy(9_001), 9_000).is_none());
        assert!(due(&v1::Attachment { procedure: "provision".into(), ..copy(1) }, 9_000).is_none());
    }
}
