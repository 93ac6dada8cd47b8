//! The whole test run, ending in the runner's summary.

use std::{ffi::OsString, process::ExitCode};

use anyhow::Context;

use crate::{
    build::{self, FAILPOINTS},
    install::Tools,
};

pub fn run(tools: &Tools, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let bin_dir = build::programs(&[FAILPOINTS])?;
    let runner = tools.cargo_nextest.as_ref().context("the test runner is not installed")?;
    let mut command: Vec<OsString> = vec![runner.into()];
    command
        .extend(["nextest", "run", "--locked", "--workspace", "--features", FAILPOINTS].map(OsString::from));
    command.extend(arguments.iter().map(OsString::from));
    let status = build::as_root(&command)
        .env("SANFLEET_BIN_DIR", bin_dir)
        .env("SANFLEET_NATS_SERVER", &tools.nats_server)
        .status()
        .context("cannot start the test runner")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
