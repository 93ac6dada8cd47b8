//! What this daemon can do. It has no version to be asked for: what it lacks shows when it is called.

use sanfleet_driver::Capability;

use super::{
    Answer, Array,
    pool::{self, Kind},
};
use crate::rpc::Code;

/// A pool that no daemon has, nor ever may: pools are volume groups, or paths.
const NO_POOL: &str = "sanfleet probe";
const GROUPS: [Capability; 4] = [
    Capability::ACCESS_GROUP_CREATE_ISCSI_IQN,
    Capability::ACCESS_GROUP_DELETE,
    Capability::ACCESS_GROUP_INITIATOR_ADD_ISCSI_IQN,
    Capability::ACCESS_GROUP_INITIATOR_DELETE,
];

impl Array {
    /// The capabilities that the daemon or its pools take away.
    pub(super) fn probe(&mut self) -> Answer<Vec<Capability>> {
        let pools = self.daemon.pool_list()?;
        let mut lacks = Vec::new();
        if !pools.iter().any(|row| pool::kind(row).copies()) {
            lacks.extend([Capability::VOLUME_REPLICATE, Capability::VOLUME_REPLICATE_CLONE]);
        }
        if !pools.iter().any(|row| pool::kind(row) == Kind::Thin) {
            lacks.push(Capability::VOLUME_THIN);
        }
        // Only of these calls is it certain that nothing else makes the daemon say that it has no such method.
        match self.daemon.vol_resize(NO_POOL, NO_POOL, 1) {
            Err(error) if error.is(Code::NO_METHOD) => lacks.push(Capability::VOLUME_RESIZE),
            _ => {}
        }
        match self.daemon.access_group_list() {
            Err(error) if error.is(Code::NO_METHOD) => lacks.extend(GROUPS),
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        Ok(lacks)
    }

    /// Daemons before access groups show volumes to single initiators only.
    pub(super) fn has_groups(&self) -> bool {
        !self.lacks.contains(&Capability::ACCESS_GROUP_DELETE)
    }

    pub(super) fn resizes(&self) -> bool {
        !self.lacks.contains(&Capability::VOLUME_RESIZE)
    }
}
