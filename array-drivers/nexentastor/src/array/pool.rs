//! Pools of ZFS, which hold volumes and file systems alike.

use sanfleet_driver::{Capability, ElementType, ErrorNumber, Pool, PoolId, PoolStatus, UnsupportedActions};

use super::{Answer, Array, refused};
use crate::{appliance::PoolRow, dataset::DatasetPath};

impl Array {
    pub fn pools(&mut self) -> Answer<Vec<Pool>> {
        let rows = self.appliance.pools()?;
        Ok(rows.iter().map(|row| self.record(row)).collect())
    }

    fn record(&self, row: &PoolRow) -> Pool {
        let status = status(&row.health);
        let files = match self.lacks().contains(&Capability::FS_CREATE) {
            true => ElementType::default(),
            false => ElementType::FILE_SYSTEM,
        };
        Pool {
            id: pool_id(&row.path),
            name: row.path.to_string(),
            element_type: ElementType::VOLUME | ElementType::VOLUME_FULL | ElementType::VOLUME_THIN | files,
            unsupported_actions: UnsupportedActions::VOLUME_SHRINK,
            total_space: row.size,
            free_space: row.free,
            status,
            status_info: if status == PoolStatus::OK { String::new() } else { row.health.clone() },
            system_id: self.system_id(),
            plugin_data: None,
        }
    }

    pub(super) fn pool(&mut self, id: &PoolId) -> Answer<PoolRow> {
        match self.appliance.pools()?.into_iter().find(|row| row.path.as_str() == id.as_str()) {
            Some(row) => Ok(row),
            None => refused(ErrorNumber::NotFoundPool, format!("no pool {id}")),
        }
    }
}

/// The pool that something is in.
pub(super) fn pool_id(path: &DatasetPath) -> PoolId {
    PoolId::new(path.pool())
}

/// A whole number of blocks, and no more than the pool is large: what is promised beyond that could never be filled.
pub(super) fn possible(pool: &PoolRow, bytes: u64, block: u64) -> Answer<u64> {
    if bytes == 0 {
        return refused(ErrorNumber::InvalidArgument, "it has a size");
    }
    match bytes.checked_next_multiple_of(block) {
        Some(rounded) if pool.size.is_none_or(|size| rounded <= size) => Ok(rounded),
        _ => {
            let size = pool.size.unwrap_or(u64::MAX);
            refused(ErrorNumber::NotEnoughSpace, format!("pool {} has {size} bytes, not {bytes}", pool.path))
        }
    }
}

fn status(health: &str) -> PoolStatus {
    match health {
        "ONLINE" => PoolStatus::OK,
        "DEGRADED" => PoolStatus::DEGRADED,
        "FAULTED" | "UNAVAIL" | "SUSPENDED" => PoolStatus::ERROR,
        "OFFLINE" | "REMOVED" => PoolStatus::STOPPED,
        "" => PoolStatus::UNKNOWN,
        _ => PoolStatus::OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_rounded_up_to_blocks_and_bounded_by_the_pool() {
        let path = DatasetPath::new("tank").unwrap();
        let pool = PoolRow { path, size: Some(1 << 20), free: None, health: "ONLINE".into() };
        assert_eq!(possible(&pool, 1, 8192), Ok(8192));
        assert_eq!(possible(&pool, 8192, 8192), Ok(8192));
        assert_eq!(possible(&pool, 0, 8192).unwrap_err().number, ErrorNumber::InvalidArgument);
        for huge in [(1 << 20) + 1, u64::MAX] {
            assert_eq!(possible(&pool, huge, 8192).unwrap_err().number, ErrorNumber::NotEnoughSpace);
        }
    }

    #[test]
    fn a_word_of_zfs_that_is_not_known_is_told_and_not_taken_for_health() {
        assert_eq!(status("ONLINE"), PoolStatus::OK);
        assert_eq!(status("SPLIT"), PoolStatus::OTHER);
    }
}
