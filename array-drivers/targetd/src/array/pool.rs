//! Pools: volume groups, thin pools, parents of ZFS volumes, and places for file systems.

use sanfleet_driver::{ElementType, ErrorNumber, Pool, PoolId, PoolStatus, Provisioning, UnsupportedActions};

use super::{Answer, Array, refused, system_id};
use crate::daemon::{PoolRow, Uuid};

/// What the daemon calls a pool of file systems.
const FS: &str = "fs";

/// What a pool is made of, as far as its row tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An LVM volume group: volumes have all their space from the start, and cannot be copied.
    Linear,
    /// A thin pool of LVM: `vg/pool`.
    Thin,
    /// ZFS; only there is a uuid a number.
    Zfs,
    FileSystems,
}

impl Kind {
    pub fn copies(self) -> bool {
        matches!(self, Self::Thin | Self::Zfs)
    }

    fn elements(self) -> ElementType {
        match self {
            Self::Linear => ElementType::VOLUME | ElementType::VOLUME_FULL,
            Self::Thin => ElementType::VOLUME | ElementType::VOLUME_THIN,
            Self::Zfs => ElementType::VOLUME,
            Self::FileSystems => ElementType::FILE_SYSTEM,
        }
    }

    /// Whether volumes can be made in the way that is asked for.
    pub fn provisions(self, wanted: Provisioning) -> bool {
        match wanted {
            Provisioning::THIN => self == Self::Thin,
            Provisioning::FULL => self == Self::Linear,
            _ => true,
        }
    }
}

pub(super) fn kind(row: &PoolRow) -> Kind {
    match (&row.uuid, row.kind.as_str()) {
        (_, FS) => Kind::FileSystems,
        (Some(Uuid::Number(_)), _) => Kind::Zfs,
        _ if row.name.contains('/') => Kind::Thin,
        _ => Kind::Linear,
    }
}

impl Array {
    pub fn pools(&mut self) -> Answer<Vec<Pool>> {
        let rows = self.daemon.pool_list()?;
        Ok(rows.iter().map(|row| self.pool(row)).collect())
    }

    fn pool(&self, row: &PoolRow) -> Pool {
        let unsupported_actions = match self.resizes() {
            true => UnsupportedActions::VOLUME_SHRINK,
            false => UnsupportedActions::VOLUME_SHRINK | UnsupportedActions::VOLUME_GROW,
        };
        Pool {
            id: PoolId::new(&row.name),
            name: row.name.clone(),
            element_type: kind(row).elements(),
            unsupported_actions,
            total_space: Some(row.size),
            free_space: Some(row.free_size),
            status: PoolStatus::OK,
            status_info: String::new(),
            system_id: system_id(),
            plugin_data: None,
        }
    }

    /// The pool for volumes, or for file systems, with this id.
    pub(super) fn pool_for(&mut self, id: &PoolId, file_systems: bool) -> Answer<PoolRow> {
        let found = self.daemon.pool_list()?.into_iter().find(|row| row.name == id.as_str());
        match found {
            Some(row) if (kind(&row) == Kind::FileSystems) == file_systems => Ok(row),
            Some(_) => refused(ErrorNumber::InvalidArgument, format!("pool {id} is not for that")),
            None => refused(ErrorNumber::NotFoundPool, format!("no pool {id}")),
        }
    }

    /// Every pool that has volumes.
    pub(super) fn volume_pools(&mut self) -> Answer<Vec<PoolRow>> {
        let mut rows = self.daemon.pool_list()?;
        rows.retain(|row| kind(row) != Kind::FileSystems);
        Ok(rows)
    }
}
