//! Deleting a volume.

use sanfleet_driver::{ErrorNumber, JobId, VolumeKey};
use sanfleet_failpoint::reach;

use super::{Array, job, replica, volume};
use crate::error::{Result, SimError};

impl Array {
    /// The row goes first: a file without a row is removed at the next opening, a row without a file would be a lie.
    pub fn volume_delete(&self, key: &VolumeKey) -> Result<Option<JobId>> {
        reach("sim.volume_delete.before");
        let change = self.begin()?;
        let doomed = volume::find(&change, key)?;
        let visible = "SELECT 1 FROM mask WHERE volume = ?1 UNION ALL SELECT 1 FROM map WHERE volume = ?1";
        if change.prepare_cached(visible)?.exists([doomed.id])? {
            return Err(SimError::refused(ErrorNumber::IsMasked, format!("volume {key} is masked")));
        }
        if replica::has_children(&change, doomed.id)? {
            let message = format!("other volumes depend on volume {key}");
            return Err(SimError::refused(ErrorNumber::HasChildDependency, message));
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
