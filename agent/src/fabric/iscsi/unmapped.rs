//! What the kernel keeps of a unit that its target does not show any more.
//!
//! Such a disk answers nothing, and its number may be another volume's tomorrow. It goes when the target itself says that there is
//! no such unit; one that is only silent may come back, and stays.

use sanfleet_protocol::VolumeId;

use super::{
    IscsiFabric, Look,
    machine::Machine,
    map::Map,
    session::{Session, Unit},
};
use crate::{
    deadline::Deadline,
    host::{HostError, OpenDevice},
};

/// The disk of a unit that is no more.
pub struct Left {
    session: Session,
    unit: Unit,
    disk: Box<dyn OpenDevice>,
}

impl<M: Machine> IscsiFabric<M> {
    /// What is left of the volume; nothing as long as any unit that was it may still be something.
    pub(super) fn left_of(&self, volume: &VolumeId) -> Result<Vec<Left>, HostError> {
        let mut left = Vec::new();
        for session in Session::all(&self.places.sysfs_root) {
            for unit in session.units().into_iter().filter(|unit| unit.cached_ids().contains(volume)) {
                match self.look(volume, &unit)? {
                    Look::Unmapped(disk) => left.push(Left { session: session.clone(), unit, disk }),
                    Look::Volume(_) | Look::Other { .. } => return Ok(Vec::new()),
                }
            }
        }
        Ok(left)
    }

    /// The map of such paths would wait for one of them for ever where it is made so.
    pub(super) fn drop_left(&self, left: &Left, deadline: Deadline) -> Result<(), HostError> {
        let drop = || self.drop_and_leave(&left.session, &left.unit, left.disk.as_ref(), deadline);
        match Map::of_path(&self.places.sysfs_root, &left.disk.name()) {
            Some(map) => self.without_queueing(&map, deadline, drop),
            None => drop(),
        }
    }
}
