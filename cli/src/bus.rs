//! Who may say what on the bus: the keys and users of a NATS operator of our own, in a folder that only its owner reads.
//!
//! The keys that sign stay in that folder, which belongs on a machine that is no part of the fleet. A server is given public
//! texts alone. This module refuses to overwrite a key, and keeps no user's seed: it is in that user's credentials file.

mod certificate;
mod connect;
mod delegate;
mod error;
mod folder;
mod keys;
mod push;
mod registrar;
mod server;
mod token;
mod users;

pub use certificate::usual_names;
pub use error::BusError;
pub use folder::{Bus, Layout};
pub use registrar::{Newcomer, Registrar};
pub use token::Seconds;
pub use users::{Issued, Wanted};
