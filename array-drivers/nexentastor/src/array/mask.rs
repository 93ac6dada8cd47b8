//! Showing a volume to a group, and no longer.

use sanfleet_driver::{AccessGroup, AccessGroupId, ErrorNumber, Volume, VolumeKey};

use super::{
    Answer, Array,
    access_group::everybody,
    outcome::{Outcome, gone},
    refused,
};
use crate::{
    appliance::{self, MappingRow, Reason},
    dataset::DatasetPath,
};

impl Array {
    pub fn volume_mask(&mut self, group: &AccessGroupId, volume: &VolumeKey) -> Answer<()> {
        let _alone = self.alone()?;
        let (group, volume) = (self.group(group)?, self.volume(volume)?);
        let masked = || {
            let message = format!("volume {} is masked to {}", volume.key, group.name);
            refused(ErrorNumber::NoStateChange, message)
        };
        if self.mapping(&volume.path, &group.name)?.is_some() {
            return masked();
        }
        let outcome = match self.appliance.mapping_create(&volume.path, &group.name) {
            // Somebody else masked it in this moment. If nobody did, another mapping is in the way.
            Err(error) if error.is(Reason::Exists) && self.mapping(&volume.path, &group.name)?.is_some() => {
                return masked();
            }
            answer => Outcome::of(answer)?,
        };
        let deadline = self.appliance.deadline();
        let untrue = || format!("the appliance says that volume {} was masked, but it was not", volume.key);
        let look = || Ok(self.mapping(&volume.path, &group.name)?);
        outcome.settle(deadline, look, untrue).map(drop)
    }

    pub fn volume_unmask(&mut self, group: &AccessGroupId, volume: &VolumeKey) -> Answer<()> {
        let _alone = self.alone()?;
        // Who is everybody is no group that is listed, and may be taken a volume away from all the same.
        let (name, volume) = (group.as_str(), self.volume(volume)?);
        let unmasked = || {
            let message = format!("volume {} is not masked to {group}", volume.key);
            refused(ErrorNumber::NoStateChange, message)
        };
        let Some(mapping) = self.mapping(&volume.path, name)? else {
            self.group(group)?;
            return unmasked();
        };
        let outcome = match self.appliance.mapping_delete(&mapping) {
            Err(error) if error.is(Reason::Missing) => return unmasked(),
            answer => Outcome::of(answer)?,
        };
        let deadline = self.appliance.deadline();
        let untrue = || format!("the appliance says that volume {} was unmasked, but it was not", volume.key);
        outcome.settle(deadline, || gone(self.mapping(&volume.path, name)), untrue)
    }

    fn mapping(&mut self, volume: &DatasetPath, group: &str) -> appliance::Answer<Option<MappingRow>> {
        let mappings = self.appliance.mappings(Some(volume))?;
        Ok(mappings.into_iter().find(|mapping| mapping.host_group == group))
    }

    pub fn volumes_of(&mut self, group: &AccessGroupId) -> Answer<Vec<Volume>> {
        let mappings = self.appliance.mappings(None)?;
        if !mappings.iter().any(|mapping| mapping.host_group == group.as_str()) {
            self.group(group)?;
        }
        let seen = |path: &DatasetPath| {
            mappings.iter().any(|row| row.host_group == group.as_str() && row.volume == *path)
        };
        let volumes = self.appliance.volumes()?;
        Ok(volumes.iter().filter(|row| seen(&row.path)).map(|row| self.volume_record(row)).collect())
    }

    pub fn groups_of(&mut self, volume: &VolumeKey) -> Answer<Vec<AccessGroup>> {
        let volume = self.volume(volume)?;
        let mappings = self.appliance.mappings(Some(&volume.path))?;
        let mut groups = self.appliance.host_groups()?;
        groups.extend(everybody(&groups, &mappings));
        groups.retain(|group| mappings.iter().any(|mapping| mapping.host_group == group.name));
        Ok(groups.iter().map(|group| self.group_record(group)).collect())
    }
}
