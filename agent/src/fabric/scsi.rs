//! What the fabrics share whose volumes are SCSI units: a volume is brought in over the first way that answers, or with multipathd
//! over all of them, and taken away again from the top: flush, map, every path.
//!
//! What is so is read from sysfs. This module refuses to scan for more than one unit of one target, and to keep one that proves to be
//! another volume.

use std::{fmt, thread, time::Duration};

use sanfleet_protocol::VolumeId;

use super::{Fabric, Wanted};
use crate::{deadline::Deadline, host::HostError, verify::VerifiedDevice};

mod lock;
mod lun;
mod machine;
mod map;
mod multipath;
#[cfg(test)]
pub mod sim;
mod unit;
mod units;
mod unmapped;

pub use lock::Lock;
pub use machine::{Claim, Machine};
use map::Map;
pub use unit::{Target, Unit};
pub use units::{DISK_WITHIN, Look, Units};

const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How one kind of SCSI host reaches its targets. What implements it is a [`Fabric`].
pub trait Transport {
    type Machine: Machine;
    /// To one unit of one target.
    type Way: fmt::Display;

    /// See [`Fabric::name`].
    const FABRIC: &'static str;
    /// What every unit that came over it belongs to, for people.
    const BELONGS_TO: &'static str;

    fn units(&self) -> &Units<Self::Machine>;

    /// True for a unit that came over this transport.
    fn has(&self, unit: &Unit) -> bool;

    /// Every unit that is here over this transport.
    fn all(&self) -> Vec<Unit>;

    /// The ways on which the volume is said to be, in the order in which they are tried; an error when there is none.
    fn ways(&self, wanted: Wanted<'_>) -> Result<Vec<Self::Way>, HostError>;

    /// Brings the volume in over one way; false when it is not shown there.
    fn bring(&self, volume: &VolumeId, way: &Self::Way, deadline: Deadline) -> Result<bool, HostError>;

    /// An error when nothing that is sent to the unit now would be answered.
    fn refuse_down(&self, _: &Unit) -> Result<(), HostError> {
        Ok(())
    }

    /// Has a unit taken away while nobody else brings anything in where it is, and lets go of what it came over.
    fn taking(
        &self,
        unit: &Unit,
        deadline: Deadline,
        take: impl FnOnce() -> Result<(), HostError>,
    ) -> Result<(), HostError>;
}

impl<T: Transport> Fabric for T {
    fn name(&self) -> &'static str {
        T::FABRIC
    }

    fn brought(&self, device: &VerifiedDevice) -> bool {
        let sysfs = &self.units().sysfs;
        let is_ours = |unit: Option<Unit>| unit.is_some_and(|unit| self.has(&unit));
        match Map::of_device(sysfs, device.number()) {
            Some(map) => map.paths.iter().all(|disk| is_ours(Unit::of_disk(sysfs, disk))),
            None => is_ours(Unit::of_device(sysfs, device.number())),
        }
    }

    fn rescan(&self, wanted: Wanted<'_>, deadline: Deadline) -> Result<bool, HostError> {
        let here = here(self, wanted.volume, deadline)?;
        match self.units().multipath {
            true => multipath::bring_all(self, wanted, &here, deadline),
            false if here.is_empty() => bring_over(self, wanted, deadline),
            false => Ok(false),
        }
    }

    fn detach(&self, device: VerifiedDevice, deadline: Deadline) -> Result<(), HostError> {
        let sysfs = &self.units().sysfs;
        if let Some(map) = Map::of_device(sysfs, device.number()) {
            return multipath::detach_map(self, &map, device, deadline);
        }
        let Some(unit) = Unit::of_device(sysfs, device.number()).filter(|unit| self.has(unit)) else {
            let (what, why) = (device.device().name(), format!("is not of {}", T::BELONGS_TO));
            return Err(HostError::Invalid { what, why });
        };
        self.taking(&unit, deadline, || {
            let removed = self.units().remove(&unit, device.device());
            // Or it would be in use by ourselves.
            drop(device);
            removed
        })
    }

    fn drop_unmapped(&self, volume: &VolumeId, deadline: Deadline) -> Result<bool, HostError> {
        unmapped::drop_all(self, volume, deadline)
    }
}

/// The units here that are the volume already. One that was it, and is another volume now, is dropped: as long as the kernel shows
/// its old ids it stands for the volume.
fn here<T: Transport>(fabric: &T, volume: &VolumeId, deadline: Deadline) -> Result<Vec<Unit>, HostError> {
    let units = fabric.units();
    let mut here = Vec::new();
    for unit in fabric.all().into_iter().filter(|unit| unit.cached_ids().contains(volume)) {
        match look(fabric, volume, &unit) {
            Ok(Look::Volume(_)) => here.push(unit),
            // It is down, and others may do.
            Err(error) if units.multipath => {
                tracing::warn!(%unit, %error, "a path to a volume does not answer");
            }
            Err(error) => return Err(error),
            Ok(Look::Unmapped(_)) if units.multipath => {
                tracing::warn!(%unit, "a path to a volume leads nowhere any more");
            }
            Ok(Look::Other { device, .. } | Look::Unmapped(device)) => {
                fabric.taking(&unit, deadline, || units.drop_other(&unit, device.as_ref(), deadline))?;
            }
        }
    }
    Ok(here)
}

fn look<T: Transport>(fabric: &T, volume: &VolumeId, unit: &Unit) -> Result<Look, HostError> {
    fabric.refuse_down(unit)?;
    fabric.units().look(volume, unit)
}

/// Over the first way on which it is shown, or with multipathd over each; false when it is shown nowhere.
fn bring_over<T: Transport>(fabric: &T, wanted: Wanted<'_>, deadline: Deadline) -> Result<bool, HostError> {
    let (mut is_here, mut failed) = (false, None);
    for way in fabric.ways(wanted)? {
        match refuse_late(&way, deadline).and_then(|()| fabric.bring(wanted.volume, &way, deadline)) {
            Ok(true) if !fabric.units().multipath => return Ok(true),
            Ok(found) => is_here |= found,
            Err(error @ HostError::OtherVolume { .. }) => return Err(error),
            Err(error) => {
                tracing::warn!(%way, %error, "a path to a volume is of no use");
                failed.get_or_insert(error);
            }
        }
    }
    match failed {
        Some(error) if !is_here => Err(error),
        _ => Ok(is_here),
    }
}

/// A command that was answered with a timeout must not act afterwards.
fn refuse_late(way: &dyn fmt::Display, deadline: Deadline) -> Result<(), HostError> {
    match deadline.has_passed() {
        true => Err(HostError::Timeout { what: format!("the way to {way}"), after: Duration::ZERO }),
        false => Ok(()),
    }
}

/// Looks again and again until there is something, or no time any more.
pub fn until<T>(deadline: Deadline, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    loop {
        match look() {
            Some(found) => return Some(found),
            None if deadline.has_passed() => return None,
            None => thread::sleep(LOOK_EVERY),
        }
    }
}
