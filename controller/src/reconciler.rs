//! Looks at the whole picture at an interval, whatever has changed: tells what does not fit, and takes down what has expired.
//!
//! Every controller looks. The first of them by name tells; and what has expired is taken down once, because everybody finds
//! the same id for the run that does it. Anything else is repaired only when somebody asks.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sanfleet_protocol::{AttachmentId, ControllerId, RunId, v1};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    arrays::Arrays,
    clock::now_unix_ms,
    doctor::{self, Changes, Filter, Ledger, Limits, Snapshot},
    events::{EventKind, Events},
    plan::{
        attachment::{is_first, siblings},
        backup_detach::{self, is_copy},
    },
    runs::{AnyProcedure, BackupDetach, JournalError, Runs},
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
        let all = &snapshot.runs.attachments;
        for one in all {
            let Some((run, detach)) = due(all, one, snapshot.now_unix_ms) else { continue };
            let busy = detach.all().any(|at| self.runs.busy_with(&at.host, &at.mount_point).is_some());
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

/// The run that takes an attachment down whose time is over, the same for whoever works it out. One that goes with another has none
/// of its own.
fn due(all: &[v1::Attachment], one: &v1::Attachment, now_unix_ms: i64) -> Option<(RunId, BackupDetach)> {
    let at = u64::try_from(one.expires_at_unix_ms).ok().filter(|at| *at > 0)?;
    let goes_with_another = !is_first(one) && siblings(all, one).any(is_first);
    if one.expires_at_unix_ms > now_unix_ms || !is_copy(one) || goes_with_another {
        return None;
    }
    let id: AttachmentId = one.id.parse().ok()?;
    Some((id.due(at), backup_detach::params(all, one).ok()?))
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
        let due = |expires, now| due(&[copy(expires)], &copy(expires), now).unwrap().0;
        assert_eq!(due(1_000, 1_000), due(1_000, 9_000));
        assert_ne!(due(1_001, 9_000), due(1_000, 9_000));
    }

    #[test]
    fn copies_that_were_made_together_go_together_and_one_that_is_left_goes_alone() {
        let first = copy(1_000);
        let second =
            v1::Attachment { id: format!("{}-2", first.id), mount_point: "/log".into(), ..copy(1_000) };
        let both = [first.clone(), second.clone()];
        let (run, detach) = due(&both, &first, 9_000).unwrap();
        let places: Vec<&str> = detach.all().map(|one| one.mount_point.as_str()).collect();
        assert_eq!(places, ["/copy", "/log"]);
        assert!(due(&both, &second, 9_000).is_none());
        let (alone, detach) = due(std::slice::from_ref(&second), &second, 9_000).unwrap();
        assert_ne!(alone, run);
        assert_eq!((detach.what.mount_point.as_str(), detach.also.len()), ("/log", 0));
    }

    #[test]
    fn what_never_expires_or_not_yet_or_is_no_copy_stays() {
        let stays = |one: v1::Attachment| due(std::slice::from_ref(&one), &one, 9_000).is_none();
        assert!(stays(copy(0)));
        assert!(stays(copy(9_001)));
        assert!(stays(v1::Attachment { procedure: "provision".into(), ..copy(1) }));
    }
}
