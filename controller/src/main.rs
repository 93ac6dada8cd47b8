//! `sanfleet-controller`: see `--help`.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use sanfleet_controller::{config, controller};
use tokio::signal::unix::{SignalKind, signal};

/// Knows the fleet and the arrays, matches the two, and carries out runs.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the controller until it is told to stop (SIGTERM or SIGINT).
    Run {
        #[arg(long, default_value = "/etc/sanfleet/controller.toml")]
        config: PathBuf,
    },
    /// Make the key that signs commands, and print the public key that agents pin.
    NewKey {
        /// The file for the secret key; it must not exist yet.
        #[arg(long)]
        out: PathBuf,
    },
}

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    match carry_out(Args::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sanfleet-controller: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(command: Command) -> anyhow::Result<()> {
    match command {
        Command::NewKey { out } => {
            let key = config::write_new_key(&out)?;
            #[allow(clippy::print_stdout, reason = "the public key is this command's output")]
            {
                println!("{}", key.public());
            }
            Ok(())
        }
        Command::Run { config } => {
            let config = config::Config::read(&config)?;
            tokio::runtime::Runtime::new()?.block_on(controller::run(config, stop_signal()))
        }
    }
}

async fn stop_signal() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        // Without signals there is nothing to wait for; the process can still be killed.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
