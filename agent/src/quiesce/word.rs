//! What the agent and the guard say to each other over the guard's two pipes: one JSON line each.

use std::{io, os::fd::AsFd, path::PathBuf};

use sanfleet_protocol::{MountPoint, RunId};
use serde::{Deserialize, Serialize};

use crate::{
    by_text,
    config::{self, ConfigError, DatabaseKind, Hook},
};

/// The first line: everything that the guard needs to know. A password passes here and nowhere else.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Prepare {
    #[serde(with = "by_text")]
    pub run: RunId,
    /// In the order in which they are frozen.
    pub places: Vec<Place>,
    pub how: How,
    pub dead_man_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    #[serde(with = "by_text")]
    pub mount_point: MountPoint,
    pub directory: Directory,
}

/// What the agent saw at the mount point: the guard must see the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    pub device: u64,
    pub inode: u64,
}

impl Directory {
    pub fn of(directory: impl AsFd) -> io::Result<Self> {
        let data = rustix::fs::fstat(directory)?;
        Ok(Self { device: data.st_dev, inode: data.st_ino })
    }
}

/// How to quiesce, with all that it takes. Everything but `None` ends with a freeze.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    None,
    Freeze,
    Mysql(Database),
    Postgresql(Database),
    Hook(Hook),
}

impl How {
    pub fn hook(&self) -> Option<&Hook> {
        match self {
            Self::Hook(hook) => Some(hook),
            _ => None,
        }
    }
}

/// How to reach a database. Its `Debug` leaves the password out.
#[derive(Clone, Serialize, Deserialize)]
pub struct Database {
    pub socket: Option<PathBuf>,
    /// `host:port`, when there is no socket.
    pub address: Option<std::net::SocketAddr>,
    pub user: String,
    pub password: Option<String>,
}

impl Database {
    /// The configured database of this kind on this mount point, with its password read afresh.
    pub fn configured(
        databases: &[config::Database],
        at: &MountPoint,
        kind: DatabaseKind,
    ) -> Result<Option<Self>, ConfigError> {
        let mut known = databases.iter().filter(|database| database.mount_point == *at);
        let Some(found) = known.find(|database| database.kind == kind) else {
            return Ok(None);
        };
        Ok(Some(Self {
            socket: found.socket.clone(),
            address: found.address,
            user: found.user.clone(),
            password: found.password()?,
        }))
    }

    /// Where it is, for people to read.
    pub fn place(&self) -> String {
        match (&self.socket, &self.address) {
            (Some(socket), _) => socket.display().to_string(),
            (None, Some(address)) => address.to_string(),
            (None, None) => "nowhere".to_owned(),
        }
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Database({} as {})", self.place(), self.user)
    }
}

/// The lines after the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    Hold,
    Release,
}

/// Who ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The word `release`.
    Command,
    /// The limit.
    DeadMan,
    /// The agent is gone, or the guard was told to go.
    Loss,
}

/// Why the guard could not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub kind: FailureKind,
    pub message: String,
    pub retryable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    Application,
    Busy,
    Invalid,
    System,
    Timeout,
}

impl Failure {
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        let retryable = matches!(kind, FailureKind::Busy | FailureKind::Timeout);
        Self { kind, message: message.into(), retryable }
    }

    pub fn system(what: &str, error: impl Into<io::Error>) -> Self {
        Self::new(FailureKind::System, format!("{what}: {}", error.into()))
    }

    /// With what went wrong after it; nothing when that is empty.
    pub fn and_then(self, trouble: &str) -> Self {
        match trouble {
            "" => self,
            trouble => Self { message: format!("{}; then {trouble}", self.message), ..self },
        }
    }
}

/// What the guard answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Nobody is blocked yet. `application` is what answered, empty when no database is asked.
    Prepared {
        application: String,
    },
    /// From the first statement that blocks anyone to the frozen file system, in microseconds.
    Held {
        quiesce_us: u64,
    },
    Failed(Failure),
    /// `held` is false when it was let go before it held.
    Released {
        by: By,
        held: bool,
        blocked_us: u64,
        /// What the hook said when it failed afterwards; empty when all went well.
        trouble: String,
    },
}
