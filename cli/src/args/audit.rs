//! `sanfleet audit`.

use clap::{Args as Arguments, Subcommand};
use sanfleet_protocol::{audit::Link, sign::PublicKey};

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Each record in a line, oldest first.
    List,
    /// Follow the chain from its first record to its last: nothing was changed, left out, put in or moved.
    Verify(Box<Verify>),
}

#[derive(Debug, Arguments)]
pub struct Verify {
    /// The controller's public key; several, with commas between, where it had others before. Without any, whoever may write to
    /// the bus could have written it all.
    #[arg(
        long = "controller-key",
        value_name = "KEY",
        env = "SANFLEET_CONTROLLER_KEY",
        value_delimiter = ','
    )]
    pub controller_keys: Vec<PublicKey>,
    /// A record that was the last one once, as `verify` printed it: the chain has to lead through it still.
    #[arg(long, value_name = "NUMBER:HASH")]
    pub noted: Option<Link>,
}
