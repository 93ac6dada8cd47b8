//! `sanfleet`: what an operator says to the fleet, and what the fleet answers.
//!
//! Only talks to the controller, over the bus. It touches no device, no array and no agent; but for `sanfleet lsm`, which is a
//! program of its own that talks to arrays' drivers.

mod args;
mod bus;
mod client;
mod commands;
mod exit;
mod failure;
mod follow;
mod lsm;
mod output;
mod progress;
mod secret;
mod terminal;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{args::Args, exit::Exit};

fn main() -> ExitCode {
    if let Some(called) = lsm::Called::from_words(std::env::args_os()) {
        return called.run();
    }
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(answer) => return help_or_usage(&answer).into(),
    };
    if let args::Command::Lsm { words } = &args.command {
        return lsm::Called::behind(words).run();
    }
    match run(args) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report().into(),
    }
}

/// clap gives `--help` and `--version` as errors too. A reader that has gone away is no failure of ours.
fn help_or_usage(answer: &clap::Error) -> Exit {
    let _ = answer.print();
    if answer.use_stderr() { Exit::Usage } else { Exit::Done }
}

#[tokio::main(flavor = "current_thread")]
async fn run(args: Args) -> Result<Exit, failure::Failure> {
    commands::run(args).await
}
