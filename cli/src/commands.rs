//! One file a noun. Each command fetches, makes a view of the reply, and shows it: the views are pure.

mod array;
mod audit;
mod backup;
mod bus;
mod change;
mod device;
mod doctor;
mod enroll;
mod events;
mod host;
mod map;
mod place;
mod run;
mod status;
mod volume;
mod webhook;

pub use audit::AuditError;

use crate::{
    args::{Args, Command, Doctor, DoctorCommand},
    client::{Client, Operation},
    exit::Exit,
    failure::Failure,
    output::{Output, View},
};

/// Carries out what was asked for.
pub async fn run(args: Args) -> Result<Exit, Failure> {
    if let Command::Doctor(Doctor { command: Some(DoctorCommand::Explain { code }), .. }) = args.command {
        return doctor::explain(code);
    }
    if let Command::Bus(command) = args.command {
        return bus::run(&args.global, *command).await;
    }
    let client = Client::connect(&args.global).await?;
    let console = Console { client, output: Output::new(args.global.output), timeout: args.global.timeout };
    match args.command {
        Command::Status => status::show(&console).await,
        Command::Host(command) => host::run(&console, command).await,
        Command::Device(command) => device::run(&console, command).await,
        Command::Volume(command) => volume::run(&console, command).await,
        Command::Array(command) => array::run(&console, *command).await,
        Command::Map { host } => map::show(&console, host).await,
        Command::Doctor(args) => doctor::run(&console, args).await,
        Command::Backup(command) => backup::run(&console, command).await,
        Command::Provision(args) => place::provision(&console, *args).await,
        Command::Clone(args) => place::clone_volume(&console, *args).await,
        Command::Adopt(args) => place::adopt(&console, args).await,
        Command::Run(command) => run::run(&console, command).await,
        Command::Events(args) => events::run(&console, args).await,
        Command::Audit(command) => audit::run(&console, command).await,
        Command::Webhook(command) => webhook::run(&console, *command).await,
        // They need no controller, and were carried out before there was a client.
        Command::Bus(_) | Command::Lsm { .. } => Ok(Exit::Done),
    }
}

/// What every command works with.
#[derive(Debug)]
pub struct Console {
    pub client: Client,
    pub output: Output,
    /// How long the operator waits for the end of a run; for ever unless given.
    pub timeout: Option<std::time::Duration>,
}

impl Console {
    /// Asks, and shows the answer: all that a command which only reads has to do.
    async fn ask<O>(&self, request: O, view: impl FnOnce(&O::Reply) -> View) -> Result<Exit, Failure>
    where
        O: Operation,
        O::Reply: serde::Serialize,
    {
        let reply = self.client.call(request).await?;
        self.output.show(&reply, view)?;
        Ok(Exit::Done)
    }
}
