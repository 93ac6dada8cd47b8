//! What a pool has seen of its driver: how long calls take, what went wrong, and whether to go on asking.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use sanfleet_protocol::limits::full_text;
use tokio::time::{Instant, sleep_until};

use super::{
    PoolOptions,
    breaker::{Breaker, BreakerState, Refused},
    latency::{Figures, Latencies},
};
use crate::client::ClientError;

/// After a start that failed the next one waits this long, doubled up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The memory that the sessions of a pool share.
#[derive(Debug)]
pub struct Monitor(Mutex<Seen>);

#[derive(Debug)]
struct Seen {
    breaker: Breaker,
    latencies: Latencies,
    last_failure: Option<LastFailure>,
    start: Start,
}

/// When the driver may be started next.
#[derive(Debug, Default)]
struct Start {
    wait: Duration,
    not_before: Option<Instant>,
}

/// The last failure of the driver, or refusal of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastFailure {
    pub at: SystemTime,
    /// With all its causes.
    pub text: String,
}

/// The monitor's part of a pool's status.
pub(super) struct Summary {
    pub breaker: BreakerState,
    pub failures: u32,
    pub last_failure: Option<LastFailure>,
    pub calls: Figures,
    pub calls_by_method: BTreeMap<&'static str, Figures>,
}

impl Monitor {
    pub(super) fn new(options: &PoolOptions) -> Self {
        Self(Mutex::new(Seen {
            breaker: Breaker::new(options.failures, options.pause, options.longest_pause),
            latencies: Latencies::default(),
            last_failure: None,
            start: Start::default(),
        }))
    }

    /// Takes note of a call. A refusal of the array's shows that the driver does its work.
    pub(in crate::client) fn called(
        &self,
        method: &'static str,
        took: Duration,
        error: Option<&ClientError>,
    ) {
        let mut seen = self.seen();
        let failure = error.filter(|error| error.is_drivers_fault());
        seen.latencies.add(method, took, failure.is_some());
        match failure {
            Some(error) => seen.failed(error),
            None => seen.breaker.succeeded(),
        }
    }

    /// Takes note of a start. One that went well tells little: a driver may hang at its first call.
    pub(super) fn started(&self, error: Option<&ClientError>) {
        let mut seen = self.seen();
        let Some(error) = error else {
            seen.start = Start::default();
            return;
        };
        // Refused or failed: asking again at once would only be a burden, or lock an account.
        let wait = (seen.start.wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT);
        seen.start = Start { wait, not_before: Some(Instant::now() + wait) };
        match error.is_drivers_fault() {
            true => seen.failed(error),
            false => seen.remember(error),
        }
    }

    /// Waits until the driver may be started again.
    ///
    /// # Errors
    /// When that is after `end`.
    pub(super) async fn start_may_wait(&self, end: Instant) -> Result<(), ClientError> {
        let at = self.seen().start.not_before;
        match at {
            Some(at) if at > end => Err(self.seen().paused(at.saturating_duration_since(Instant::now()))),
            Some(at) => {
                sleep_until(at).await;
                Ok(())
            }
            None => Ok(()),
        }
    }

    pub(super) fn may_pass(&self) -> Result<(), ClientError> {
        let seen = self.seen();
        seen.breaker.would_admit(Instant::now()).map_err(|Refused { next_try }| seen.paused(next_try))
    }

    pub(super) fn pass(self: &Arc<Self>) -> Result<Pass, ClientError> {
        let mut seen = self.seen();
        match seen.breaker.admit(Instant::now()) {
            Ok(probe) => Ok(Pass { monitor: Arc::clone(self), probe }),
            Err(Refused { next_try }) => Err(seen.paused(next_try)),
        }
    }

    pub(super) fn summary(&self) -> Summary {
        let seen = self.seen();
        Summary {
            breaker: seen.breaker.state(Instant::now()),
            failures: seen.breaker.failures(),
            last_failure: seen.last_failure.clone(),
            calls: seen.latencies.all(),
            calls_by_method: seen.latencies.by_method(),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn failed(&mut self, error: &ClientError) {
        self.breaker.failed(Instant::now());
        self.remember(error);
    }

    fn remember(&mut self, error: &ClientError) {
        self.last_failure = Some(LastFailure { at: SystemTime::now(), text: full_text(error) });
    }

    fn paused(&self, next_try: Duration) -> ClientError {
        let last = self.last_failure.as_ref().map_or_else(|| "not known".into(), |last| last.text.clone());
        ClientError::Paused { failures: self.breaker.failures(), next_try, last }
    }
}

/// The leave to make calls.
#[derive(Debug)]
pub(super) struct Pass {
    monitor: Arc<Monitor>,
    /// This is the one that is to see whether the driver is better.
    probe: bool,
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.probe {
            self.monitor.seen().breaker.probe_dropped(Instant::now());
        }
    }
}
