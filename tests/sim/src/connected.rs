//! An agent over a host in memory: the agent's own parts, with a connection of its own. Its two processes are one here, so that a machine
//! has room for thousands.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use async_nats::Client;
use sanfleet_agent::{
    actions::{Quiesced, Workshop},
    claims::Claims,
    clock::unix_ms,
    config::Policy,
    heartbeat::{Heartbeat, Pulse},
    host::sim::SimHost,
    inbox::Inbox,
    ledger::Ledger,
    policy::Gate,
    pump,
    quiesce::Quiesces,
    relay::NatsSink,
    report_key,
    reporter::{Notices, Reporter, ReporterOptions},
    trust::{Pinned, Trust},
};
use sanfleet_protocol::{HostId, sign::PublicKey};
use tokio::sync::oneshot;

const AT_ONCE: usize = 4;
const MAX_DEAD_MAN: Duration = Duration::from_secs(10);

/// It runs until it is dropped.
#[derive(Debug)]
pub struct SimulatedAgent {
    _reporter: Reporter,
    _heartbeat: Heartbeat,
    _stop: oneshot::Sender<()>,
}

/// What it is made of.
#[derive(Debug)]
pub struct Parts {
    pub id: HostId,
    pub host: SimHost,
    pub client: Client,
    pub state_dir: PathBuf,
    /// Whose commands it heeds.
    pub controller: PublicKey,
    pub notices: Notices,
}

impl SimulatedAgent {
    pub async fn start(parts: Parts) -> anyhow::Result<Self> {
        let Parts { id, host, client, state_dir, controller, notices } = parts;
        fs::create_dir_all(&state_dir)?;
        let ledger = Arc::new(Ledger::open(&state_dir, unix_ms())?);
        let options = ReporterOptions {
            notices,
            key: Some(report_key::load(&state_dir)?),
            ..ReporterOptions::new(id.clone(), state_dir.clone())
        };
        let sink = Arc::new(NatsSink::new(client.clone(), &id));
        let reporter = Reporter::start(Arc::new(host.clone()), Arc::clone(&sink), options)?;
        let heartbeat = Heartbeat::start(sink, Pulse::new(id.clone(), reporter.handle()));
        let handle = reporter.handle();
        let workshop = Workshop {
            host: Arc::new(host.clone()),
            quiesces: Quiesces::with(Arc::new(host.guards()), Arc::clone(&ledger)),
            ledger,
            state_dir,
            gate: Gate::new(Policy::of_simulated_host()),
            quiesced: Quiesced::default(),
            max_dead_man: MAX_DEAD_MAN,
            claims: Claims::default(),
            report_now: Box::new(move || handle.report_now()),
        };
        let trust = Trust::new(Pinned::Controller(controller));
        let inbox = Inbox::new(id.clone(), trust, Arc::new(workshop), AT_ONCE).simulated(unix_ms);
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(pump::run(&id, Arc::new(inbox), client, stopped).await?);
        Ok(Self { _reporter: reporter, _heartbeat: heartbeat, _stop: stop })
    }
}
