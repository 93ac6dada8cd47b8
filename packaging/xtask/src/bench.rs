//! Figures: built as what ships is built, and printed.

use std::process::{Command, ExitCode};

use anyhow::Context;
use clap::Subcommand;

use crate::build;

#[derive(Debug, Subcommand)]
pub enum What {
    /// The plug-in protocol, a driver's process and `lsmcli`, each beside what this machine can do at best.
    Drivers {
        /// Handed on, for example `--output json`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

pub fn run(what: &What) -> anyhow::Result<ExitCode> {
    let What::Drivers { arguments } = what;
    let packages = ["sanfleet-bench", "sanfleet-driver-sim", "sanfleet-cli"];
    let bin_dir = build::packages(&packages, &["--bins", "--release"])?;
    let program = bin_dir.join("drivers");
    let status = Command::new(&program)
        .args(arguments)
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
