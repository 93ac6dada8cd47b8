//! How a volume is cached, and the light that shows where it is. Both are kept and change nothing about the data.

use rusqlite::params;
use sanfleet_driver::{
    CacheInfo, ErrorNumber, PhysicalDiskCache, ReadCache, VolumeKey, WriteCachePolicy, WriteCacheStatus,
};

use super::{Array, volume};
use crate::error::{Result, SimError};

impl Array {
    /// The batteries are always good, so AUTO is write back.
    pub fn volume_cache_info(&self, key: &VolumeKey) -> Result<CacheInfo> {
        let volume = volume::find(&self.state, key)?;
        let query = "SELECT write_cache, read_cache, disk_cache FROM volume WHERE id = ?1";
        Ok(self.state.prepare_cached(query)?.query_row([volume.id], |row| {
            let (write_policy, read_policy) = (WriteCachePolicy(row.get(0)?), ReadCache(row.get(1)?));
            let write_status = match write_policy {
                WriteCachePolicy::WRITE_THROUGH => WriteCacheStatus::WRITE_THROUGH,
                _ => WriteCacheStatus::WRITE_BACK,
            };
            let physical_disk = PhysicalDiskCache(row.get(2)?);
            Ok(CacheInfo { write_policy, write_status, read_policy, read_status: read_policy, physical_disk })
        })?)
    }

    pub fn volume_physical_disk_cache_update(&self, key: &VolumeKey, cache: PhysicalDiskCache) -> Result<()> {
        let known = matches!(cache, PhysicalDiskCache::ENABLED | PhysicalDiskCache::DISABLED);
        self.set(key, "disk_cache", cache.0, known)
    }

    pub fn volume_write_cache_policy_update(&self, key: &VolumeKey, policy: WriteCachePolicy) -> Result<()> {
        let known = [WriteCachePolicy::WRITE_BACK, WriteCachePolicy::AUTO, WriteCachePolicy::WRITE_THROUGH];
        self.set(key, "write_cache", policy.0, known.contains(&policy))
    }

    pub fn volume_read_cache_policy_update(&self, key: &VolumeKey, policy: ReadCache) -> Result<()> {
        let known = matches!(policy, ReadCache::ENABLED | ReadCache::DISABLED);
        self.set(key, "read_cache", policy.0, known)
    }

    pub fn volume_ident_led(&self, key: &VolumeKey, on: bool) -> Result<()> {
        self.set(key, "ident_led", i64::from(on), true)
    }

    fn set(&self, key: &VolumeKey, column: &'static str, value: i64, known: bool) -> Result<()> {
        if !known {
            let message = format!("{value} is no {column} to choose");
            return Err(SimError::refused(ErrorNumber::InvalidArgument, message));
        }
        let change = self.begin()?;
        let volume = volume::find(&change, key)?;
        change
            .prepare_cached(&format!("UPDATE volume SET {column} = ?2 WHERE id = ?1"))?
            .execute(params![volume.id, value])?;
        change.commit()?;
        Ok(())
    }
}
