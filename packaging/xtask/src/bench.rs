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
    }
}

fn drivers(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let packages = ["sanfleet-bench", "sanfleet-driver-sim", "sanfleet-cli"];
    let bin_dir = build::packages(&packages, &["--bins", "--release"])?;
    finish(Command::new(bin_dir.join("drivers")).args(arguments))
}

/// A part of the program `fleet`, with the programs that ship as they ship.
pub fn fleet(part: &str, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let tools = install::demo_needs()?;
    let packages =
        ["sanfleet-scale", "sanfleet-driver-sim", "sanfleet-cli", "sanfleet-agent", "sanfleet-controller"];
    let bin_dir = build::packages(&packages, &["--bins", "--release"])?;
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
