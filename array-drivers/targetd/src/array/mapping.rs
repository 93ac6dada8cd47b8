//! Who sees what under which number.

use sanfleet_driver::{AccessGroupId, Mapping, Page, VolumeKey};

use super::{Answer, Array, volume::Located};

impl Array {
    pub fn volume_mappings(&mut self, volume: &VolumeKey) -> Answer<Vec<Mapping>> {
        let volume = self.volume(volume)?;
        self.mappings_among(&[volume])
    }

    /// The daemon has no pages: each is cut from a list of its own. The cursor is the place of the last mapping that was told.
    pub fn mappings_page(&mut self, cursor: Option<&str>, limit: u32) -> Answer<Page<Mapping>> {
        let volumes = self.all_volumes()?;
        let mut mappings = self.mappings_among(&volumes)?;
        mappings.sort_by_key(place);
        mappings.retain(|mapping| cursor.is_none_or(|cursor| place(mapping).as_str() > cursor));
        let whole = mappings.len();
        mappings.truncate(usize::try_from(limit.max(1)).unwrap_or(usize::MAX));
        let next = mappings.last().filter(|_| mappings.len() < whole).map(place);
        Ok(Page { items: mappings, next })
    }

    fn mappings_among(&mut self, volumes: &[Located]) -> Answer<Vec<Mapping>> {
        let maps = self.maps()?;
        let stand_alone = self.stand_alone()?;
        let mut exports = self.daemon.export_list()?;
        exports.retain(|row| stand_alone.contains(&row.initiator_wwn));
        let mapping = |volume: &Located, group, initiator, lun| Mapping {
            volume_id: volume.key(),
            access_group_id: group,
            initiator,
            lun: Some(lun),
            target_ports: Vec::new(),
        };
        let mut mappings = Vec::new();
        for volume in volumes {
            let rows = maps.iter().filter(|row| volume.is_called(&row.pool_name, &row.vol_name));
            mappings.extend(
                rows.map(|row| mapping(volume, Some(AccessGroupId::new(&row.ag_name)), None, row.h_lun_id)),
            );
            let rows = exports.iter().filter(|row| volume.is_called(&row.pool, &row.vol_name));
            mappings.extend(rows.map(|row| mapping(volume, None, Some(row.initiator_wwn.clone()), row.lun)));
        }
        Ok(mappings)
    }
}

/// Where a mapping is in the list of all.
fn place(mapping: &Mapping) -> String {
    let group = mapping.access_group_id.as_ref().map(AccessGroupId::as_str).unwrap_or_default();
    format!("{} {group} {}", mapping.volume_id, mapping.initiator.as_deref().unwrap_or_default())
}
