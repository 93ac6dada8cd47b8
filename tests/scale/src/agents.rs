//! Some thousands of agents in a process of their own, so that no process has more files open than it may.

use std::path::PathBuf;

use anyhow::Context;
use futures::{StreamExt, TryStreamExt};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sanfleet_protocol::sign::PublicKey;

use crate::agent::{Agent, Site};

/// Connections that are made at one time.
const AT_ONCE: usize = 64;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(long)]
    first: u32,
    #[arg(long)]
    count: u32,
    #[arg(long)]
    devices: u32,
    #[arg(long)]
    url: String,
    #[arg(long)]
    key: PublicKey,
    #[arg(long)]
    state: PathBuf,
    #[arg(long)]
    fabric: PathBuf,
}

/// Runs until it is told to terminate.
pub async fn run(args: Args) -> anyhow::Result<()> {
    raise_file_limit()?;
    let Args { first, count, devices, url, key, state, fabric } = args;
    let site = Site { url, key, state, fabric, devices };
    let numbers = futures::stream::iter(first..first.saturating_add(count));
    let starting = numbers.map(|number| Agent::start(number, &site)).buffer_unordered(AT_ONCE);
    let agents: Vec<Agent> = starting.try_collect().await?;
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    terminate.recv().await;
    drop(agents);
    Ok(())
}

/// As many open files as the machine allows us.
fn raise_file_limit() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
        .context("the limit of open files cannot be raised")
}
