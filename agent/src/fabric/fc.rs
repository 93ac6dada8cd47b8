//! Fibre Channel: the kernel is logged in to every port that the zones let it see, so that there is only a unit to scan for.
//!
//! Over each remote port that is the array's and online, one unit of one target is scanned. This module refuses to scan for more than
//! that, to have a link reset (`issue_lip`), and to wait for a port that is not online: it counts as a path that is down.

use std::{fmt, path::PathBuf};

use sanfleet_protocol::{FcPath, Lun, TargetPath, VolumeId};

use super::{
    Wanted, nowhere,
    scsi::{Lock, Machine, Target, Transport, Unit, Units},
};
use crate::{config::Fc, deadline::Deadline, host::HostError};

mod port;
#[cfg(test)]
mod tests;

use port::RemotePort;

/// Where the fabric is on this machine.
#[derive(Debug, Clone)]
pub struct Places {
    pub sysfs_root: PathBuf,
    /// Our locks.
    pub locks: PathBuf,
}

#[derive(Debug)]
pub struct FcFabric<M> {
    locks: PathBuf,
    units: Units<M>,
}

/// From one of this host's ports to one of the array's, and the unit there.
#[derive(Debug)]
pub struct Way {
    port: RemotePort,
    lun: Lun,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{} on {}", self.port.name, self.lun, self.port.target.host())
    }
}

impl<M: Machine> FcFabric<M> {
    pub fn new(places: Places, settings: Fc, machine: M) -> Self {
        let units = Units { sysfs: places.sysfs_root, machine, multipath: settings.multipath };
        Self { locks: places.locks, units }
    }

    /// While it is held nobody else brings in or takes away a unit of this target: one that is scanned where another was just taken
    /// away would look as if that had stayed.
    fn lock(&self, target: &Target, deadline: Deadline) -> Result<Lock, HostError> {
        let name = target.to_string();
        Lock::take(&self.locks, &name, format!("the lock for SCSI target {name}"), deadline)
    }

    /// To each of these that a port of this host sees, over every one that does and is online.
    fn ways_to(&self, paths: &[FcPath]) -> Vec<Way> {
        let ports = RemotePort::all(&self.units.sysfs);
        let mut ways = Vec::new();
        for path in paths {
            for port in ports.iter().filter(|port| port.name == path.port) {
                match port.is_up {
                    true => ways.push(Way { port: port.clone(), lun: path.lun }),
                    false => tracing::warn!(%port, "a port of an array is not online"),
                }
            }
        }
        ways
    }
}

impl<M: Machine> Transport for FcFabric<M> {
    type Machine = M;
    type Way = Way;

    const FABRIC: &'static str = "fc";
    const BELONGS_TO: &'static str = "a Fibre Channel host";

    fn units(&self) -> &Units<M> {
        &self.units
    }

    fn has(&self, unit: &Unit) -> bool {
        port::is_of_fc_host(&self.units.sysfs, unit.target())
    }

    fn all(&self) -> Vec<Unit> {
        RemotePort::all(&self.units.sysfs).iter().flat_map(|port| port.target.units()).collect()
    }

    fn ways(&self, wanted: Wanted<'_>) -> Result<Vec<Way>, HostError> {
        let own = |path: &TargetPath| match path {
            TargetPath::Fc(path) => Some(*path),
            TargetPath::Iscsi(_) => None,
        };
        let paths: Vec<FcPath> = wanted.paths.iter().filter_map(own).collect();
        if paths.is_empty() {
            return Err(nowhere(wanted.volume, Self::FABRIC, "a port of the array and a unit"));
        }
        // Zones show a host some of an array's ports: it is an error only when that is none.
        let ways = self.ways_to(&paths);
        match ways.is_empty() {
            true => {
                let ports: Vec<String> = paths.iter().map(|path| path.port.to_string()).collect();
                Err(HostError::NoPort { ports: ports.join(", ") })
            }
            false => Ok(ways),
        }
    }

    fn bring(&self, volume: &VolumeId, way: &Way, deadline: Deadline) -> Result<bool, HostError> {
        let _lock = self.lock(&way.port.target, deadline)?;
        self.units.scan(volume, way, (&way.port.target, way.lun), deadline)
    }

    /// What is sent to a port that is gone waits until the kernel gives it up (`fast_io_fail_tmo`, `dev_loss_tmo`).
    fn refuse_down(&self, unit: &Unit) -> Result<(), HostError> {
        match RemotePort::of(&self.units.sysfs, unit) {
            Some(port) if !port.is_up => Err(HostError::NoPort { ports: port.name.to_string() }),
            _ => Ok(()),
        }
    }

    /// There is nothing to be logged out of.
    fn taking(
        &self,
        unit: &Unit,
        deadline: Deadline,
        take: impl FnOnce() -> Result<(), HostError>,
    ) -> Result<(), HostError> {
        let _lock = self.lock(unit.target(), deadline)?;
        take()
    }
}
