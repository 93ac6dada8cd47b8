//! `fleet`: what a fleet costs, in figures beside their limits, and whether anything grows in a long run.
//!
//! The controller, the bus and the driver are the real processes. The agents are simulated hosts with the agent's own reporter,
//! inbox, ledger and actions, each on a connection of its own. It prints; it judges nothing but growth.

#![allow(
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "it prints figures, none of which needs more than a double has"
)]

mod agent;
mod agents;
mod figures;
mod ground;
mod memory;
mod soak;
mod trust;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use sanfleet_bench::figure;
use sanfleet_tests::control::Programs;

#[derive(Debug, Parser)]
#[command(name = "fleet", version)]
struct Args {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Print the figures.
    Bench {
        #[command(flatten)]
        programs: Where,
        /// How many agents there are in the end.
        #[arg(long, default_value_t = 10_000)]
        hosts: u32,
        /// The largest number of hosts that get a clone.
        #[arg(long, default_value_t = 1_000)]
        clones: u32,
        /// As JSON, one array of rows.
        #[arg(long)]
        json: bool,
    },
    /// What a copy costs where everybody is a user with rights, beside a bus that is open to all. Needs to be root.
    Trust {
        /// So many copies on each.
        #[arg(long, default_value_t = 40)]
        copies: u32,
        /// As JSON, one array of rows.
        #[arg(long)]
        json: bool,
    },
    /// Clone to some hosts and take down again, over and over, and see whether memory grows.
    Soak {
        #[command(flatten)]
        programs: Where,
        #[arg(long, default_value_t = 200)]
        hosts: u32,
        #[arg(long, default_value_t = 10)]
        minutes: u32,
        /// Which orders come in which order.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// A part of the agents, in a process of their own.
    #[command(hide = true)]
    Agents(Box<agents::Args>),
}

/// Where the programs are.
#[derive(Debug, clap::Args)]
struct Where {
    #[arg(long)]
    bin_dir: PathBuf,
    #[arg(long)]
    nats_server: PathBuf,
}

impl Where {
    fn programs(&self) -> Programs {
        Programs::new(&self.bin_dir, &self.nats_server)
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match Args::parse().part {
        Part::Agents(args) => runtime.block_on(agents::run(*args))?,
        Part::Soak { programs, hosts, minutes, seed } => {
            return runtime.block_on(soak::run(programs.programs(), hosts, minutes, seed));
        }
        Part::Bench { programs, hosts, clones, json } => {
            print(&runtime.block_on(figures::measure(programs.programs(), hosts, clones))?, json)?;
        }
        Part::Trust { copies, json } => print(&runtime.block_on(trust::measure(copies))?, json)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn print(rows: &[figure::Row], json: bool) -> anyhow::Result<()> {
    match json {
        true => println!("{}", serde_json::to_string_pretty(rows)?),
        false => print!("{}", figure::table(rows)),
    }
    Ok(())
}
