//! Making a volume larger.

use sanfleet_driver::{ErrorNumber, Volume, VolumeKey};

use super::{Answer, Array, create::require_possible, outcome::Outcome, refused};

impl Array {
    pub fn volume_resize(&mut self, key: &VolumeKey, size: u64) -> Answer<Volume> {
        let _alone = self.alone()?;
        let volume = self.volume(key)?;
        if size == volume.row.size {
            return refused(ErrorNumber::NoStateChange, format!("volume {key} has that size"));
        }
        if size < volume.row.size {
            return refused(ErrorNumber::NoSupport, "targetd makes no volume smaller");
        }
        require_possible(&volume.pool, size)?;
        let outcome = Outcome::of(self.daemon.vol_resize(&volume.pool.name, &volume.row.name, size))?;
        let after = self.volume(key).map(|after| (after.row.size >= size).then(|| after.volume()));
        outcome.settle(after, || format!("targetd says that volume {key} was resized, but it was not"))
    }
}
