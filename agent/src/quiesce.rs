//! Quiesces: an application held still for a moment, so that its volume can be copied whole.
//!
//! Each is held by a process of its own, the [`guard`], which lets go by itself when it is told to, when the agent dies, and
//! when its time is up. The agent stands behind it: when the guard is lost, the agent thaws. This module refuses a second
//! quiesce of a mount point, and one that a resume of the same run has overtaken.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sanfleet_protocol::{MountPoint, RunId, v1};

use crate::{
    clock::unix_ms,
    config::Hook,
    deadline::Deadline,
    host::HostError,
    ledger::{Ledger, LedgerError, Record, Release},
};

mod expedite;
pub mod freeze;
pub mod guard;
mod held;
mod hold;
pub mod hook;
mod keeper;
pub mod mysql;
pub mod postgresql;
pub mod word;

pub use held::Held;
pub use hold::{End, Guard, Guards, OnEnd};
use keeper::Processes;
use word::{By, Failure, How};

/// How long everything before the first blocking statement may take.
const PREPARE_WITHIN: Duration = Duration::from_secs(30);
/// How much longer than its own limit we wait for the guard before we take it for lost.
pub const GRACE: Duration = Duration::from_secs(3);
/// How a quiesce ended is kept in memory for so many runs; the ledger has the rest.
const KEEP_ENDED: usize = 1024;

#[derive(Debug, thiserror::Error)]
pub enum QuiesceError {
    #[error("{at} is being held still for run {by}")]
    Busy { at: MountPoint, by: RunId },
    #[error("run {run} was resumed by a command issued after this one")]
    Overtaken { run: RunId },
    #[error("the quiesce was let go before it held, {by}")]
    LetGo { by: &'static str },
    #[error("the process that holds the quiesce cannot be started")]
    Start(#[source] std::io::Error),
    #[error("the process that holds the quiesce was lost")]
    Lost,
    #[error("the process that holds the quiesce did not answer within {} ms", after.as_millis())]
    Silent { after: Duration },
    #[error("{}", .0.message)]
    Guard(Failure),
    #[error("there was no time left to hold {at} still")]
    TooLate { at: MountPoint },
    #[error(transparent)]
    Host(#[from] HostError),
    #[error("the quiesce cannot be recorded, so it is not begun")]
    Ledger(#[from] LedgerError),
}

impl QuiesceError {
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Busy { .. }
            | Self::Lost
            | Self::Silent { .. }
            | Self::TooLate { .. }
            | Self::LetGo { .. } => true,
            Self::Guard(failure) => failure.retryable,
            Self::Host(error) => error.is_retryable(),
            Self::Ledger(error) => error.is_retryable(),
            Self::Overtaken { .. } | Self::Start(_) => false,
        }
    }
}

/// What is to be held still, and for whom.
#[derive(Debug, Clone)]
pub struct Order {
    pub run: RunId,
    pub issued_at_unix_ms: i64,
    pub held: Held,
    pub how: How,
    pub dead_man: Duration,
}

impl Order {
    /// The file systems are frozen in this order.
    pub fn new(
        run: RunId,
        issued_at_unix_ms: i64,
        how: How,
        (mount_point, also): (MountPoint, Vec<MountPoint>),
        dead_man: Duration,
    ) -> Self {
        let held = Held { mount_point, also, hook: how.hook().cloned() };
        Self { run, issued_at_unix_ms, held, how, dead_man }
    }

    /// How much longer than its own limit the guard may take.
    fn grace(&self) -> Duration {
        GRACE + self.held.hook.as_ref().map(Hook::timeout).unwrap_or_default()
    }
}

/// All quiesces of this host, held or ended.
#[derive(Debug)]
pub struct Quiesces {
    guards: Arc<dyn Guards>,
    ledger: Arc<Ledger>,
    runs: Mutex<BTreeMap<RunId, Run>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Run {
    /// None when all that is known of it is its resume.
    held: Option<Held>,
    stage: Stage,
    /// How long the guard may take to let go.
    grace: Duration,
    /// When the newest resume of this run was issued: a quiesce that is older comes too late.
    resumed_at_unix_ms: i64,
}

#[derive(Debug)]
enum Stage {
    Preparing(Option<Arc<dyn Guard>>),
    Held { keeper: Arc<dyn Guard>, quiesce_us: u64 },
    Ended(Release),
}

impl Stage {
    fn keeper(&self) -> Option<Arc<dyn Guard>> {
        match self {
            Self::Preparing(keeper) => keeper.clone(),
            Self::Held { keeper, .. } => Some(Arc::clone(keeper)),
            Self::Ended(_) => None,
        }
    }

    fn is_ended(&self) -> bool {
        matches!(self, Self::Ended(_))
    }
}

impl Quiesces {
    /// `program` is this executable: it is started again as the guard.
    pub fn new(program: PathBuf, ledger: Arc<Ledger>) -> Arc<Self> {
        Self::with(Arc::new(Processes { program }), ledger)
    }

    /// With others than processes to hold.
    pub fn with(guards: Arc<dyn Guards>, ledger: Arc<Ledger>) -> Arc<Self> {
        Arc::new(Self { guards, ledger, runs: Mutex::default(), changed: Condvar::new() })
    }

    /// At start: what the ledger says was held is thawed, whoever held it, and counts as lost.
    pub fn thaw_what_was_held(&self) -> Result<(), LedgerError> {
        let left = self.ledger.held();
        for (run, held) in &left {
            tracing::warn!(%run, mount_point = %held.mount_point, "thawing what was held when the agent stopped");
            if let Err(error) = self.guards.thaw(held) {
                tracing::error!(%run, %error, "cannot thaw");
            }
        }
        // These take their time, and nothing waits frozen for them.
        for (run, held) in left {
            let trouble = self.guards.end_hook(run, &held);
            if !trouble.is_empty() {
                tracing::error!(%run, trouble, "the application may not go on as before");
            }
            let release = Release { trouble, ..release(v1::ResumedBy::Loss, 0) };
            self.ledger.write(vec![Record::Released { run, release }], unix_ms())?;
        }
        Ok(())
    }

    /// Holds the application still, and returns how long that took, in microseconds. The copy may then be made.
    /// Repeated while it is held: the same answer.
    pub fn quiesce(self: &Arc<Self>, order: &Order, deadline: Deadline) -> Result<u64, QuiesceError> {
        if let Some(quiesce_us) = self.enter(order)? {
            return Ok(quiesce_us);
        }
        let keeper = match self.start(order) {
            Ok(keeper) => keeper,
            Err(error) => {
                self.set(order.run, Stage::Ended(release(v1::ResumedBy::Nobody, 0)));
                return Err(error);
            }
        };
        let held = self.hold(&keeper, order, deadline);
        if held.is_err() {
            keeper.abandon();
            self.see_off(order.run, keeper.as_ref(), order.grace());
        }
        held
    }

    /// Lets the application go on, and says who did it and how long writes were blocked.
    /// Waits for nothing but the guard, and that not for long.
    pub fn resume(&self, run: RunId, issued_at_unix_ms: i64) -> Release {
        let mut runs = locked(&self.runs);
        let known = runs.entry(run).or_insert_with(|| Run {
            held: None,
            grace: GRACE,
            // Remembered too when nothing is known of the run: its quiesce may still be on its way.
            stage: Stage::Ended(self.ledger.release(&run).unwrap_or(release(v1::ResumedBy::Nobody, 0))),
            resumed_at_unix_ms: issued_at_unix_ms,
        });
        known.resumed_at_unix_ms = known.resumed_at_unix_ms.max(issued_at_unix_ms);
        let (keeper, grace) = (known.stage.keeper(), known.grace);
        drop(runs);
        if let Some(keeper) = keeper {
            keeper.release();
            if let Some(end) = self.await_end(run, grace) {
                return end;
            }
            tracing::error!(%run, "the guard does not answer, it is killed");
            keeper.kill();
        }
        self.await_end(run, grace).unwrap_or(release(v1::ResumedBy::Loss, 0))
    }

    /// Lets everything go, because the agent stops. Nobody has told us to: who held it has lost it.
    pub fn abandon_all(&self) {
        let keepers: Vec<(RunId, Arc<dyn Guard>, Duration)> = locked(&self.runs)
            .iter()
            .filter_map(|(run, known)| Some((*run, known.stage.keeper()?, known.grace)))
            .collect();
        for (_, keeper, _) in &keepers {
            keeper.abandon();
        }
        for (run, keeper, grace) in keepers {
            self.see_off(run, keeper.as_ref(), grace);
        }
    }

    /// Waits until a quiesce that was abandoned has ended; a guard that does not answer is killed, and then we thaw.
    fn see_off(&self, run: RunId, keeper: &dyn Guard, grace: Duration) {
        if self.await_end(run, grace).is_none() {
            keeper.kill();
            self.await_end(run, grace);
        }
    }

    /// True while the run holds something still.
    pub fn is_held(&self, run: &RunId) -> bool {
        locked(&self.runs).get(run).is_some_and(|run| matches!(run.stage, Stage::Held { .. }))
    }

    /// The process that holds the quiesce of a run, while it is held.
    pub fn guard_process(&self, run: &RunId) -> Option<u32> {
        locked(&self.runs).get(run)?.stage.keeper()?.process_id()
    }

    /// Waits until the quiesce of a run has ended; `None` when it has not within the time.
    pub fn await_end(&self, run: RunId, within: Duration) -> Option<Release> {
        let give_up = Instant::now() + within;
        let mut runs = locked(&self.runs);
        loop {
            if let Some(Run { stage: Stage::Ended(end), .. }) = runs.get(&run) {
                return Some(end.clone());
            }
            let left = give_up.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            runs = self.changed.wait_timeout(runs, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// `Some` when this very run holds just this already.
    fn enter(&self, order: &Order) -> Result<Option<u64>, QuiesceError> {
        let mut runs = locked(&self.runs);
        let shared = |run: &Run| match run.stage.is_ended() {
            true => None,
            false => run.held.as_ref()?.shared_with(&order.held).cloned(),
        };
        let mut others = runs.iter().filter(|(id, _)| **id != order.run);
        if let Some((by, at)) = others.find_map(|(by, run)| Some((*by, shared(run)?))) {
            return Err(QuiesceError::Busy { at, by });
        }
        let busy = || QuiesceError::Busy { at: order.held.mount_point.clone(), by: order.run };
        let resumed_at_unix_ms = match runs.get(&order.run) {
            None => 0,
            Some(run) => match &run.stage {
                Stage::Ended(_) => run.resumed_at_unix_ms,
                Stage::Held { quiesce_us, .. } if run.held.as_ref() == Some(&order.held) => {
                    return Ok(Some(*quiesce_us));
                }
                Stage::Held { .. } | Stage::Preparing(_) => return Err(busy()),
            },
        };
        if resumed_at_unix_ms > order.issued_at_unix_ms {
            return Err(QuiesceError::Overtaken { run: order.run });
        }
        let (held, stage, grace) = (Some(order.held.clone()), Stage::Preparing(None), order.grace());
        runs.insert(order.run, Run { held, stage, grace, resumed_at_unix_ms });
        forget_oldest(&mut runs);
        Ok(None)
    }

    /// Starts the guard. From here on a resume reaches it.
    fn start(self: &Arc<Self>, order: &Order) -> Result<Arc<dyn Guard>, QuiesceError> {
        let (quiesces, run) = (Arc::clone(self), order.run);
        let keeper = self.guards.start(order, Box::new(move |end| quiesces.ended(run, end)))?;
        self.set(run, Stage::Preparing(Some(Arc::clone(&keeper))));
        Ok(keeper)
    }

    fn hold(&self, keeper: &Arc<dyn Guard>, order: &Order, deadline: Deadline) -> Result<u64, QuiesceError> {
        keeper.prepare(order, PREPARE_WITHIN.min(deadline.left()))?;
        let holding = Record::Holding { run: order.run, held: order.held.clone() };
        self.ledger.write(vec![holding], unix_ms())?;
        // A command that was answered with a timeout must not hold anything still afterwards.
        if deadline.has_passed() {
            return Err(QuiesceError::TooLate { at: order.held.mount_point.clone() });
        }
        let quiesce_us = keeper.hold(order.dead_man + order.grace())?;
        self.set(order.run, Stage::Held { keeper: Arc::clone(keeper), quiesce_us });
        Ok(quiesce_us)
    }

    /// Called when nothing is held any more. Who waits for it is told before anything is written.
    fn ended(&self, run: RunId, end: End) {
        let by = match (end.held, end.by) {
            (false, _) => v1::ResumedBy::Nobody,
            (true, By::Command) => v1::ResumedBy::Command,
            (true, By::DeadMan) => v1::ResumedBy::DeadMan,
            (true, By::Loss) => v1::ResumedBy::Loss,
        };
        if end.held && end.by != By::Command {
            tracing::error!(%run, by = by.as_str_name(), blocked_us = end.blocked_us, "a quiesce ended unasked");
        }
        if !end.trouble.is_empty() {
            tracing::error!(%run, trouble = end.trouble, "the application may not go on as before");
        }
        let release = Release { trouble: end.trouble, ..release(by, end.blocked_us) };
        self.set(run, Stage::Ended(release.clone()));
        if let Err(error) = self.ledger.write(vec![Record::Released { run, release }], unix_ms()) {
            tracing::error!(%run, %error, "the end of a quiesce cannot be recorded");
        }
    }

    /// A quiesce that has ended stays so: the guard may be gone before its last step is noted.
    fn set(&self, run: RunId, stage: Stage) {
        if let Some(known) = locked(&self.runs).get_mut(&run)
            && !known.stage.is_ended()
        {
            known.stage = stage;
        }
        self.changed.notify_all();
    }
}

fn release(by: v1::ResumedBy, blocked_us: u64) -> Release {
    Release { by: by.into(), blocked_us, at_unix_ms: unix_ms(), trouble: String::new() }
}

fn forget_oldest(runs: &mut BTreeMap<RunId, Run>) {
    let ended = runs.iter().filter_map(|(id, run)| match &run.stage {
        Stage::Ended(end) => Some((end.at_unix_ms, *id)),
        _ => None,
    });
    let (count, oldest) = (ended.clone().count(), ended.min());
    if let Some((_, id)) = oldest.filter(|_| count > KEEP_ENDED) {
        runs.remove(&id);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
