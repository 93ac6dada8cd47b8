//! One simulated agent of the fleet, and the bare answers of the same connection.

use std::path::PathBuf;

use async_nats::{Client, ConnectOptions};
use futures::StreamExt;
use sanfleet_agent::{
    host::sim::{SimDevice, SimHost, Supply},
    reporter::Notices,
};
use sanfleet_protocol::{HostId, Initiator, VolumeId, sign::PublicKey};
use sanfleet_sim::{LOOP, Parts, SimulatedAgent, published};

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
    _agent: SimulatedAgent,
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
        let options = ConnectOptions::new().name(format!("agent {id}")).retry_on_initial_connect();
        let client = options.connect(&site.url).await?;
        answer_barely(&client, &id).await?;
        let (state_dir, controller) = (site.state.join(id.as_str()), site.key.clone());
        let parts = Parts { id, host, client, state_dir, controller, notices: Notices::FromCaller };
        Ok(Self { _agent: SimulatedAgent::start(parts).await? })
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
