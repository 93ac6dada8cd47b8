//! What rests on what. A clone rests on a snapshot of its source; promoted, it has the snapshot, and its source rests on it.

use sanfleet_driver::{ErrorNumber, VolumeKey};

use super::{Answer, Array, outcome::Outcome, refused};
use crate::{appliance::Kind, dataset::DatasetPath};

impl Array {
    pub fn volume_has_children(&mut self, key: &VolumeKey) -> Answer<bool> {
        let volume = self.volume(key)?;
        Ok(!self.appliance.clones(Kind::Volume, &volume.path)?.is_empty())
    }

    pub fn volume_free_children(&mut self, key: &VolumeKey) -> Answer<()> {
        let _alone = self.alone()?;
        let volume = self.volume(key)?;
        self.free_children(Kind::Volume, &volume.path)
    }

    /// The clone of the youngest snapshot takes all older snapshots over, and with them what rests on those.
    pub(super) fn free_children(&mut self, kind: Kind, path: &DatasetPath) -> Answer<()> {
        let clones = self.appliance.clones(kind, path)?;
        let Some(youngest) = clones.into_iter().max_by_key(|row| row.age) else {
            return refused(ErrorNumber::NoStateChange, format!("nothing rests on {path}"));
        };
        let outcome = Outcome::of(self.appliance.promote(kind, &youngest.clone))?;
        let deadline = self.appliance.deadline();
        let look = || Ok(self.appliance.clones(kind, path)?.is_empty().then_some(()));
        outcome.settle(deadline, look, || format!("{} was promoted, but {path} has clones", youngest.clone))
    }
}
