//! One unit of one target: scanned for, asked which volume it is, and taken away.

use std::{fmt, path::PathBuf, time::Duration};

use sanfleet_protocol::{Lun, VolumeId, volume_id};

use super::{Machine, Target, Unit, lun, refuse_late, until};
use crate::{
    deadline::Deadline,
    host::{HostError, OpenDevice},
};

/// How long the disk of a unit may take to be there after the unit is, and to be gone.
pub const DISK_WITHIN: Duration = Duration::from_secs(5);

/// The SCSI units of this machine, whatever they come over.
#[derive(Debug)]
pub struct Units<M> {
    pub sysfs: PathBuf,
    pub machine: M,
    /// multipathd runs here.
    pub multipath: bool,
}

/// What a unit is.
pub enum Look {
    Volume(Box<dyn OpenDevice>),
    /// Another volume, or ours while the kernel still shows what was there before.
    Other {
        device: Box<dyn OpenDevice>,
        found: Vec<VolumeId>,
    },
    /// The target has no such unit any more.
    Unmapped(Box<dyn OpenDevice>),
}

impl<M: Machine> Units<M> {
    /// Has the kernel look for one unit, and keeps what it finds when that is the volume. `way` is for people.
    pub fn scan(
        &self,
        volume: &VolumeId,
        way: &dyn fmt::Display,
        (target, lun): (&Target, Lun),
        deadline: Deadline,
    ) -> Result<bool, HostError> {
        let mut refused = None;
        for form in lun::forms(lun) {
            refuse_late(way, deadline)?;
            let unit = target.unit(form);
            if unit.is_there() {
                match self.look(volume, &unit)? {
                    Look::Volume(_) => return Ok(true),
                    // What was here has gone or been replaced, or our volume came in its place.
                    Look::Other { device, .. } | Look::Unmapped(device) => {
                        self.drop_other(&unit, device.as_ref(), deadline)?;
                    }
                }
            }
            if let Err(error) = self.machine.write(&target.ear(&self.sysfs), &unit.scan_words()) {
                // Its host may count less far than this form does, and as far as the next one.
                refused.get_or_insert(error);
            } else if unit.is_there() {
                return self.keep_or_refuse(volume, way, &unit, deadline).map(|()| true);
            }
        }
        refused.map_or(Ok(false), Err)
    }

    /// Asks the unit's disk, as soon as it is there, which volume it is.
    pub fn look(&self, volume: &VolumeId, unit: &Unit) -> Result<Look, HostError> {
        let within = Deadline::after(DISK_WITHIN);
        let open = || match unit.disk().map(|disk| self.machine.open(&disk)) {
            None => None,
            // It is a moment before it can be opened.
            Some(Err(error)) if error.is_absence() => None,
            Some(outcome) => Some(outcome),
        };
        let device = until(within, open).ok_or_else(|| HostError::Timeout {
            what: format!("the disk of {unit}"),
            after: DISK_WITHIN,
        })??;
        let ids = match device.identify() {
            Err(HostError::Unmapped { .. }) => return Ok(Look::Unmapped(device)),
            answer => answer?,
        };
        let is_volume = volume_id::same_volume(&ids, std::slice::from_ref(volume));
        // The kernel finds a volume by what it cached: with old ids, size or partitions the disk is of no use.
        match is_volume && unit.cached_ids().contains(volume) {
            true => Ok(Look::Volume(device)),
            false => Ok(Look::Other { device, found: ids }),
        }
    }

    /// After a scan that made the unit: a volume that nobody asked for goes again.
    fn keep_or_refuse(
        &self,
        volume: &VolumeId,
        way: &dyn fmt::Display,
        unit: &Unit,
        deadline: Deadline,
    ) -> Result<(), HostError> {
        let (device, found) = match self.look(volume, unit)? {
            Look::Volume(_) => return Ok(()),
            Look::Other { device, found } => (device, found),
            Look::Unmapped(device) => (device, Vec::new()),
        };
        self.drop_other(unit, device.as_ref(), deadline)?;
        let found = volume_id::preferred(&found)
            .map_or_else(|| "a unit without an id".to_owned(), |id| format!("volume {id}"));
        Err(HostError::OtherVolume { what: way.to_string(), wanted: volume.clone(), found })
    }

    /// Writes back what is dirty and takes the volume's unit away; an error when anybody uses its disk.
    pub fn remove(&self, unit: &Unit, device: &dyn OpenDevice) -> Result<(), HostError> {
        let claim = self.machine.claim(device)?;
        self.machine.flush(&claim)?;
        sanfleet_failpoint::reach("agent.scsi.flushed");
        self.delete(unit, &device.name())
    }

    /// Takes a path of a map away that is flushed and taken down: one in standby takes no flush, and has nothing left to write back.
    pub fn remove_path(&self, unit: &Unit, device: &dyn OpenDevice) -> Result<(), HostError> {
        let claim = self.machine.claim(device)?;
        if let Err(error) = self.machine.flush(&claim) {
            tracing::warn!(%unit, %error, "a path of a volume that is flushed takes no flush of its own");
        }
        self.delete(unit, &device.name())
    }

    /// Takes a unit away that is not the volume that it was: what is still dirty of the old one must not be written to it.
    pub fn drop_other(
        &self,
        unit: &Unit,
        device: &dyn OpenDevice,
        deadline: Deadline,
    ) -> Result<(), HostError> {
        if self.multipath {
            self.release(&device.name(), deadline)?;
        }
        let _claim = self.machine.claim(device)?;
        self.machine.write(&unit.state(), "offline")?;
        self.delete(unit, &device.name())
    }

    pub fn delete(&self, unit: &Unit, disk: &str) -> Result<(), HostError> {
        self.machine.write(&unit.delete(), "1")?;
        match until(Deadline::after(DISK_WITHIN), || (!unit.is_there()).then_some(())) {
            Some(()) => Ok(()),
            None => Err(HostError::Busy {
                what: disk.to_owned(),
                by: format!("the kernel, which still shows {unit} after it was removed"),
            }),
        }
    }
}
