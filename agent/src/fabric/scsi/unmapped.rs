//! What the kernel keeps of a unit that its target does not show any more.
//!
//! Such a disk answers nothing, and its number may be another volume's tomorrow. It goes when the target itself says that there is
//! no such unit; one that is only silent may come back, and stays.

use sanfleet_protocol::VolumeId;

use super::{Look, Transport, Unit, look, map::Map};
use crate::{
    deadline::Deadline,
    host::{HostError, OpenDevice},
};

/// The disk of a unit that is no more.
struct Left {
    unit: Unit,
    disk: Box<dyn OpenDevice>,
}

/// Takes away what is left of the volume; true when that was something.
pub fn drop_all<T: Transport>(fabric: &T, volume: &VolumeId, deadline: Deadline) -> Result<bool, HostError> {
    let all = left_of(fabric, volume)?;
    all.iter().try_for_each(|left| drop_one(fabric, left, deadline))?;
    Ok(!all.is_empty())
}

/// Nothing as long as any unit that was the volume may still be something.
fn left_of<T: Transport>(fabric: &T, volume: &VolumeId) -> Result<Vec<Left>, HostError> {
    let mut left = Vec::new();
    for unit in fabric.all().into_iter().filter(|unit| unit.cached_ids().contains(volume)) {
        match look(fabric, volume, &unit)? {
            Look::Unmapped(disk) => left.push(Left { unit, disk }),
            Look::Volume(_) | Look::Other { .. } => return Ok(Vec::new()),
        }
    }
    Ok(left)
}

/// The map of such paths would wait for one of them for ever where it is made so.
fn drop_one<T: Transport>(fabric: &T, left: &Left, deadline: Deadline) -> Result<(), HostError> {
    let (units, disk) = (fabric.units(), left.disk.as_ref());
    let take = || fabric.taking(&left.unit, deadline, || units.drop_other(&left.unit, disk, deadline));
    match Map::of_path(&units.sysfs, &disk.name()) {
        Some(map) => units.without_queueing(&map, deadline, take),
        None => take(),
    }
}
