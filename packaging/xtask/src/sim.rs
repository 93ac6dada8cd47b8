//! The simulated fleet: seeds by number, or one again.

use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::build;

pub fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let bin_dir = build::packages(&["sanfleet-sim"], &["--bins"])?;
    let program = bin_dir.join("fleet-sim");
    let status = Command::new(&program)
        .args(arguments)
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
