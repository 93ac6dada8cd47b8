//! The process that does what is to be done on this host, with root's rights and without a network.
//!
//! Commands reach it through the [door](crate::door) as they came off the bus, and it opens, judges and remembers them itself: the
//! one who hands them over is believed nothing. It refuses to start when it cannot remember (no ledger).

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use sanfleet_protocol::ReportKey;
use tokio_util::sync::CancellationToken;

use crate::{
    actions::{Quiesced, Workshop},
    claims::Claims,
    clock::unix_ms,
    config::Config,
    discover::ProbeLimits,
    door::{Door, DoorError},
    heartbeat::Pulse,
    host::{
        Host, HostError,
        linux::{LinuxHost, LinuxHostOptions},
    },
    inbox::Inbox,
    ledger::{Ledger, LedgerError},
    policy::Gate,
    quiesce::Quiesces,
    report_key::{self, ReportKeyError},
    reporter::{Reporter, ReporterHandle, ReporterOptions, Timing},
    signals,
    trust::Trust,
};

mod doorway;
mod session;

use doorway::Doorway;
use session::Service;

#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    #[error("state directory {}", path.display())]
    StateDir {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the configuration names no one key whose commands count")]
    NoKey,
    #[error("what was held when the agent stopped cannot be let go of")]
    LetGo(#[source] tokio::task::JoinError),
    #[error("signals cannot be waited for")]
    Signals(#[source] io::Error),
    #[error(transparent)]
    Door(#[from] DoorError),
    #[error("the key that reports are signed by")]
    ReportKey(#[from] ReportKeyError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Host(#[from] HostError),
}

/// Runs until it is told to terminate.
pub async fn run(config: Config) -> Result<(), HelperError> {
    let stop = signals::stop_when_told().map_err(HelperError::Signals)?;
    let state_dir = prepare_state_dir(&config.state_dir)?;
    let ledger = Arc::new(Ledger::open(&state_dir, unix_ms())?);
    let quiesces = Quiesces::new(PathBuf::from("/proc/self/exe"), Arc::clone(&ledger));
    // First of all: an application that was left held must not wait for anybody.
    let waiting = Arc::clone(&quiesces);
    tokio::task::spawn_blocking(move || waiting.thaw_what_was_held()).await.map_err(HelperError::LetGo)??;
    let host: Arc<dyn Host> = Arc::new(linux_host(&config)?);

    let (listener, doorway) = (Arc::<OnceLock<ReporterHandle>>::default(), Arc::<Doorway>::default());
    let key = report_key::load(&state_dir)?;
    tracing::info!(host = %config.host, "reports are signed by {}", key.public());
    let options = reporter_options(&config, state_dir.clone(), key);
    let workshop = Workshop {
        host: Arc::clone(&host),
        ledger,
        quiesces: Arc::clone(&quiesces),
        state_dir,
        gate: Gate::new(config.policy.clone()),
        quiesced: Quiesced { databases: config.database.clone(), hooks: config.hook.clone() },
        claims: Claims::default(),
        max_dead_man: config.limits.max_dead_man(),
        report_now: report_now(Arc::clone(&listener)),
    };
    let trust = Trust::new(config.pinned().ok_or(HelperError::NoKey)?);
    let at_once = usize::from(config.limits.concurrent_commands);
    let inbox = Arc::new(Inbox::new(config.host.clone(), trust, Arc::new(workshop), at_once));
    let reporter = Reporter::start(host, Arc::clone(&doorway), options)?;
    // Set once, and by nobody else.
    let _ = listener.set(reporter.handle());
    let pulse = Pulse {
        host: config.host.clone(),
        interval: Duration::from_millis(config.report.heartbeat_ms.into()),
        generation: reporter.handle(),
    };
    let service = Service { inbox, quiesces, reporter: reporter.handle(), doorway, pulse };
    // Last: whoever comes in is served at once.
    let door = Door::open(&config.helper)?;
    tracing::info!(host = %config.host, "the helper runs");
    serve(&door, &service, &stop).await;
    tracing::info!("the helper stops");
    reporter.stop().await;
    Ok(())
}

/// One relay after the other: of two that run at one time the second waits.
async fn serve(door: &Door, service: &Service, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        tokio::select! {
            stream = door.accept() => {
                tracing::info!("the agent is there");
                service.serve(stream, stop).await;
            }
            () = stop.cancelled() => {}
        }
    }
}

/// The host as the configuration has it.
pub fn linux_host(config: &Config) -> Result<LinuxHost, HostError> {
    LinuxHost::new(LinuxHostOptions {
        loop_fabric: config.fabric.loopback.as_ref().map(|fabric| fabric.dir.clone()),
        iscsi: config.fabric.iscsi.clone(),
        fc: config.fabric.fc,
        initiators: config.initiators.clone(),
        unit_dir: config.unit_dir.clone(),
        exec: config.policy.exec,
        ..LinuxHostOptions::default()
    })
}

pub fn probe_limits(config: &Config) -> ProbeLimits {
    let deadline = Duration::from_millis(config.report.probe_deadline_ms.into());
    ProbeLimits { deadline, ..ProbeLimits::default() }
}

fn reporter_options(config: &Config, state_dir: PathBuf, key: ReportKey) -> ReporterOptions {
    let full_interval = Duration::from_millis(config.report.full_interval_ms.into());
    ReporterOptions {
        timing: Timing { full_interval, ..Timing::default() },
        probes: probe_limits(config),
        labels: config.labels.clone(),
        key: Some(key),
        ..ReporterOptions::new(config.host.clone(), state_dir)
    }
}

/// Nothing is asked of a reporter that does not report yet: its first report is a full one.
fn report_now(reporter: Arc<OnceLock<ReporterHandle>>) -> Box<dyn Fn() + Send + Sync> {
    Box::new(move || {
        if let Some(reporter) = reporter.get() {
            reporter.report_now();
        }
    })
}

/// Made for us alone, and known by its real path: whether it is on a file system that is to be held still must be plain.
fn prepare_state_dir(path: &Path) -> Result<PathBuf, HelperError> {
    let failed = |source| HelperError::StateDir { path: path.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    path.canonicalize().map_err(failed)
}
