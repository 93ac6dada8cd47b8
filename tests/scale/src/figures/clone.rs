//! A clone to so many hosts, and what it costs for each; beside what the array alone takes for the same.

use std::time::{Duration, Instant};

use anyhow::Context;
use sanfleet_bench::figure::{Row, milli};
use sanfleet_driver::{InitiatorType, ReplicateType};

use crate::{
    agent,
    ground::{ARRAY, Ground, TEMPLATE},
};

/// Clones that are made straight at the array.
const AT_THE_ARRAY: u32 = 100;
const CALL: Duration = Duration::from_secs(20);
const PLAN_AT_MOST_MS: f64 = 1_000.0;

pub async fn measure(ground: &Ground, count: u32) -> anyhow::Result<Vec<Row>> {
    let hosts = first(ground, count);
    let mount = format!("/srv/copy-{count}");
    let source = format!("{ARRAY}/{TEMPLATE}");
    let order = ["clone", &source, "--to", &hosts, "--mount", &mount];

    let begun = Instant::now();
    ground.control.cli(&[&order[..], &["--dry-run"]].concat())?;
    let planned = begun.elapsed();
    let begun = Instant::now();
    let cloned = ground.control.cli(&[&order[..], &["--yes"]].concat());
    cloned.map_err(|error| error.context(ground.what_failed()))?;
    let took = begun.elapsed();
    let bare = straight(ground, count).await?;
    Ok(vec![
        Row::new(format!("a clone to {count} hosts is planned"), "ms", milli(planned))
            .at_most(PLAN_AT_MOST_MS),
        Row::new(
            format!("a clone to {count} hosts, for each (raw: the array alone, one after another)"),
            "ms",
            milli(took / count),
        )
        .beside(milli(bare)),
    ])
}

/// A pattern for the first hosts, whose number is a power of ten.
fn first(ground: &Ground, count: u32) -> String {
    let name = agent::name(ground.hosts().saturating_sub(1)).to_string();
    let digits = usize::try_from(count.ilog10()).unwrap_or_default();
    let begin = agent::name(0).to_string();
    format!("{}*", begin.get(..name.len() - digits).unwrap_or("h"))
}

/// What a driver takes for one clone that one initiator may see.
async fn straight(ground: &Ground, count: u32) -> anyhow::Result<Duration> {
    let mut session = ground.array.session().await?;
    let volumes = session.volumes(None).await?;
    let template = volumes.iter().find(|volume| volume.name == TEMPLATE).context("no template")?;
    let systems = session.systems().await?;
    let system = systems.first().context("no system")?;
    let begun = Instant::now();
    for number in 0..AT_THE_ARRAY {
        let name = format!("straight-{count}-{number}");
        let outcome = session.volume_replicate(None, ReplicateType::CLONE, template, &name).await?;
        let volume = session.finish(outcome, CALL).await?;
        let initiator = format!("iqn.2026-11.org.example.straight:{name}");
        let group = session.access_group_create(&name, &initiator, InitiatorType::ISCSI, system).await?;
        session.volume_mask(&group, &volume).await?;
    }
    let each = begun.elapsed() / AT_THE_ARRAY;
    session.close().await?;
    Ok(each)
}
