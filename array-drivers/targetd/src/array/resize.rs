//! Making a volume larger.

use sanfleet_driver::{ErrorNumber, LsmError, Volume, VolumeKey};

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
        match (self.volume(key), outcome) {
            (Ok(after), _) if after.row.size >= size => Ok(after.volume()),
            (Err(error), Outcome::Done) => Err(error),
            (_, outcome) => {
                let message = format!("targetd says that volume {key} was resized, but it was not");
                Err(outcome.undone(LsmError::new(ErrorNumber::PluginBug, message)))
            }
        }
    }
}
