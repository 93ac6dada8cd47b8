//! Figures: built as what ships is built, and printed.

use std::process::{Command, ExitCode};

use anyhow::Context;
use clap::Subcommand;

use crate::{build, install};

#[derive(Debug, Subcommand)]
pub enum What {
    /// The plug-in protocol, a driver's process and `lsmcli`, each beside what this machine can do at best.
    Drivers {
        /// Handed on, for example `--output json`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// What the rights on the bus, TLS and the audit cost a copy, beside a bus that is open to all. Needs root.
    Trust {
        /// Handed on: `--copies N`, `--json`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// A fleet of simulated agents on real connections, beside bare NATS. Needs several gigabytes of memory.
    Fleet {
        /// Handed on: `--hosts N`, `--clones N`, `--json`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

pub fn run(what: &What) -> anyhow::Result<ExitCode> {
    match what {
        What::Drivers { arguments } => drivers(arguments),
        What::Fleet { arguments } => fleet("bench", arguments),
        What::Trust { arguments } => trust(arguments),
    }
}

fn drivers(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let packages = ["sanfleet-bench", "sanfleet-driver-sim", "sanfleet-cli"];
    let bin_dir = build::packages(&packages, &["--bins", "--release"])?;
    finish(Command::new(bin_dir.join("drivers")).args(arguments))
}

fn trust(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let tools = install::demo_needs()?;
    let bin_dir = build::packages(&FLEET, &["--bins", "--release"])?;
    let mut words = vec![bin_dir.join("fleet").into_os_string(), "trust".into()];
    words.extend(arguments.iter().map(Into::into));
    finish(
        build::as_root(&words)
            .env("SANFLEET_BIN_DIR", &bin_dir)
            .env("SANFLEET_NATS_SERVER", &tools.nats_server),
    )
}

/// All that a fleet is made of.
const FLEET: [&str; 5] =
    ["sanfleet-scale", "sanfleet-driver-sim", "sanfleet-cli", "sanfleet-agent", "sanfleet-controller"];

/// A part of the program `fleet`, with the programs that ship as they ship.
pub fn fleet(part: &str, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let tools = install::demo_needs()?;
    let bin_dir = build::packages(&FLEET, &["--bins", "--release"])?;
    let mut command = Command::new(bin_dir.join("fleet"));
    finish(
        command
            .args([part, "--bin-dir"])
            .arg(&bin_dir)
            .arg("--nats-server")
            .arg(&tools.nats_server)
            .args(arguments),
    )
}

fn finish(command: &mut Command) -> anyhow::Result<ExitCode> {
    let status =
        command.status().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
