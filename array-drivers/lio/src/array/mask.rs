//! Showing a volume to a group, and no longer.

use sanfleet_driver::{AccessGroup, AccessGroupId, ErrorNumber, LsmError, Volume, VolumeKey};

use super::{
    Answer, Array,
    access_group::{group, record},
    refused, volume,
};
use crate::machine::VolumeRow;

impl Array {
    pub fn volume_mask(&mut self, id: &AccessGroupId, key: &VolumeKey) -> Answer<()> {
        self.change(|survey, state| {
            group(state, id.as_str())?;
            let volume = volume::find(survey, key)?;
            let is_new = state
                .mask(id.as_str(), &volume.serial)
                .map_err(|error| LsmError::new(ErrorNumber::NotEnoughSpace, error.to_string()))?;
            match is_new {
                true => Ok(()),
                false => refused(ErrorNumber::NoStateChange, format!("volume {key} is masked to {id}")),
            }
        })
    }

    pub fn volume_unmask(&mut self, id: &AccessGroupId, key: &VolumeKey) -> Answer<()> {
        self.change(|survey, state| {
            group(state, id.as_str())?;
            let volume = volume::find(survey, key)?;
            match state.unmask(id.as_str(), &volume.serial) {
                true => Ok(()),
                false => refused(ErrorNumber::NoStateChange, format!("volume {key} is not masked to {id}")),
            }
        })
    }

    pub fn volumes_of(&mut self, id: &AccessGroupId) -> Answer<Vec<Volume>> {
        let look = self.look()?;
        group(&look.state, id.as_str())?;
        let is_shown = |volume: &&VolumeRow| {
            let mut masks = look.state.masks.iter();
            masks.any(|mask| mask.group == id.as_str() && mask.volume == volume.serial.as_str())
        };
        Ok(look.survey.volumes.iter().filter(is_shown).map(VolumeRow::record).collect())
    }

    pub fn groups_of(&mut self, key: &VolumeKey) -> Answer<Vec<AccessGroup>> {
        let look = self.look()?;
        let serial = &volume::find(&look.survey, key)?.serial;
        let masks = look.state.masks.iter().filter(|mask| mask.volume == serial.as_str());
        Ok(masks.filter_map(|mask| record(&look.state, &mask.group)).collect())
    }
}
