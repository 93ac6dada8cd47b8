//! From a report that says something new to the event at a subscriber; beside a message that a stream keeps and hands on.

use std::time::{Duration, Instant};

use anyhow::Context;
use async_nats::jetstream::{
    self,
    consumer::{DeliverPolicy, pull},
    stream::Config,
};
use futures::StreamExt;
use prost::Message as _;
use sanfleet_bench::figure::{Row, Samples, micro};
use sanfleet_protocol::{HostId, VERSION, subject, v1};
use tokio::time::timeout;

use crate::ground::{DEVICES, Ground};

const ROUNDS: u32 = 400;
/// The first are not counted.
const WARM_UP: u32 = 40;
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);
/// A stream of the same kind as that of the events.
const LIMIT: &str = "LIMIT";

pub async fn measure(ground: &Ground) -> anyhow::Result<Vec<Row>> {
    let jetstream = jetstream::new(ground.client.clone());
    let subjects = vec!["limit-stream.>".to_owned()];
    let config = Config { name: LIMIT.to_owned(), subjects, ..Default::default() };
    jetstream.get_or_create_stream(config).await?;

    let mut ours = Samples::default();
    let host: HostId = "probe".parse()?;
    let mut events = follow(&jetstream, subject::EVENTS_STREAM, subject::events_about(host.as_str())).await?;
    // Of its first report only that the host is there is told.
    say(ground, &host, 0).await?;
    let mut size = arrival(&mut events).await?;
    for round in 1..ROUNDS {
        let begun = Instant::now();
        say(ground, &host, round).await?;
        size = arrival(&mut events).await?;
        if round >= WARM_UP {
            ours.push(begun.elapsed());
        }
    }
    ground.forget(&host).await?;

    let mut bare = Samples::default();
    let mut messages = follow(&jetstream, LIMIT, "limit-stream.probe".to_owned()).await?;
    for round in 0..ROUNDS {
        let begun = Instant::now();
        jetstream.publish("limit-stream.probe", vec![0; size].into()).await?;
        arrival(&mut messages).await?;
        if round >= WARM_UP {
            bare.push(begun.elapsed());
        }
    }
    let hosts = ground.hosts();
    let row = |name: &str, ours: Duration, bare: Duration| {
        let what = format!(
            "a changed report to its event, {name}, {hosts} agents there (raw: a message through a stream)"
        );
        Row::new(what, "us", micro(ours)).beside(micro(bare))
    };
    Ok(vec![
        row("median", ours.median(), bare.median()),
        row("p99", ours.quantile(0.99), bare.quantile(0.99)),
    ])
}

/// From now on.
async fn follow(
    jetstream: &jetstream::Context,
    stream: &str,
    filter_subject: String,
) -> anyhow::Result<pull::Ordered> {
    let stream = jetstream.get_stream(stream).await?;
    let config =
        pull::OrderedConfig { deliver_policy: DeliverPolicy::New, filter_subject, ..Default::default() };
    Ok(stream.create_consumer(config).await?.messages().await?)
}

/// Waits for the next message, and says how large it is.
async fn arrival(messages: &mut pull::Ordered) -> anyhow::Result<usize> {
    let message = timeout(ARRIVES_WITHIN, messages.next()).await.context("nothing arrived in time")?;
    Ok(message.context("the stream ended")??.payload.len())
}

async fn say(ground: &Ground, host: &HostId, round: u32) -> anyhow::Result<()> {
    let report = report(host, round).encode_to_vec();
    Ok(ground.client.publish(subject::report(host), report.into()).await?)
}

/// A host with its disks, and every other time with one more.
fn report(host: &HostId, round: u32) -> v1::HostReport {
    let disk = |number: u32| v1::BlockDevice {
        name: format!("sd{number}"),
        major: 8,
        minor: number,
        kind: v1::DeviceKind::Disk.into(),
        size_bytes: 1 << 30,
        ..Default::default()
    };
    v1::HostReport {
        version: VERSION,
        host: host.to_string(),
        // Newer than those of a measurement before this one.
        generation: u64::try_from(sanfleet_controller::clock::now_unix_ms()).unwrap_or_default() * 1_000
            + u64::from(round),
        boot_id: "probe".to_owned(),
        devices: (0..DEVICES + round % 2).map(disk).collect(),
        ..Default::default()
    }
}
