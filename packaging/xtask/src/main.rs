//! `cargo xtask`: the errands of this repository. Nothing that ships depends on it.

mod bench;
mod build;
mod conformance;
mod demo;
mod fuzz;
mod install;
mod judges;
mod lab;
mod sbom;
mod sim;
mod test;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    errand: Errand,
}

#[derive(Debug, Subcommand)]
enum Errand {
    /// Install what the demo and the tests need, as far as it is missing, and say where it is.
    Install,
    /// Copy a live database and mount the copy on another host: real processes, a simulated array.
    Demo {
        /// Leave everything running until Ctrl-C, to look around.
        #[arg(long)]
        keep: bool,
        /// Where the programs are; without it they are built.
        #[arg(long, hide = true, requires = "nats_server")]
        bin_dir: Option<PathBuf>,
        #[arg(long, hide = true)]
        nats_server: Option<PathBuf>,
    },
    /// Hold an array driver against the protocol: `--uri URI [--driver PATH] [--allow-changes] …`, and `-- --help` for the rest.
    Conformance {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        arguments: Vec<String>,
    },
    /// Feed foreign bytes to every decoder, led by coverage.
    Fuzz(fuzz::Hunt),
    /// Print figures.
    Bench {
        #[command(subcommand)]
        what: bench::What,
    },
    /// Keep a fleet of simulated agents at work for minutes, and see whether memory grows: `--minutes N`, `--hosts N`, `--seed S`.
    Soak {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Print the bill of materials of what ships, as CycloneDX.
    Sbom,
    /// Play seeds of the simulated fleet: `--seeds N [--from S]`, or `--seed S` to play one again.
    Sim {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Have others' clients judge the emulators that drivers are tested against.
    Judges,
    /// Run what needs kernels of its own: guests with an array, hosts and a network between them.
    Lab {
        /// `--all` for what takes longer than all the rest, too; or handed on to the test runner, for example a part of a scenario's name.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run all tests.
    Test {
        /// Handed on to the test runner, for example a part of a test's name.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    match Args::parse().errand {
        Errand::Install => {
            install::demo_needs()?;
            eprintln!("{}", install::test_needs()?);
            Ok(ExitCode::SUCCESS)
        }
        Errand::Demo { keep, bin_dir: Some(bin_dir), nats_server: Some(nats_server) } => {
            demo::run(&bin_dir, &nats_server, keep)
        }
        Errand::Demo { keep, .. } => {
            let tools = install::demo_needs()?;
            let bin_dir = build::programs(&[])?;
            demo::run_as_root(&bin_dir, &tools.nats_server, keep)
        }
        Errand::Conformance { arguments } => conformance::run(&arguments),
        Errand::Fuzz(hunt) => fuzz::run(&hunt),
        Errand::Bench { what } => bench::run(&what),
        Errand::Soak { arguments } => bench::fleet("soak", &arguments),
        Errand::Judges => judges::run(),
        Errand::Lab { arguments } => lab::run(&install::lab_needs()?, &arguments),
        Errand::Sbom => sbom::run(),
        Errand::Sim { arguments } => sim::run(&arguments),
        Errand::Test { arguments } => test::run(&install::test_needs()?, &arguments),
    }
}
