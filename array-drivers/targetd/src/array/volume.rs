//! Volumes, which the daemon knows by pool and name, and everybody else by an id that never comes back.

use sanfleet_driver::{AdminState, ErrorNumber, PoolId, Search, Volume, VolumeKey};

use super::{Answer, Array, refused, system_id};
use crate::{
    daemon::{PoolRow, VolumeRow},
    identity,
};

const BLOCK: u64 = 512;

/// A volume, and where it is.
#[derive(Debug, Clone)]
pub(super) struct Located {
    pub pool: PoolRow,
    pub row: VolumeRow,
}

impl Located {
    pub fn key(&self) -> VolumeKey {
        VolumeKey::new(self.row.uuid.to_text())
    }

    /// True when the daemon means this one when it says so.
    pub fn is_called(&self, pool: &str, name: &str) -> bool {
        self.pool.name == pool && self.row.name == name
    }

    pub fn volume(&self) -> Volume {
        let uuid = self.row.uuid.to_text();
        Volume {
            vpd83: identity::vpd83(&uuid),
            id: VolumeKey::new(uuid),
            name: self.row.name.clone(),
            block_size: Some(BLOCK),
            num_of_blocks: Some(self.row.size / BLOCK),
            admin_state: AdminState::ENABLED,
            system_id: system_id(),
            pool_id: PoolId::new(&self.pool.name),
            plugin_data: None,
        }
    }
}

impl Array {
    pub fn volumes(&mut self, search: Option<&Search>) -> Answer<Vec<Volume>> {
        let mut pools = self.volume_pools()?;
        if let Some(search) = search.filter(|search| search.key == "pool_id") {
            pools.retain(|pool| pool.name == search.value);
        }
        let located = self.volumes_in(pools)?;
        Ok(located.iter().map(Located::volume).collect())
    }

    /// In band a volume has its NAA id; the other designator of LIO carries its name, which is nobody's identity.
    pub fn volume_ids(&mut self, key: &VolumeKey) -> Answer<Vec<String>> {
        let found = self.volume(key)?;
        Ok(vec![format!("naa.{}", identity::vpd83(&found.row.uuid.to_text()))])
    }

    pub(super) fn all_volumes(&mut self) -> Answer<Vec<Located>> {
        let pools = self.volume_pools()?;
        self.volumes_in(pools)
    }

    fn volumes_in(&mut self, pools: Vec<PoolRow>) -> Answer<Vec<Located>> {
        let mut located = Vec::new();
        for pool in pools {
            let rows = self.daemon.vol_list(&pool.name)?;
            located.extend(rows.into_iter().map(|row| Located { pool: pool.clone(), row }));
        }
        Ok(located)
    }

    pub(super) fn volume(&mut self, key: &VolumeKey) -> Answer<Located> {
        match self.all_volumes()?.into_iter().find(|volume| volume.key() == *key) {
            Some(volume) => Ok(volume),
            None => refused(ErrorNumber::NotFoundVolume, format!("no volume {key}")),
        }
    }

    pub(super) fn named(&mut self, pool: &PoolRow, name: &str) -> Answer<Option<Located>> {
        let rows = self.daemon.vol_list(&pool.name)?;
        let found = rows.into_iter().find(|row| row.name == name);
        Ok(found.map(|row| Located { pool: pool.clone(), row }))
    }
}
