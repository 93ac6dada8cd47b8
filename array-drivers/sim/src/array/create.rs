//! Making an empty volume.

use sanfleet_driver::{ErrorNumber, JobOr, PoolId, Volume};

use super::{Array, BLOCK, listing, volume};
use crate::error::{Result, SimError};

impl Array {
    /// The size is rounded up to whole blocks. An empty sparse file is made in no time, so file and row are one change.
    pub fn volume_create(&self, pool: &PoolId, name: &str, size_bytes: u64) -> Result<JobOr<Volume>> {
        if size_bytes == 0 {
            return Err(SimError::refused(ErrorNumber::InvalidArgument, "a volume of no size"));
        }
        let change = self.begin()?;
        let pool = listing::pool_row(&change, pool)?;
        let made = volume::reserve(&change, pool, name, size_bytes.div_ceil(BLOCK))?;
        let file = self.files.create(made.id)?;
        let finished = self
            .files
            .set_size(made.id, &file, made.bytes())
            .and_then(|()| self.finish(&change, &made))
            .and_then(|finished| Ok(change.commit().map(|()| finished)?));
        if finished.is_err() {
            // The row was never there; the next opening would remove the file too.
            let _ = self.files.remove(made.id);
        }
        finished
    }
}
