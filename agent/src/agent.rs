//! The running agent: its parts put together, from the first connection to the last goodbye.
//!
//! It refuses to start when it cannot remember (no ledger), and never gives up waiting for the bus.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_nats::{Client, ConnectOptions, Event};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    time::timeout,
};

use crate::{
    actions::{Quiesced, Workshop},
    claims::Claims,
    clock::unix_ms,
    config::Config,
    discover::ProbeLimits,
    host::{
        Host, HostError,
        linux::{LinuxHost, LinuxHostOptions},
    },
    inbox::{self, Inbox},
    ledger::{Ledger, LedgerError},
    policy::Gate,
    quiesce::Quiesces,
    reporter::{NatsSink, Reporter, ReporterHandle, ReporterOptions, Timing},
    trust::Trust,
};

/// Silence of the server is noticed after two of these.
const PING_EVERY: Duration = Duration::from_secs(5);
const RECONNECT_AT_MOST: Duration = Duration::from_secs(8);
/// How long commands that are under way may take to end in good order.
const FINISH_WITHIN: Duration = Duration::from_secs(10);
const SAY_GOODBYE_WITHIN: Duration = Duration::from_secs(3);

#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error("state directory {}", path.display())]
    StateDir {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the configuration names no one key whose commands count")]
    NoKey,
    #[error("the bus cannot be used")]
    Bus(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("what was held when the agent stopped cannot be let go of")]
    LetGo(#[source] tokio::task::JoinError),
    #[error("signals cannot be waited for")]
    Signals(#[source] io::Error),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Host(#[from] HostError),
}

impl AgentError {
    fn bus(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Bus(error.into())
    }
}

/// Runs until it is told to terminate.
pub async fn run(config: Config) -> Result<(), AgentError> {
    let state_dir = prepare_state_dir(&config.state_dir)?;
    let ledger = Arc::new(Ledger::open(&state_dir, unix_ms())?);
    let quiesces = Quiesces::new(PathBuf::from("/proc/self/exe"), Arc::clone(&ledger));
    // First of all: an application that was left held must not wait for the bus.
    let waiting = Arc::clone(&quiesces);
    tokio::task::spawn_blocking(move || waiting.thaw_what_was_held()).await.map_err(AgentError::LetGo)??;
    let host: Arc<dyn Host> = Arc::new(linux_host(&config)?);

    let listener: Arc<OnceLock<ReporterHandle>> = Arc::default();
    let client = connect(&config, Arc::clone(&listener)).await?;
    let options = reporter_options(&config, state_dir.clone());
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
    let trust = Trust::new(config.pinned().ok_or(AgentError::NoKey)?);
    let at_once = usize::from(config.limits.concurrent_commands);
    let inbox = Arc::new(Inbox::new(config.host.clone(), trust, Arc::new(workshop), at_once));
    let (stop, stopped) = oneshot::channel();
    let commands = tokio::spawn(inbox::run(inbox, client.clone(), stopped).await.map_err(AgentError::bus)?);
    // Last: whoever sees the first report may ask for something at once.
    let reporter = Reporter::start(host, NatsSink::new(client.clone(), &config.host), options)?;
    // Set once, and by nobody else.
    let _ = listener.set(reporter.handle());
    tracing::info!(host = %config.host, "the agent runs");

    wait_for_the_end().await?;
    tracing::info!("the agent stops");
    let abandon = tokio::task::spawn_blocking(move || quiesces.abandon_all());
    if abandon.await.is_err() {
        tracing::error!("letting go of what is held ended early; the guards let go by themselves");
    }
    // The pump is gone when nobody hears it.
    let _ = stop.send(());
    if timeout(FINISH_WITHIN, commands).await.is_err() {
        tracing::warn!("commands are still under way; their results are lost");
    }
    reporter.stop().await;
    let _ = timeout(SAY_GOODBYE_WITHIN, client.drain()).await;
    Ok(())
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

fn reporter_options(config: &Config, state_dir: PathBuf) -> ReporterOptions {
    let full_interval = Duration::from_millis(config.report.full_interval_ms.into());
    ReporterOptions {
        timing: Timing { full_interval, ..Timing::default() },
        heartbeat_interval: Duration::from_millis(config.report.heartbeat_ms.into()),
        probes: probe_limits(config),
        labels: config.labels.clone(),
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
fn prepare_state_dir(path: &Path) -> Result<PathBuf, AgentError> {
    let failed = |source| AgentError::StateDir { path: path.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    path.canonicalize().map_err(failed)
}

/// Returns at once; the connection comes when there is a server.
async fn connect(config: &Config, reporter: Arc<OnceLock<ReporterHandle>>) -> Result<Client, AgentError> {
    let nats = &config.nats;
    let mut options = ConnectOptions::new()
        .name(format!("sanfleet-agent {}", config.host))
        .custom_inbox_prefix(format!("_INBOX_{}", config.host))
        .ping_interval(PING_EVERY)
        .retry_on_initial_connect()
        .reconnect_delay_callback(pause_before)
        .event_callback(move |event| {
            note(&event);
            if matches!(event, Event::Connected)
                && let Some(reporter) = reporter.get()
            {
                reporter.reconnected();
            }
            std::future::ready(())
        });
    if let Some(path) = &nats.credentials {
        options = options.credentials_file(path).await.map_err(AgentError::bus)?;
    }
    if let Some(path) = &nats.ca {
        options = options.add_root_certificates(path.clone()).require_tls(true);
    }
    if let (Some(cert), Some(key)) = (&nats.cert, &nats.key) {
        options = options.add_client_certificate(cert.clone(), key.clone()).require_tls(true);
    }
    options.connect(nats.url.as_slice()).await.map_err(AgentError::bus)
}

/// Doubles with every attempt. A part of it is by chance, so that a fleet that lost its server does not come back as one.
fn pause_before(attempt: usize) -> Duration {
    let doubled = Duration::from_millis(50).saturating_mul(1 << attempt.min(10));
    let longest = doubled.min(RECONNECT_AT_MOST);
    let chance = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    longest / 2 + (longest / 2).mul_f64(f64::from(chance % 1000) / 1000.0)
}

fn note(event: &Event) {
    match event {
        Event::Connected => tracing::info!("connected to the bus"),
        Event::Disconnected => tracing::warn!("the connection to the bus is lost"),
        other => tracing::warn!(event = %other, "the bus"),
    }
}

async fn wait_for_the_end() -> Result<(), AgentError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(AgentError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(AgentError::Signals)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_to_come_back_grow_apart_and_stay_within_seconds() {
        for attempt in 0..100 {
            let pause = pause_before(attempt);
            assert!(pause >= Duration::from_millis(25) && pause <= RECONNECT_AT_MOST, "{attempt}: {pause:?}");
        }
        assert!(pause_before(20) >= RECONNECT_AT_MOST / 2);
    }
}
