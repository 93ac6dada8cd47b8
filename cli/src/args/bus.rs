//! `sanfleet bus`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Subcommand;
use sanfleet_protocol::{BusUser, HostId, rights::Role, sign::PublicKey};

use super::text;

#[derive(Debug, Subcommand)]
pub enum BusCommand {
    /// Make the keys of a new bus, and the configuration of its servers.
    Init {
        /// The folder to make. It holds what signs users: keep it on a machine that is no part of the fleet.
        #[arg(long, value_name = "FOLDER")]
        dir: PathBuf,
        /// Where the server listens.
        #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:4222")]
        listen: SocketAddr,
        /// What clients call the servers, names and addresses; this machine's unless given.
        #[arg(long = "name", value_name = "NAME")]
        names: Vec<String>,
        /// Where the configuration and the certificate are to lie on the server's machine; where they are made unless given.
        #[arg(long, value_name = "FOLDER")]
        etc: Option<PathBuf>,
        /// The server's own folder, on its machine.
        #[arg(long, value_name = "FOLDER", default_value = "/var/lib/nats")]
        store: PathBuf,
    },
    /// Make a user, and write its credentials to a file.
    User {
        /// Of a host, the host's name.
        name: BusUser,
        #[arg(long, value_name = "FOLDER")]
        dir: PathBuf,
        /// host, controller, reader, operator, administrator or subscriber.
        #[arg(long)]
        role: Role,
        /// How long it is a user.
        #[arg(long, value_name = "DURATION", value_parser = text::span, default_value = "2160h")]
        valid: Duration,
        /// Which events a subscriber hears: a type and what it is about, such as `run.*.*` or `host.offline.db1`.
        #[arg(long = "event", value_name = "PATTERN")]
        events: Vec<String>,
        /// The file to write; NAME.creds in the folder unless given.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Each user that was made in a line.
    Users {
        #[arg(long, value_name = "FOLDER")]
        dir: PathBuf,
    },
    /// Let a host become a user with a key that it makes itself: writes an invitation, and waits until the host has used it.
    Enroll {
        host: HostId,
        #[arg(long, value_name = "FOLDER")]
        dir: PathBuf,
        /// The file for the invitation, to be brought to the host; HOST.token in the folder unless given.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// How long the invitation is good, 15 minutes at most. It is good for one host.
        #[arg(long, value_name = "DURATION", value_parser = text::invitation, default_value = "15m")]
        invited: Duration,
        /// How long the host is a user then.
        #[arg(long, value_name = "DURATION", value_parser = text::span, default_value = "2160h")]
        valid: Duration,
        /// Do not ask whether the key is the one that the host shows.
        #[arg(long, short)]
        yes: bool,
    },
    /// Let agents heed a controller: sign its key with the operator's, which they pin. What was delegated before counts no more.
    Delegate {
        /// The controller's public key, as `sanfleet-controller new-key` printed it.
        key: PublicKey,
        #[arg(long, value_name = "FOLDER")]
        dir: PathBuf,
        /// For how long.
        #[arg(long, value_name = "DURATION", value_parser = text::span, default_value = "2160h")]
        valid: Duration,
        /// The file to write, for `delegation` in the controller's configuration.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Take the rights of everybody with a name, and have the servers cut them off at once.
    Revoke {
        name: BusUser,
        #[arg(long, value_name = "FOLDER")]
        dir: PathBuf,
    },
    /// Make a new certificate for the servers, or a new authority that signs the next one.
    Certificate {
        #[arg(long, value_name = "FOLDER")]
        dir: PathBuf,
        /// What clients call the servers; as before unless given.
        #[arg(long = "name", value_name = "NAME", conflicts_with = "new_authority")]
        names: Vec<String>,
        /// A new authority, beside which the old one is trusted still. The servers' certificate stays.
        #[arg(long)]
        new_authority: bool,
    },
    /// Tell the servers who has which rights now.
    Push {
        #[arg(long, value_name = "FOLDER")]
        dir: PathBuf,
    },
}
