//! Tells the controller what the host looks like: in full at the start, on every new connection, when asked and at an
//! interval, and as soon as something changes. A storm of changes becomes few reports, and a change that changes nothing none.
//!
//! It refuses to queue: a report that cannot be sent is dropped, because the next one says everything again.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use prost::Message;
use sanfleet_protocol::{Generation, HostId, Labels, ReportKey, v1};
use tokio::{
    sync::Notify,
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    clock::unix_ms,
    discover::{Discoverer, ProbeLimits, Snapshot},
    host::{Host, HostError},
    report::{self, Report},
};

mod generation;
mod pace;
mod sink;

use generation::Generations;
use pace::Pace;
pub use pace::Timing;
pub use sink::{ReportSink, SinkError};

/// How long the change watcher waits before it looks whether it should end.
const WATCH_TURN: Duration = Duration::from_millis(500);
/// How long a report may take that was begun before the stop.
const LAST_REPORT: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
pub struct ReporterOptions {
    pub host: HostId,
    /// Where the generation is remembered.
    pub state_dir: PathBuf,
    pub timing: Timing,
    pub probes: ProbeLimits,
    pub labels: Labels,
    pub notices: Notices,
    /// What reports are signed by; they go out bare where there is none.
    pub key: Option<ReportKey>,
}

/// Who says that the host has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notices {
    /// The host itself, to a thread that waits for it.
    FromHost,
    /// Whoever changes it, by [`ReporterHandle::changed`]: thousands of simulated hosts in one process need no thread each.
    FromCaller,
}

impl ReporterOptions {
    pub fn new(host: HostId, state_dir: PathBuf) -> Self {
        Self {
            host,
            state_dir,
            timing: Timing::default(),
            probes: ProbeLimits::default(),
            labels: Labels::default(),
            notices: Notices::FromHost,
            key: None,
        }
    }
}

/// The running reporter, which ends when it is dropped.
#[derive(Debug)]
pub struct Reporter {
    handle: ReporterHandle,
    reports: JoinHandle<()>,
}

/// What others may ask of the reporter. None of it waits.
#[derive(Debug, Clone)]
pub struct ReporterHandle {
    signals: Arc<Signals>,
}

impl ReporterHandle {
    /// A full report soon, whether anything has changed or not.
    pub fn report_now(&self) {
        self.signals.full.store(true, Ordering::Release);
        self.signals.raised.notify_one();
    }

    /// Something on the host may have changed.
    pub fn changed(&self) {
        self.signals.change();
    }

    /// The bus is there (again): who listens may have missed anything.
    pub fn reconnected(&self) {
        self.report_now();
    }

    /// The generation of the newest report that was published; 0 before the first.
    pub fn generation(&self) -> Generation {
        Generation(self.signals.published.load(Ordering::Acquire))
    }
}

/// What the reporter is woken by.
#[derive(Debug, Default)]
struct Signals {
    changed: AtomicBool,
    full: AtomicBool,
    stopping: AtomicBool,
    raised: Notify,
    published: AtomicU64,
}

impl Signals {
    fn change(&self) {
        self.changed.store(true, Ordering::Release);
        self.raised.notify_one();
    }

    fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.raised.notify_one();
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

impl Reporter {
    /// Starts reporting; must be called on a tokio runtime.
    pub fn start<S: ReportSink>(
        host: Arc<dyn Host>,
        sink: Arc<S>,
        options: ReporterOptions,
    ) -> Result<Self, HostError> {
        let signals = Arc::new(Signals::default());
        if options.notices == Notices::FromHost {
            watch(Arc::clone(&host), Arc::clone(&signals))?;
        }

        let late = Arc::clone(&signals);
        let discoverer = Discoverer::new(host, options.probes, Arc::new(move || late.change()));
        let work = Loop {
            host: options.host,
            labels: options.labels,
            key: options.key,
            discoverer: Arc::new(discoverer),
            sink,
            signals: Arc::clone(&signals),
            pace: Pace::new(options.timing),
            deadline: options.probes.deadline,
            begun: Instant::now(),
            generations: Generations::load(&options.state_dir, unix_ms()),
            last: None,
        };
        Ok(Self { handle: ReporterHandle { signals }, reports: tokio::spawn(work.run()) })
    }

    pub fn handle(&self) -> ReporterHandle {
        self.handle.clone()
    }

    /// Returns when the last report is out, or after a short while without it.
    pub async fn stop(mut self) {
        self.handle.signals.stop();
        if timeout(LAST_REPORT, &mut self.reports).await.is_err() {
            self.reports.abort();
        }
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.handle.signals.stop();
    }
}

/// Passes on what the host says has changed. Not a task of the runtime: it blocks for as long as the agent lives.
fn watch(host: Arc<dyn Host>, signals: Arc<Signals>) -> Result<(), HostError> {
    const STACK: usize = 256 * 1024;
    let run = move || {
        while !signals.is_stopping() {
            match host.wait_for_change(WATCH_TURN) {
                Ok(Some(_)) => signals.change(),
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(%error, "changes are no longer noticed; reports come at their interval only");
                    return;
                }
            }
        }
    };
    let thread = thread::Builder::new().name("changes".to_owned()).stack_size(STACK).spawn(run);
    thread.map(drop).map_err(|error| HostError::os("thread that waits for changes", error))
}

struct Loop<S> {
    host: HostId,
    labels: Labels,
    key: Option<ReportKey>,
    discoverer: Arc<Discoverer>,
    sink: Arc<S>,
    signals: Arc<Signals>,
    pace: Pace,
    /// Of one device that does not answer.
    deadline: Duration,
    begun: Instant,
    generations: Generations,
    /// What was published last.
    last: Option<Report>,
}

impl<S: ReportSink> Loop<S> {
    async fn run(mut self) {
        while !self.signals.is_stopping() {
            self.take_signals();
            let due = self.begun + self.pace.due();
            if due <= Instant::now() {
                self.report().await;
                continue;
            }
            tokio::select! {
                () = self.signals.raised.notified() => {}
                () = sleep_until(due) => {}
            }
        }
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn take_signals(&mut self) {
        let now = self.now();
        if self.signals.changed.swap(false, Ordering::AcqRel) {
            self.pace.changed(now);
        }
        if self.signals.full.swap(false, Ordering::AcqRel) {
            self.pace.asked();
        }
    }

    async fn report(&mut self) {
        let full = self.pace.begin(self.now());
        let outcome = self.try_report(full).await;
        self.pace.ended(self.now(), self.deadline);
        let Err(error) = outcome else { return };
        match &error {
            // The connection that comes back asks for a report by itself.
            ReportError::Sink(SinkError::Disconnected) => {
                tracing::debug!("no report went out: nobody takes it");
            }
            _ => tracing::warn!(error = &error as &dyn std::error::Error, "no report went out"),
        }
        self.pace.failed(self.now());
    }

    async fn try_report(&mut self, full: bool) -> Result<(), ReportError> {
        let snapshot = self.snapshot().await?;
        let report =
            report::host_report(&self.host, &self.labels, Generation::default(), unix_ms(), &snapshot);
        if !full && self.last.as_ref().is_some_and(|last| last.says_the_same(&report)) {
            return Ok(());
        }
        warn_of_what_is_left_out(&report);
        let generation = self.next_generation().await;
        let report = report.numbered(generation);
        self.sink.publish_report(self.signed(&report.message)).await?;
        self.signals.published.store(generation.0, Ordering::Release);
        tracing::debug!(generation = generation.0, devices = report.message.devices.len(), "reported");
        self.last = Some(report);
        Ok(())
    }

    fn signed(&self, report: &v1::HostReport) -> Bytes {
        Bytes::from(match &self.key {
            Some(key) => key.sign(report).encode_to_vec(),
            None => report.encode_to_vec(),
        })
    }

    async fn snapshot(&self) -> Result<Snapshot, ReportError> {
        let discoverer = Arc::clone(&self.discoverer);
        let taken = tokio::task::spawn_blocking(move || discoverer.snapshot()).await;
        Ok(taken.map_err(|_| ReportError::Lost)??)
    }

    async fn next_generation(&mut self) -> Generation {
        let (generation, promise) = self.generations.next();
        if let Some(promise) = promise {
            // Best effort: without the file the clock still makes generations rise, unless it is set back.
            let kept = tokio::task::spawn_blocking(move || promise.keep()).await;
            if let Ok(Err(error)) = kept {
                tracing::warn!(%error, "the generation of reports is not remembered over a restart");
            }
        }
        generation
    }
}

/// Why no report went out.
#[derive(Debug, thiserror::Error)]
enum ReportError {
    #[error("the host cannot be looked at")]
    Host(#[from] HostError),
    #[error("the bus did not take the report")]
    Sink(#[from] SinkError),
    #[error("looking at the host ended early")]
    Lost,
}

fn warn_of_what_is_left_out(report: &Report) {
    let (devices, mounts) = (report.devices_left_out, report.mounts_left_out);
    if devices + mounts > 0 {
        tracing::warn!(devices, mounts, "left out of the report, which has no room for them");
    }
}

#[cfg(test)]
mod tests;
