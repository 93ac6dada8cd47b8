//! The lab: its scenarios are ordinary tests that no other run plays.

use std::{ffi::OsString, fs, process::ExitCode};

use anyhow::{Context, ensure};

use crate::{
    build::{self, FAILPOINTS},
    install::LabTools,
};

/// Plays what takes long and what measures, too.
const ALL: &str = "--all";
const ALL_BUT_LONG: [&str; 2] = ["--filterset", "not (binary(conformance) or binary(many))"];

/// The registers of these extensions are more than the guests' kernel hands from one process to the next: its first program dies.
const TOO_MUCH_TO_KEEP: &str = "amx_tile";

pub fn run(tools: &LabTools, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let processor = fs::read_to_string("/proc/cpuinfo").context("cannot read what processor this is")?;
    ensure!(
        !has(&processor, TOO_MUCH_TO_KEEP),
        "guests do not start on this processor: it has {TOO_MUCH_TO_KEEP}, which the kernel of the lab's guests does not know; \
         run the lab on another machine"
    );
    let bin_dir = build::programs(&[FAILPOINTS])?;
    let kernel_tests = build::tests("sanfleet-agent", "kernel", "sanfleet-agent/failpoints")?;
    let mut command: Vec<OsString> = vec![tools.cargo_nextest.clone().into()];
    command.extend(
        ["nextest", "run", "--locked", "--package", "sanfleet-lab", "--run-ignored", "only"]
            .map(OsString::from),
    );
    command.extend(chosen(arguments).into_iter().map(OsString::from));
    let status = build::as_root(&command)
        .env("SANFLEET_BIN_DIR", bin_dir)
        .env("SANFLEET_LAB_LAYER", &tools.layer)
        .env("SANFLEET_KERNEL_TESTS", kernel_tests)
        .env("SANFLEET_NATS_SERVER", &tools.nats_server)
        .status()
        .context("cannot start the test runner")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn has(cpuinfo: &str, flag: &str) -> bool {
    let flags = cpuinfo.lines().filter(|line| line.starts_with("flags"));
    flags.flat_map(str::split_whitespace).any(|word| word == flag)
}

/// What the runner is told: whoever chooses scenarios gets those, long or not.
fn chosen(arguments: &[String]) -> Vec<&str> {
    let told = arguments.iter().map(String::as_str).filter(|argument| *argument != ALL);
    match arguments.is_empty() {
        true => ALL_BUT_LONG.to_vec(),
        false => told.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_has_the_flags_that_it_names() {
        let cpuinfo = "model name\t: amx_tile\nflags\t\t: fpu avx512f amx_bf16\n";
        assert!(has(cpuinfo, "amx_bf16") && !has(cpuinfo, "amx_tile") && !has("", "fpu"));
    }

    #[test]
    fn what_is_long_is_played_when_all_or_that_is_asked_for() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(chosen(&[]), ALL_BUT_LONG);
        assert_eq!(chosen(&words("--all")), [""; 0]);
        assert_eq!(chosen(&words("-E binary(conformance)")), ["-E", "binary(conformance)"]);
    }
}
