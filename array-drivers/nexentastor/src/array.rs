//! The array that a session has to do with: what is done, whatever the release.

mod access_group;
mod create;
mod delete;
mod dependency;
mod export;
mod file_system;
mod mapping;
mod mask;
mod membership;
mod name;
mod outcome;
mod pool;
mod replicate;
mod resize;
mod snapshot;
mod target_port;
mod volume;

use std::time::Duration;

pub(crate) use export::WantedExport;
use sanfleet_driver::{Capability, ErrorNumber, LsmError, System, SystemId, SystemMode, SystemStatus};
use sanfleet_driver_http::{Deadline, Held, Lock};

use crate::appliance::Appliance;

type Answer<T> = Result<T, LsmError>;

/// One session's array.
#[derive(Debug)]
pub(crate) struct Array {
    appliance: Box<dyn Appliance>,
    lock: Lock,
    system: System,
    /// How long a call may take.
    pub timeout: Duration,
}

impl Array {
    /// `address` is what other sessions call the appliance too.
    pub fn open(mut appliance: Box<dyn Appliance>, address: &str, timeout: Duration) -> Answer<Self> {
        let row = appliance.system()?;
        let system = System {
            id: SystemId::new(row.id),
            name: row.name,
            status: SystemStatus::OK,
            status_info: String::new(),
            plugin_data: None,
            fw_version: String::new(),
            mode: SystemMode::NO_SUPPORT,
            read_cache_pct: -2,
        };
        Ok(Self { appliance, lock: Lock::of("nexentastor", address), system, timeout })
    }

    /// A new call begins: its time is counted from now.
    pub fn begin(&mut self) {
        self.appliance.begin(within(self.timeout));
    }

    pub fn lacks(&self) -> &'static [Capability] {
        self.appliance.lacks()
    }

    /// Whoever asks how the array is wants to know whether it is there.
    pub fn system(&mut self) -> Answer<System> {
        self.appliance.system()?;
        Ok(self.system.clone())
    }

    fn system_id(&self) -> SystemId {
        self.system.id.clone()
    }

    /// Nobody else of this host changes anything until what is returned has gone.
    fn alone(&self) -> Answer<Held> {
        self.lock.take(self.appliance.deadline())
    }
}

/// The appliance has to be done a little before the caller stops waiting, who else would not hear what was wrong.
pub(crate) fn within(timeout: Duration) -> Deadline {
    Deadline::after(timeout - timeout / 10)
}

fn refused<T>(number: ErrorNumber, message: impl Into<String>) -> Answer<T> {
    Err(LsmError::new(number, message))
}
