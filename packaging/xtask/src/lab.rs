//! The lab: its scenarios are ordinary tests that no other run plays.

use std::{ffi::OsString, process::ExitCode};

use anyhow::Context;

use crate::{
    build::{self, FAILPOINTS},
    install::LabTools,
};

pub fn run(tools: &LabTools, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let bin_dir = build::programs(&[FAILPOINTS])?;
    let kernel_tests = build::tests("sanfleet-agent", "kernel", "sanfleet-agent/failpoints")?;
    let mut command: Vec<OsString> = vec![tools.cargo_nextest.clone().into()];
    command.extend(
        ["nextest", "run", "--locked", "--package", "sanfleet-lab", "--run-ignored", "only"]
            .map(OsString::from),
    );
    command.extend(arguments.iter().map(OsString::from));
    let status = build::as_root(&command)
        .env("SANFLEET_BIN_DIR", bin_dir)
        .env("SANFLEET_LAB_LAYER", &tools.layer)
        .env("SANFLEET_KERNEL_TESTS", kernel_tests)
        .env("SANFLEET_NATS_SERVER", &tools.nats_server)
        .status()
        .context("cannot start the test runner")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
