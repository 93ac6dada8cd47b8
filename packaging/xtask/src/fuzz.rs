//! Fuzzing led by coverage, on a stable compiler: the compiler counts the edges, libFuzzer reads the counters.
//!
//! What is found stays: inputs that lead somewhere new below the build directory, inputs that kill a target beside them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, bail};
use clap::Args;

use crate::{build, install};

/// Counters on every edge and a table of where they are, as libFuzzer wants them (SanitizerCoverage, LLVM).
const COUNTERS: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
];
/// What a build for figures turns off, and a hunt for faults wants on.
const PROFILE: [(&str, &str); 5] = [
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only"),
    ("CARGO_PROFILE_RELEASE_STRIP", "none"),
    ("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true"),
    ("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true"),
];
/// An input that takes longer, in seconds, or more memory, in MiB, is a find.
const LONGEST: u32 = 10;
const MEMORY: u32 = 1_024;
const LONGEST_INPUT: u32 = 4_096;

#[derive(Debug, Args)]
pub struct Hunt {
    /// For each target.
    #[arg(long, default_value_t = 600)]
    seconds: u32,
    /// Run the target once, with this file, instead.
    #[arg(long, requires = "target")]
    input: Option<PathBuf>,
    /// One decoder; without it all, one after the other.
    target: Option<String>,
}

pub fn run(hunt: &Hunt) -> anyhow::Result<ExitCode> {
    install::fuzz_needs()?;
    let seeds = build::workspace().join("tests/fuzz/seeds");
    let targets = targets(&seeds)?;
    let chosen: Vec<&String> =
        targets.iter().filter(|name| hunt.target.as_ref().is_none_or(|wanted| *name == wanted)).collect();
    if chosen.is_empty() {
        bail!("there is no such target; there are {}", targets.join(", "));
    }
    let folder = install::target_directory().join("fuzz");
    let program = built(&folder)?;
    if let (Some(input), [target]) = (&hunt.input, chosen.as_slice()) {
        let status = Command::new(&program).arg(input).env("SANFLEET_FUZZ_TARGET", target).status()?;
        return Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let mut died = Vec::new();
    for target in chosen {
        eprintln!("{target}: {} s", hunt.seconds);
        if !survives(&program, target, &folder, &seeds, hunt.seconds)? {
            died.push(target.as_str());
        }
    }
    if died.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    for target in died {
        eprintln!(
            "{target} died of an input in {}: cargo xtask fuzz --input FILE {target}",
            crashes(&folder).display()
        );
    }
    Ok(ExitCode::FAILURE)
}

/// Each target has a folder of seeds by its name.
fn targets(seeds: &Path) -> anyhow::Result<Vec<String>> {
    let entries = fs::read_dir(seeds).with_context(|| format!("cannot read {}", seeds.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

/// Below a folder of its own and for a named machine, so that neither build scripts nor other builds are counted.
fn built(folder: &Path) -> anyhow::Result<PathBuf> {
    let host = host()?;
    let mut build = build::cargo();
    build
        .args(["build", "--locked", "--release", "--package", "sanfleet-fuzz", "--features", "coverage"])
        .args(["--bin", "fuzz", "--target", &host, "--target-dir"])
        .arg(folder)
        .env("CARGO_ENCODED_RUSTFLAGS", COUNTERS.join("\u{1f}"))
        .envs(PROFILE);
    let status = build.status().context("cannot start cargo")?;
    anyhow::ensure!(status.success(), "the build ended with {status}");
    Ok(folder.join(host).join("release/fuzz"))
}

fn host() -> anyhow::Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().context("cannot start rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("rustc names no host")
}

fn survives(program: &Path, target: &str, folder: &Path, seeds: &Path, seconds: u32) -> anyhow::Result<bool> {
    let (corpus, crashes) = (folder.join("corpus").join(target), crashes(folder));
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&crashes)?;
    let status = Command::new(program)
        .env("SANFLEET_FUZZ_TARGET", target)
        .args([&corpus, &seeds.join(target)])
        .arg(format!("-artifact_prefix={}/{target}-", crashes.display()))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={LONGEST}"))
        .arg(format!("-rss_limit_mb={MEMORY}"))
        .arg(format!("-max_len={LONGEST_INPUT}"))
        .args(["-print_final_stats=1", "-verbosity=1"])
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    Ok(status.success())
}

fn crashes(folder: &Path) -> PathBuf {
    folder.join("crashes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_of_seeds_is_a_target() {
        let targets = targets(&build::workspace().join("tests/fuzz/seeds")).unwrap();
        assert!(targets.iter().any(|target| target == "frame") && targets.len() >= 5, "{targets:?}");
    }
}
