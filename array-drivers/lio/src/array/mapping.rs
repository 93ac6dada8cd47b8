//! Who sees what under which number.

use sanfleet_driver::{AccessGroupId, Mapping, Page, VolumeKey};

use super::{Answer, Array, volume};
use crate::{machine::Survey, state::State};

impl Array {
    pub fn volume_mappings(&mut self, key: &VolumeKey) -> Answer<Vec<Mapping>> {
        let look = self.look()?;
        volume::find(&look.survey, key)?;
        let mut mappings = all(&look.survey, &look.state);
        mappings.retain(|mapping| mapping.volume_id == *key);
        Ok(mappings)
    }

    /// The cursor is the place of the last mapping that was told.
    pub fn mappings_page(&mut self, cursor: Option<&str>, limit: u32) -> Answer<Page<Mapping>> {
        let look = self.look()?;
        let mut mappings = all(&look.survey, &look.state);
        mappings.sort_by_key(place);
        mappings.retain(|mapping| cursor.is_none_or(|cursor| place(mapping).as_str() > cursor));
        let whole = mappings.len();
        mappings.truncate(usize::try_from(limit.max(1)).unwrap_or(usize::MAX));
        let next = mappings.last().filter(|_| mappings.len() < whole).map(place);
        Ok(Page { items: mappings, next })
    }
}

/// Of volumes that are there.
fn all(survey: &Survey, state: &State) -> Vec<Mapping> {
    let is_there = |volume: &str| survey.volumes.iter().any(|known| known.serial.as_str() == volume);
    let masks = state.masks.iter().filter(|mask| is_there(&mask.volume));
    let mapping = |mask: &crate::state::Mask| Mapping {
        volume_id: VolumeKey::new(mask.volume.as_str()),
        access_group_id: Some(AccessGroupId::new(mask.group.as_str())),
        initiator: None,
        lun: state.units.get(&mask.volume).copied().map(u64::from),
        target_ports: Vec::new(),
    };
    masks.map(mapping).collect()
}

fn place(mapping: &Mapping) -> String {
    let group = mapping.access_group_id.as_ref().map(AccessGroupId::as_str).unwrap_or_default();
    format!("{} {group}", mapping.volume_id)
}
