//! The way between the agent's two processes. One of them faces the bus and may do nothing to this host ([`crate::relay`]); the
//! other may do everything and faces nobody but the first ([`crate::helper`]).
//!
//! What crosses it is a closed set of words, each with a largest size. Neither side believes the other: a command is opened and
//! judged by the helper as if it had come off the bus, and the relay speaks to root alone. This module refuses everybody but the
//! one user whom the configuration names.

use std::{io, path::PathBuf};

mod line;
mod socket;
mod word;

pub use line::{Answer, Incoming, Line, Question, Ticket, line};
pub use socket::{Door, reach};
pub use word::{Frame, Sent, Word};

/// Why the two do not come together, or not any more.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    #[error("the socket {}", path.display())]
    Socket {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{}: the directory belongs to user {owner} or lets others write (mode {mode:03o}): it has to be root's alone", path.display())]
    Directory { path: PathBuf, owner: u32, mode: u32 },
    #[error("{}: user {user} listens there and not root", path.display())]
    Impostor { path: PathBuf, user: u32 },
    #[error("there is no user {name:?} in /etc/passwd, for whom `[helper]` keeps the socket")]
    NoUser { name: String },
    #[error("/etc/passwd")]
    Users(#[source] io::Error),
    #[error("what came is no word of the agent's two processes")]
    NoWord,
    #[error("the other process is gone")]
    Gone,
    #[error("the connection between the agent's two processes")]
    Broken(#[source] io::Error),
}
