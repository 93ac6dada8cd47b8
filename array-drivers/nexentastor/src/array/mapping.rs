//! Who sees what under which number.

use std::collections::BTreeMap;

use sanfleet_driver::{AccessGroupId, Mapping, Page, VolumeKey};

use super::{Answer, Array};
use crate::{appliance::MappingRow, dataset::DatasetPath};

impl Array {
    pub fn volume_mappings(&mut self, volume: &VolumeKey) -> Answer<Vec<Mapping>> {
        let volume = self.volume(volume)?;
        let rows = self.appliance.mappings(Some(&volume.path))?;
        Ok(rows.iter().map(|row| told(&volume.key, row)).collect())
    }

    /// Each page is cut from a whole list. The cursor is the place of the last mapping that was told.
    pub fn mappings_page(&mut self, cursor: Option<&str>, limit: u32) -> Answer<Page<Mapping>> {
        let volumes = self.appliance.volumes()?;
        let keys: BTreeMap<&DatasetPath, &VolumeKey> =
            volumes.iter().map(|row| (&row.path, &row.key)).collect();
        let rows = self.appliance.mappings(None)?;
        let known = rows.iter().filter_map(|row| Some(told(keys.get(&row.volume)?, row)));
        let mut mappings: Vec<Mapping> = known.collect();
        mappings.sort_by_key(place);
        mappings.retain(|mapping| cursor.is_none_or(|cursor| place(mapping).as_str() > cursor));
        let whole = mappings.len();
        mappings.truncate(usize::try_from(limit.max(1)).unwrap_or(usize::MAX));
        let next = mappings.last().filter(|_| mappings.len() < whole).map(place);
        Ok(Page { items: mappings, next })
    }
}

fn told(volume: &VolumeKey, row: &MappingRow) -> Mapping {
    Mapping {
        volume_id: volume.clone(),
        access_group_id: Some(AccessGroupId::new(&row.host_group)),
        initiator: None,
        lun: row.lun,
        target_ports: Vec::new(),
    }
}

/// Where a mapping is in the list of all.
fn place(mapping: &Mapping) -> String {
    let group = mapping.access_group_id.as_ref().map(AccessGroupId::as_str).unwrap_or_default();
    format!("{} {group}", mapping.volume_id)
}
