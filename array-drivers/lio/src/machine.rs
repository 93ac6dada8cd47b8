//! The one seam to the machine: what its LVM has, what its target shows, and the file of who sees what.
//!
//! The real side is a shell, here or over ssh ([`shell`]), that is given one script for each of these ([`script`]).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use sanfleet_driver::{ErrorNumber, LsmError};
use serde::{Deserialize, Serialize};

use crate::identity::Serial;

#[cfg(test)]
pub(crate) mod memory;
mod real;
mod script;
mod shell;
mod survey;

pub(crate) use real::RealMachine;

/// What there is but for volumes, which are dear to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outline {
    pub hostname: String,
    /// What the kernel calls this start of the machine.
    pub boot: String,
    pub addresses: Vec<IpAddr>,
    /// The file, as it was read; none when there is none.
    pub file: Option<String>,
}

/// All that there is, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Survey {
    pub outline: Outline,
    pub pools: Vec<PoolRow>,
    /// Ours alone.
    pub volumes: Vec<VolumeRow>,
}

/// A thin pool. Sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PoolRow {
    pub group: String,
    pub name: String,
    pub size: u64,
    pub free: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VolumeRow {
    pub group: String,
    pub pool: String,
    pub serial: Serial,
    /// As it was given.
    pub name: String,
    /// Bytes.
    pub size: u64,
}

/// A volume that is to be made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct New<'a> {
    pub serial: &'a Serial,
    pub name: &'a str,
}

/// What an initiator logs in with, and what it is answered with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    pub user: String,
    pub password: String,
    /// User and password of the target.
    pub back: Option<(String, String)>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What the target has to be like, and nothing besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub name: String,
    pub portals: Vec<SocketAddr>,
    pub shown: Vec<Shown>,
    /// Who may log in, and with what.
    pub admitted: BTreeMap<String, Option<Login>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub serial: Serial,
    pub device: String,
    pub unit: u16,
    pub initiators: BTreeSet<String>,
}

pub(crate) trait Machine: Send {
    fn outline(&mut self) -> Result<Outline, MachineError>;

    fn survey(&mut self) -> Result<Survey, MachineError>;

    /// Makes a thin volume of at least so many bytes.
    fn make(&mut self, new: New<'_>, pool: &PoolRow, size: u64) -> Result<(), MachineError>;

    /// Makes one that shares all of its blocks with its source, in the source's pool. An application may be held still meanwhile, so
    /// all of it is one call.
    fn copy(&mut self, new: New<'_>, source: &Serial) -> Result<VolumeRow, MachineError>;

    fn grow(&mut self, volume: &VolumeRow, size: u64) -> Result<(), MachineError>;

    fn remove(&mut self, volume: &VolumeRow) -> Result<(), MachineError>;

    /// Replaces the file, whole or not at all; false when it is not as it was read.
    fn keep(&mut self, before: Option<&str>, after: &str) -> Result<bool, MachineError>;

    /// Makes the target so, which follows from what the file said; false when it says otherwise now. Fine when it is so.
    fn show(&mut self, file: &str, target: &Target) -> Result<bool, MachineError>;

    /// How long each of these may take from now on.
    fn set_patience(&mut self, patience: Duration);
}

/// Why the machine did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MachineError {
    #[error("cannot start {program}")]
    Start {
        program: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("the machine cannot be reached: {0}")]
    Unreachable(String),
    #[error("the machine lets nobody in: {0}")]
    Denied(String),
    #[error("{what} is not there: install the package {package}")]
    Missing { what: &'static str, package: &'static str },
    #[error("the pool has no room: {0}")]
    NoRoom(String),
    #[error("there is a volume {0}")]
    NameTaken(String),
    #[error("no volume {0}")]
    NoVolume(Serial),
    #[error("{doing} failed: {words}")]
    Failed { doing: &'static str, words: String },
    #[error("{doing} took longer than {} s", after.as_secs())]
    Timeout { doing: &'static str, after: Duration },
    #[error("what the machine said of {doing} makes no sense: {why}")]
    Unintelligible { doing: &'static str, why: String },
}

impl From<MachineError> for LsmError {
    fn from(error: MachineError) -> Self {
        let number = match &error {
            MachineError::Start { .. }
            | MachineError::Failed { .. }
            | MachineError::Unintelligible { .. } => ErrorNumber::PluginBug,
            MachineError::Unreachable(_) => ErrorNumber::NetworkError,
            MachineError::Denied(_) => ErrorNumber::PluginAuthFailed,
            MachineError::Missing { .. } => ErrorNumber::NoSupport,
            MachineError::NoRoom(_) => ErrorNumber::NotEnoughSpace,
            MachineError::NameTaken(_) => ErrorNumber::NameConflict,
            MachineError::NoVolume(_) => ErrorNumber::NotFoundVolume,
            MachineError::Timeout { .. } => ErrorNumber::Timeout,
        };
        let source =
            std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        Self::new(number, format!("{error}{source}"))
    }
}
