//! `cargo xtask`: the errands of this repository. Nothing that ships depends on it.

mod install;

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
}

fn main() -> anyhow::Result<()> {
    match Args::parse().errand {
        Errand::Install => {
            install::demo_needs()?;
            eprintln!("{}", install::test_needs()?);
        }
    }
    Ok(())
}
