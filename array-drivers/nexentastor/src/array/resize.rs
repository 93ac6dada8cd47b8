//! Making a volume larger.

use sanfleet_driver::{ErrorNumber, Volume, VolumeKey};

use super::{
    Answer, Array,
    outcome::Outcome,
    pool::{pool_id, possible},
    refused,
};

impl Array {
    pub fn volume_resize(&mut self, key: &VolumeKey, bytes: u64) -> Answer<Volume> {
        let _alone = self.alone()?;
        let volume = self.volume(key)?;
        let pool = self.pool(&pool_id(&volume.path))?;
        let bytes = possible(&pool, bytes, volume.block)?;
        if bytes == volume.size {
            return refused(ErrorNumber::NoStateChange, format!("volume {key} has that size"));
        }
        if bytes < volume.size {
            return refused(ErrorNumber::NoSupport, "no volume is made smaller");
        }
        let outcome = Outcome::of(self.appliance.volume_resize(&volume.path, bytes))?;
        let untrue = || format!("the appliance says that volume {key} was resized, but it was not");
        let deadline = self.appliance.deadline();
        let look = || Ok(self.appliance.known(key)?.filter(|row| row.size == bytes));
        let row = outcome.settle(deadline, look, untrue)?;
        Ok(self.volume_record(&row))
    }
}
