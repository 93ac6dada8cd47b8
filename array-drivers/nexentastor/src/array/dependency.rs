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

    /// The clone of the youngest snapshot takes all older snapshots over, and with them what rests on those. Of two that are of one
    /// age the second is left for another round.
    pub(super) fn free_children(&mut self, kind: Kind, path: &DatasetPath) -> Answer<()> {
        let mut clones = self.appliance.clones(kind, path)?;
        if clones.is_empty() {
            return refused(ErrorNumber::NoStateChange, format!("nothing rests on {path}"));
        }
        for _ in 0..clones.len() {
            let Some(youngest) = clones.iter().max_by_key(|row| row.age) else { break };
            self.promote(kind, path, &youngest.clone)?;
            clones = self.appliance.clones(kind, path)?;
        }
        Ok(())
    }

    fn promote(&mut self, kind: Kind, path: &DatasetPath, clone: &DatasetPath) -> Answer<()> {
        let outcome = Outcome::of(self.appliance.promote(kind, clone))?;
        let deadline = self.appliance.deadline();
        let look = || {
            let clones = self.appliance.clones(kind, path)?;
            Ok(clones.iter().all(|row| row.clone != *clone).then_some(()))
        };
        outcome.settle(deadline, look, || format!("{clone} was promoted, but is a clone of {path}"))
    }
}
