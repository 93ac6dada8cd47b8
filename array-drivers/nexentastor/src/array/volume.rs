//! Volumes, which the appliance knows by path, and everybody else by an id that never comes back.

use sanfleet_driver::{AdminState, ErrorNumber, Volume, VolumeKey};

use super::{Answer, Array, pool::pool_id, refused};
use crate::{appliance::VolumeRow, identity::Naa};

/// Bytes of a block as hosts see it, whatever ZFS works with.
const BLOCK: u64 = 512;

impl Array {
    pub fn volumes(&mut self) -> Answer<Vec<Volume>> {
        let rows = self.appliance.volumes()?;
        Ok(rows.iter().map(|row| self.volume_record(row)).collect())
    }

    pub(super) fn volume_record(&self, row: &VolumeRow) -> Volume {
        Volume {
            id: row.key.clone(),
            name: row.path.name().to_owned(),
            vpd83: row.unit.as_ref().map(Naa::as_str).unwrap_or_default().to_owned(),
            block_size: Some(BLOCK),
            num_of_blocks: Some(row.size / BLOCK),
            admin_state: AdminState::ENABLED,
            system_id: self.system_id(),
            pool_id: pool_id(&row.path),
            plugin_data: None,
        }
    }

    pub fn volume_ids(&mut self, key: &VolumeKey) -> Answer<Vec<String>> {
        let unit = self.volume(key)?.unit;
        Ok(unit.iter().map(|naa| format!("naa.{}", naa.as_str())).collect())
    }

    pub(super) fn volume(&mut self, key: &VolumeKey) -> Answer<VolumeRow> {
        match self.appliance.known(key)? {
            Some(row) => Ok(row),
            None => refused(ErrorNumber::NotFoundVolume, format!("no volume {key}")),
        }
    }
}
