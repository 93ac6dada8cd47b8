//! Copying a volume: a snapshot that can be written to, in the pool of its source.

use sanfleet_driver::{ErrorNumber, PoolId, Volume, VolumeKey};

use super::{Answer, Array, name, outcome::Outcome, pool, refused};

impl Array {
    pub fn volume_clone(&mut self, pool: Option<&PoolId>, source: &VolumeKey, name: &str) -> Answer<Volume> {
        name::check(name)?;
        let _alone = self.alone()?;
        // Somebody may be held still meanwhile: the daemon is slow at lists, and one is enough for source and name.
        let volumes = self.all_volumes()?;
        let Some(source) = volumes.iter().find(|volume| volume.key() == *source) else {
            return refused(ErrorNumber::NotFoundVolume, format!("no volume {source}"));
        };
        if let Some(wanted) = pool
            && self.pool_for(wanted, false)?.name != source.pool.name
        {
            return refused(ErrorNumber::NoSupport, "targetd copies a volume within its pool only");
        }
        if !pool::kind(&source.pool).copies() {
            let message =
                format!("pool {} is a plain volume group, where nothing is copied", source.pool.name);
            return refused(ErrorNumber::NoSupport, message);
        }
        if volumes.iter().any(|volume| volume.is_called(&source.pool.name, name)) {
            let message = format!("pool {} has a volume {name}", source.pool.name);
            return refused(ErrorNumber::NameConflict, message);
        }
        let outcome = Outcome::of(self.daemon.vol_copy(&source.pool.name, &source.row.name, name))?;
        self.made(&source.pool, name, outcome)
    }
}
