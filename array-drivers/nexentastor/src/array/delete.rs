//! Deleting a volume.

use sanfleet_driver::{ErrorNumber, VolumeKey};

use super::{
    Answer, Array,
    outcome::{Outcome, gone},
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
        if let Outcome::Open(_) = Outcome::of(self.appliance.unit_delete(&volume.path))? {
            // It looks first, so asked for again it does what is left to do.
            self.appliance.unit_delete(&volume.path)?;
        }
        match self.appliance.volume_delete(&volume.path) {
            Err(error) if error.is(Reason::Missing) => {
                refused(ErrorNumber::NotFoundVolume, format!("no volume {key}"))
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
