//! The array that a session has to do with.

mod access_group;
mod chap;
mod create;
mod delete;
mod export;
mod file_system;
mod lun;
mod map;
mod mapping;
mod mask;
mod membership;
mod name;
mod nfs_options;
mod outcome;
mod pool;
mod probe;
mod replicate;
mod resize;
mod snapshot;
mod volume;

use std::time::Duration;

pub(crate) use export::WantedExport;
use sanfleet_driver::{Capability, ErrorNumber, LsmError, System, SystemId, SystemMode, SystemStatus};
use sanfleet_driver_http::{Deadline, Held, Lock};

use crate::{
    daemon::Daemon,
    rpc::{Rpc, Wire},
};

/// libStorageMgmt's own driver calls it so too.
const SYSTEM: &str = "targetd";

type Answer<T> = Result<T, LsmError>;

/// One session's array.
#[derive(Debug)]
pub(crate) struct Array {
    daemon: Daemon,
    lock: Lock,
    /// How long a call may take.
    pub timeout: Duration,
    /// What this daemon cannot do.
    lacks: Vec<Capability>,
}

impl Array {
    /// Reaches the daemon, and finds out what it can do. `address` is what other sessions call it too.
    pub fn open(wire: Box<dyn Wire>, address: &str, timeout: Duration) -> Answer<Self> {
        let rpc = Rpc::new(wire, within(timeout));
        let mut array =
            Self { daemon: Daemon { rpc }, lock: Lock::of(SYSTEM, address), timeout, lacks: Vec::new() };
        array.lacks = array.probe()?;
        Ok(array)
    }

    /// A new call begins: its time is counted from now.
    pub fn begin(&mut self) {
        self.daemon.rpc.deadline = within(self.timeout);
    }

    pub fn lacks(&self) -> &[Capability] {
        &self.lacks
    }

    pub fn system(&mut self) -> Answer<System> {
        // Whoever asks how the array is wants to know whether it is there.
        self.daemon.pool_list()?;
        Ok(System {
            id: system_id(),
            name: SYSTEM.into(),
            status: SystemStatus::OK,
            status_info: String::new(),
            plugin_data: None,
            fw_version: String::new(),
            mode: SystemMode::NO_SUPPORT,
            read_cache_pct: -2,
        })
    }

    /// Nobody else of this host changes anything until what is returned has gone.
    fn alone(&self) -> Answer<Held> {
        self.lock.take(self.daemon.rpc.deadline)
    }
}

/// The daemon has to be done a little before the caller stops waiting, who else would not hear what was wrong.
fn within(timeout: Duration) -> Deadline {
    Deadline::after(timeout - timeout / 10)
}

fn system_id() -> SystemId {
    SystemId::new(SYSTEM)
}

fn refused<T>(number: ErrorNumber, message: impl Into<String>) -> Answer<T> {
    Err(LsmError::new(number, message))
}

#[cfg(test)]
mod tests;
