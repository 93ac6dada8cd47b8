//! Deleting a volume.

use sanfleet_driver::{ErrorNumber, JobId, VolumeKey};
use sanfleet_failpoint::reach;

use super::{Array, job, volume};
use crate::error::{Result, SimError};

impl Array {
    /// The row goes first: a file without a row is removed at the next opening, a row without a file would be a lie.
    pub fn volume_delete(&self, key: &VolumeKey) -> Result<Option<JobId>> {
        reach("sim.volume_delete.before");
        let change = self.begin()?;
        let doomed = volume::find(&change, key)?;
        if change.prepare_cached("SELECT 1 FROM mask WHERE volume = ?1")?.exists([doomed.id])? {
            return Err(SimError::refused(ErrorNumber::IsMasked, format!("volume {key} is masked")));
        }
        if let Some(job) = job::without_effect(&change, self.job)? {
            change.commit()?;
            return Ok(Some(job));
        }
        volume::forget(&change, doomed.id)?;
        let job = job::start(&change, self.job, None)?;
        change.commit()?;
        reach("sim.volume_delete.after_commit");
        self.files.remove(doomed.id)?;
        reach("sim.volume_delete.after_file");
        Ok(job.map(|job| job.id))
    }
}
