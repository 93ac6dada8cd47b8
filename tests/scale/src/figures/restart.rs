//! From the start of a controller to a right catalog; beside reading the same stream and doing nothing with it.

use std::time::{Duration, Instant};

use async_nats::jetstream::{
    self,
    consumer::{DeliverPolicy, pull},
};
use futures::StreamExt;
use sanfleet_bench::figure::{Row, Samples, milli};
use sanfleet_protocol::subject;

use crate::ground::Ground;

const ROUNDS: u32 = 3;
const WITHIN: Duration = Duration::from_secs(120);

pub async fn measure(ground: &mut Ground) -> anyhow::Result<Row> {
    let (mut ours, mut bare) = (Samples::default(), Samples::default());
    for _ in 0..ROUNDS {
        ground.control.kill_controller();
        bare.push(read(ground).await?);
        let begun = Instant::now();
        ground.control.start_controller()?;
        ground.until_right(WITHIN).await?;
        ours.push(begun.elapsed());
    }
    let what =
        format!("a controller starts: all of {} hosts are right (raw: the stream is read)", ground.hosts());
    Ok(Row::new(what, "ms", milli(ours.median())).beside(milli(bare.median())))
}

async fn read(ground: &Ground) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let jetstream = jetstream::new(ground.client.clone());
    let stream = jetstream.get_stream(subject::REPORTS_STREAM).await?;
    let config = pull::OrderedConfig { deliver_policy: DeliverPolicy::All, ..Default::default() };
    let mut messages = stream.create_consumer(config).await?.messages().await?;
    while let Some(message) = messages.next().await {
        let message = message?;
        let pending = message.info().map_err(anyhow::Error::from_boxed)?.pending;
        if pending == 0 {
            break;
        }
    }
    Ok(begun.elapsed())
}
