//! Why the bus's users could not be set up.

use std::{io, path::PathBuf};

use sanfleet_protocol::{BusUser, HostId, rights::Role};

use crate::exit::Exit;

#[derive(Debug, thiserror::Error)]
pub enum BusError {
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is there already", path.display())]
    Exists { path: PathBuf },
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{}: {why}", path.display())]
    Content { path: PathBuf, why: String },
    #[error("a key cannot be used")]
    Key(#[from] nkeys::error::Error),
    #[error("there is no key for the role {0}")]
    NoKey(Role),
    #[error("a certificate cannot be made")]
    Certificate(#[from] rcgen::Error),
    #[error("this machine gives no random numbers")]
    Random,
    #[error("this machine's clock tells no time of our calendar")]
    Time,
    #[error("no user {0} was issued from this folder")]
    Unknown(BusUser),
    #[error("{name} has the role {role} already, and nobody else may ask under that name")]
    Taken { name: BusUser, role: String },
    #[error("{0} is too long a name for a host that is to be invited")]
    LongName(HostId),
    #[error("there is no terminal where somebody could be asked whether it is the right host")]
    NobodyToAsk,
    #[error("nobody asked to be {0} in time")]
    NobodyCame(HostId),
    #[error("events go to subscribers alone")]
    EventsOfOthers,
    #[error("a subscriber needs --event, for it hears nothing else")]
    NoEvents,
    #[error("no server of the bus at {servers} can be told")]
    Unreachable {
        servers: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the bus did not take it: {why}")]
    Refused { why: String },
}

impl BusError {
    pub fn exit(&self) -> Exit {
        match self {
            Self::Exists { .. } | Self::Taken { .. } => Exit::Conflict,
            Self::Unknown(_) => Exit::NotFound,
            Self::NobodyCame(_) => Exit::TimedOut,
            Self::NobodyToAsk
            | Self::EventsOfOthers
            | Self::NoEvents
            | Self::LongName(_)
            | Self::Content { .. }
            | Self::Read { .. } => Exit::Usage,
            Self::Unreachable { .. } => Exit::Unreachable,
            Self::Write { .. }
            | Self::Key(_)
            | Self::NoKey(_)
            | Self::Certificate(_)
            | Self::Time
            | Self::Random
            | Self::Refused { .. } => Exit::Failed,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Exists { .. } => Some("nothing was changed; name another, or remove that one yourself"),
            Self::Read { .. } | Self::Content { .. } => {
                Some("make such a folder with: sanfleet bus init --dir FOLDER")
            }
            Self::NobodyToAsk => Some("with --yes the first who asks with the invitation is let in"),
            Self::NobodyCame(_) => Some("its invitation is good no more; make another by the same command"),
            Self::Taken { .. } => Some("name another, or revoke that one first"),
            Self::Unknown(_) => Some("those that were are listed by: sanfleet bus users --dir FOLDER"),
            Self::Unreachable { .. } | Self::Refused { .. } => {
                Some("it is written down; have the servers told with: sanfleet bus push --dir FOLDER")
            }
            _ => None,
        }
    }
}
