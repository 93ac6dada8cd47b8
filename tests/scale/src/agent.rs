//! One simulated agent: the agent's own parts over a host in memory, with a connection of its own. Its two processes are one here, so
//! that a machine has room for ten thousand.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_nats::{Client, ConnectOptions};
use futures::StreamExt;
use sanfleet_agent::{
    actions::{Quiesced, Workshop},
    claims::Claims,
    clock::unix_ms,
    config::Policy,
    heartbeat::{Heartbeat, Pulse},
    host::sim::{SimDevice, SimHost, Supply},
    inbox::Inbox,
    ledger::Ledger,
    policy::Gate,
    pump,
    quiesce::Quiesces,
    report_key,
    reporter::{NatsSink, Notices, Reporter, ReporterOptions},
    trust::{Pinned, Trust},
};
use sanfleet_protocol::{HostId, Initiator, VolumeId, sign::PublicKey};
use sanfleet_sim::{LOOP, published};
use tokio::sync::oneshot;

const AT_ONCE: usize = 4;
const MAX_DEAD_MAN: Duration = Duration::from_secs(10);

/// Where a part of the fleet is.
#[derive(Debug, Clone)]
pub struct Site {
    pub url: String,
    pub key: PublicKey,
    /// Below it each agent has its state.
    pub state: PathBuf,
    /// Where the array publishes volumes.
    pub fabric: PathBuf,
    /// How many disks of its own each host has.
    pub devices: u32,
}

/// It runs until it is dropped.
pub struct Agent {
    _reporter: Reporter,
    _heartbeat: Heartbeat,
    _stop: oneshot::Sender<()>,
}

/// The name of a host by its number. Names sort as numbers do.
pub fn name(number: u32) -> HostId {
    format!("h{number:05}").parse().unwrap_or_else(|_| unreachable!("letters and digits are a host's name"))
}

pub fn initiator(host: &HostId) -> Initiator {
    format!("iqn.2026-11.org.example:{host}")
        .parse()
        .unwrap_or_else(|_| unreachable!("a host's name makes an initiator's"))
}

/// Where the bare answers of the same connection come from.
pub fn limit_subject(host: &HostId) -> String {
    format!("limit.{host}")
}

impl Agent {
    pub async fn start(number: u32, site: &Site) -> anyhow::Result<Self> {
        let id = name(number);
        let host = simulated(number, &id, site);
        let state_dir = site.state.join(id.as_str());
        std::fs::create_dir_all(&state_dir)?;
        let options = ConnectOptions::new().name(format!("agent {id}")).retry_on_initial_connect();
        let client = options.connect(&site.url).await?;
        answer_barely(&client, &id).await?;

        let ledger = Arc::new(Ledger::open(&state_dir, unix_ms())?);
        let options = ReporterOptions {
            notices: Notices::FromCaller,
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
        let trust = Trust::new(Pinned::Controller(site.key.clone()));
        let inbox = Inbox::new(id.clone(), trust, Arc::new(workshop), AT_ONCE).simulated(unix_ms);
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(pump::run(&id, Arc::new(inbox), client, stopped).await?);
        Ok(Self { _reporter: reporter, _heartbeat: heartbeat, _stop: stop })
    }
}

fn simulated(number: u32, id: &HostId, site: &Site) -> SimHost {
    let initiator = initiator(id);
    let (fabrics, whose) = (vec![site.fabric.clone()], initiator.clone());
    let supply = Supply::new(move |volume| {
        let units = published(&fabrics, &whose);
        units.iter().find(|unit| unit.id == *volume).map(sanfleet_sim::Published::device)
    });
    let disks =
        (0..site.devices).map(|disk| SimDevice::disk(&format!("sd{disk}"), vec![disk_id(number, disk)]));
    let builder = SimHost::builder().hostname(id.as_str()).initiator(initiator);
    builder.fabric_with(LOOP, supply).devices(disks).build()
}

/// No two disks of the fleet are the same volume.
fn disk_id(host: u32, disk: u32) -> VolumeId {
    let mut bytes = [0x60, 0x25, 0x34, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let number = (u64::from(host) << 32) | u64::from(disk);
    for (place, byte) in bytes.iter_mut().skip(8).zip(number.to_be_bytes()) {
        *place = byte;
    }
    VolumeId::naa(&bytes).unwrap_or_else(|| unreachable!("sixteen bytes that begin with 6 are an NAA id"))
}

/// Answers each request with as many bytes as its first four say, and does nothing else.
async fn answer_barely(client: &Client, host: &HostId) -> anyhow::Result<()> {
    let mut questions = client.subscribe(limit_subject(host)).await?;
    let client = client.clone();
    tokio::spawn(async move {
        while let Some(question) = questions.next().await {
            let wanted = question.payload.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
            let answer = vec![0; usize::try_from(wanted.min(1 << 20)).unwrap_or_default()];
            if let Some(reply) = question.reply
                && client.publish(reply, answer.into()).await.is_err()
            {
                return;
            }
        }
    });
    Ok(())
}
