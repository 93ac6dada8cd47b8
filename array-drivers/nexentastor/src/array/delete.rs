//! Deleting a volume.

use sanfleet_driver::{ErrorNumber, VolumeKey};

use super::{
    Answer, Array,
    outcome::{Outcome, gone, until},
    refused,
};
use crate::{
    appliance::{Kind, Reason, VolumeRow},
    dataset::DatasetPath,
};

impl Array {
    pub fn volume_delete(&mut self, key: &VolumeKey) -> Answer<()> {
        let _alone = self.alone()?;
        let volume = self.volume(key)?;
        self.require_unmasked(&volume)?;
        self.require_childless(Kind::Volume, &volume.path)?;
        self.take_unit(&volume)?;
        match self.appliance.volume_delete(&volume.path) {
            Err(error) if error.is(Reason::Missing) => {
                refused(ErrorNumber::NotFoundVolume, format!("no volume {key}"))
            }
            // Somebody has made a clone meanwhile.
            Err(error) if error.is(Reason::Exists) => {
                let _ = self.appliance.unit_create(&volume.path);
                refused(ErrorNumber::HasChildDependency, error.to_string())
            }
            Err(error) if !error.leaves_it_open() => {
                // It stays, and is to have an identity as before.
                let _ = self.appliance.unit_create(&volume.path);
                Err(error.into())
            }
            answer => {
                let (outcome, deadline) = (Outcome::of(answer)?, self.appliance.deadline());
                let untrue = || format!("the appliance says that volume {key} was deleted, but lists it");
                outcome.settle(deadline, || gone(self.appliance.known(key)), untrue)
            }
        }
    }

    /// What gives a volume its unit may not be listed yet. Whether it is in the way still, the end of the volume shows.
    fn take_unit(&mut self, volume: &VolumeRow) -> Answer<()> {
        let (deadline, mut asked) = (self.appliance.deadline(), volume.unit.is_none());
        let taken = until(deadline, || match self.appliance.unit_delete(&volume.path) {
            Ok(taken) => Ok((taken || asked).then_some(())),
            Err(error) if error.leaves_it_open() => {
                asked = true;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        });
        taken.map(drop)
    }

    fn require_unmasked(&mut self, volume: &VolumeRow) -> Answer<()> {
        match self.appliance.mappings(Some(&volume.path))?.into_iter().next() {
            None => Ok(()),
            Some(mapping) => {
                let message = format!("volume {} is shown to {}", volume.key, mapping.host_group);
                refused(ErrorNumber::IsMasked, message)
            }
        }
    }

    pub(super) fn require_childless(&mut self, kind: Kind, path: &DatasetPath) -> Answer<()> {
        match self.appliance.clones(kind, path)?.into_iter().next() {
            None => Ok(()),
            Some(child) => {
                refused(ErrorNumber::HasChildDependency, format!("{path} has a clone: {}", child.clone))
            }
        }
    }
}
