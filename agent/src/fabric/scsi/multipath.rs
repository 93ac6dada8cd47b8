//! A volume over all of its paths: each is brought in, multipathd makes one map of them, and takes it down again.
//!
//! multipathd is told of single paths and maps, by name, and is never made to read its configuration anew or to look at everything.
//! What it has done is read from sysfs.

use std::{collections::BTreeSet, time::Duration};

use sanfleet_protocol::VolumeId;

use super::{Look, Machine, Transport, Unit, Units, bring_over, here, look, map::Map, until};
use crate::{
    deadline::Deadline,
    fabric::Wanted,
    host::{HostError, OpenDevice},
    verify::VerifiedDevice,
};

/// How long multipathd may take for a map: it checks each path first.
const MAP_WITHIN: Duration = Duration::from_secs(15);

/// Brings the volume in over every path that answers, beside where it is already, and waits for the map of all of them. True when
/// something changed.
pub fn bring_all<T: Transport>(
    fabric: &T,
    wanted: Wanted<'_>,
    before: &[Unit],
    deadline: Deadline,
) -> Result<bool, HostError> {
    match bring_over(fabric, wanted, deadline) {
        // What is here already does without the others.
        Err(error) if before.is_empty() || matches!(error, HostError::OtherVolume { .. }) => {
            return Err(error);
        }
        _ => {}
    }
    let units = here(fabric, wanted.volume, deadline)?;
    if units.is_empty() {
        return Ok(false);
    }
    let is_new = fabric.units().assemble(&units, deadline)?;
    Ok(is_new || units.len() > before.len())
}

/// Flushes the map and takes it down, then every path of it, those that are down too.
pub fn detach_map<T: Transport>(
    fabric: &T,
    map: &Map,
    device: VerifiedDevice,
    deadline: Deadline,
) -> Result<(), HostError> {
    let volume = device.volume().clone();
    let paths = paths_of(fabric, map)?;
    fabric.units().flush_map(map, device.device(), deadline)?;
    // Or it would be in use by ourselves.
    drop(device);
    fabric.units().take_down(map, deadline)?;
    paths.iter().try_for_each(|unit| detach_path(fabric, &volume, unit, deadline))
}

fn paths_of<T: Transport>(fabric: &T, map: &Map) -> Result<Vec<Unit>, HostError> {
    let unit = |disk: &String| {
        let unit = Unit::of_disk(&fabric.units().sysfs, disk).filter(|unit| fabric.has(unit));
        unit.ok_or_else(|| HostError::Invalid {
            what: map.name.clone(),
            why: format!("has a path {disk} that is not of {}", T::BELONGS_TO),
        })
    };
    map.paths.iter().map(unit).collect()
}

fn detach_path<T: Transport>(
    fabric: &T,
    volume: &VolumeId,
    unit: &Unit,
    deadline: Deadline,
) -> Result<(), HostError> {
    let Some(disk) = unit.disk() else { return Ok(()) };
    let units = fabric.units();
    units.release(&disk, deadline)?;
    fabric.taking(unit, deadline, || match look(fabric, volume, unit) {
        Ok(Look::Volume(device)) => units.remove_path(unit, device.as_ref()),
        Ok(Look::Other { device, .. } | Look::Unmapped(device)) => {
            units.drop_other(unit, device.as_ref(), deadline)
        }
        // It is down. All that was written went through the map, which is flushed.
        Err(_) => units.delete(unit, &disk),
    })
}

impl<M: Machine> Units<M> {
    /// Waits until one map has all of these paths. True when it had not before.
    fn assemble(&self, units: &[Unit], deadline: Deadline) -> Result<bool, HostError> {
        let disks: BTreeSet<String> = units.iter().filter_map(Unit::disk).collect();
        let sysfs = &self.sysfs;
        let map = || disks.first().and_then(|disk| Map::of_path(sysfs, disk));
        let is_whole = || map().is_some_and(|map| disks.is_subset(&map.paths)).then_some(());
        if is_whole().is_some() {
            return Ok(false);
        }
        // It may have heard of them from udev, and then says that there is nothing to do.
        let told: Result<Vec<()>, HostError> = disks
            .iter()
            .filter(|disk| Map::of_path(sysfs, disk).is_none())
            .map(|disk| self.machine.multipathd(&["add", "path", disk], deadline))
            .collect();
        let within = deadline.earlier(Deadline::after(MAP_WITHIN));
        let patience = within.left();
        match (until(within, is_whole), told) {
            (Some(()), _) => Ok(true),
            (None, Err(error)) => Err(error),
            (None, Ok(_)) => {
                let paths = disks.into_iter().collect::<Vec<_>>().join(", ");
                Err(HostError::Timeout {
                    what: format!("multipathd, for a map of {paths},"),
                    after: patience,
                })
            }
        }
    }

    /// Without a path a flush would wait for one for ever where the map is made so: it has to fail instead, and who wants to wait for
    /// a path can.
    fn flush_map(&self, map: &Map, device: &dyn OpenDevice, deadline: Deadline) -> Result<(), HostError> {
        let flush = || self.machine.claim(device).and_then(|claim| self.machine.flush(&claim));
        self.without_queueing(map, deadline, flush)
    }

    /// A map that this fails for queues as before.
    pub fn without_queueing(
        &self,
        map: &Map,
        deadline: Deadline,
        act: impl FnOnce() -> Result<(), HostError>,
    ) -> Result<(), HostError> {
        self.machine.multipathd(&["disablequeueing", "map", &map.name], deadline)?;
        let done = act();
        if done.is_err() {
            // What it was made with; where that fails too, it fails to queue, and loses nothing by that.
            let _ = self.machine.multipathd(&["restorequeueing", "map", &map.name], deadline);
        }
        done
    }

    fn take_down(&self, map: &Map, deadline: Deadline) -> Result<(), HostError> {
        let told = self.machine.multipathd(&["remove", "map", &map.name], deadline);
        let within = deadline.earlier(Deadline::after(MAP_WITHIN));
        let is_gone = || (!map.is_there(&self.sysfs)).then_some(());
        // What it refuses it does not do later.
        let wait = if told.is_ok() { within } else { Deadline::after(Duration::ZERO) };
        match (until(wait, is_gone), told) {
            (Some(()), _) => Ok(()),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Err(HostError::Busy {
                what: map.name.clone(),
                by: "multipathd, which has not taken it down".to_owned(),
            }),
        }
    }

    /// Has multipathd let a disk go that it may have made a path of, so that it makes no new map of it. An error when the map is used.
    pub fn release(&self, disk: &str, deadline: Deadline) -> Result<(), HostError> {
        if let Some(map) = Map::of_path(&self.sysfs, disk) {
            self.take_down(&map, deadline)?;
        }
        if let Err(error) = self.machine.multipathd(&["remove", "path", disk], deadline) {
            tracing::debug!(disk, %error, "multipathd does not know the path");
        }
        Ok(())
    }
}
