//! Pools: thin pools of LVM.

use sanfleet_driver::{ElementType, ErrorNumber, Pool, PoolId, PoolStatus, UnsupportedActions};

use super::{Answer, Array, refused, system_id};
use crate::machine::{PoolRow, Survey};

impl PoolRow {
    pub(super) fn id(&self) -> PoolId {
        PoolId::new(format!("{}/{}", self.group, self.name))
    }

    fn record(&self) -> Pool {
        Pool {
            id: self.id(),
            name: self.id().to_string(),
            element_type: ElementType::VOLUME | ElementType::VOLUME_THIN,
            unsupported_actions: UnsupportedActions::VOLUME_SHRINK,
            total_space: Some(self.size),
            free_space: Some(self.free),
            status: PoolStatus::OK,
            status_info: String::new(),
            system_id: system_id(),
            plugin_data: None,
        }
    }
}

impl Array {
    pub fn pools(&mut self) -> Answer<Vec<Pool>> {
        Ok(self.look()?.survey.pools.iter().map(PoolRow::record).collect())
    }
}

pub(super) fn find<'a>(survey: &'a Survey, id: &PoolId) -> Answer<&'a PoolRow> {
    match survey.pools.iter().find(|pool| pool.id() == *id) {
        Some(pool) => Ok(pool),
        None => refused(ErrorNumber::NotFoundPool, format!("no thin pool {id}")),
    }
}
