//! Making a volume larger or smaller.
//!
//! The new size is decided by one change and made true by the next. What a process that died in between decided is made true at the
//! next opening; what the file system cannot hold is taken back.

use rusqlite::{Transaction, params};
use sanfleet_driver::{ErrorNumber, JobOr, PoolId, UnsupportedActions, Volume, VolumeKey};
use sanfleet_failpoint::reach;

use super::{
    Array, BLOCK, job, listing, replica,
    seed::column,
    volume::{self, VolumeRow},
};
use crate::{
    error::{Result, SimError},
    identity,
};

impl Array {
    /// Keeps what fits; the size is rounded up to whole blocks. Who sees the volume goes on seeing it, for the file stays the same.
    pub fn volume_resize(&self, key: &VolumeKey, new_size_bytes: u64) -> Result<JobOr<Volume>> {
        reach("sim.volume_resize.before");
        let blocks = new_size_bytes.div_ceil(BLOCK);
        let change = self.begin()?;
        let before = volume::find(&change, key)?;
        check(&change, &before, blocks)?;
        change
            .prepare_cached("UPDATE volume SET blocks = ?2, resizing = 1 WHERE id = ?1")?
            .execute(params![before.id, column(blocks)])?;
        change.commit()?;
        reach("sim.volume_resize.after_decision");
        self.make_true(&before, blocks).inspect_err(|_| {
            // What cannot be taken back now is tried again at the next opening; the first error is the one to tell.
            let _ = self.take_back(&before, blocks);
        })
    }

    fn make_true(&self, before: &VolumeRow, blocks: u64) -> Result<JobOr<Volume>> {
        let change = self.begin()?;
        self.settle_size(&change, before.id)?;
        reach("sim.volume_resize.after_file");
        let job = job::start(&change, self.job, Some(before.id))?;
        change.commit()?;
        reach("sim.volume_resize.after_commit");
        match job {
            Some(job) => Ok(JobOr::Job(job.id)),
            None => self.record(VolumeRow { blocks, ..before.clone() }).map(JobOr::Done),
        }
    }

    /// Gives the file the size that is recorded.
    pub(super) fn settle_size(&self, change: &Transaction, row: i64) -> Result<()> {
        let blocks = change
            .prepare_cached("SELECT blocks FROM volume WHERE id = ?1")?
            .query_row([row], |row| listing::count(row, 0))?;
        self.files.set_size(row, &self.files.write(row)?, blocks.saturating_mul(BLOCK))?;
        change.prepare_cached("UPDATE volume SET resizing = 0 WHERE id = ?1")?.execute([row])?;
        Ok(())
    }

    fn take_back(&self, before: &VolumeRow, decided: u64) -> Result<()> {
        let change = self.begin()?;
        change
            .prepare_cached("UPDATE volume SET blocks = ?2 WHERE id = ?1 AND resizing AND blocks = ?3")?
            .execute(params![before.id, column(before.blocks), column(decided)])?;
        self.settle_size(&change, before.id)?;
        change.commit()?;
        Ok(())
    }
}

fn check(change: &Transaction, volume: &VolumeRow, blocks: u64) -> Result<()> {
    let refuse = |number, message: String| Err(SimError::refused(number, message));
    if blocks == 0 {
        return refuse(ErrorNumber::InvalidArgument, "a volume of no size".into());
    }
    if blocks == volume.blocks {
        return refuse(ErrorNumber::NoStateChange, format!("the volume has {} bytes", volume.bytes()));
    }
    check_pool(change, volume.pool, blocks > volume.blocks)?;
    if replica::has_mirrors(change, volume.id)? {
        return refuse(ErrorNumber::HasChildDependency, "the volume is mirrored".into());
    }
    if replica::is_mirror(change, volume.id)? {
        return refuse(ErrorNumber::NoSupportOnlineChange, "a mirror has the size of its source".into());
    }
    let more = blocks.saturating_sub(volume.blocks).saturating_mul(BLOCK);
    let free = listing::free_bytes(change, volume.pool)?;
    if more > free {
        return refuse(ErrorNumber::NotEnoughSpace, format!("{more} bytes wanted, {free} bytes free"));
    }
    Ok(())
}

fn check_pool(change: &Transaction, pool: i64, grows: bool) -> Result<()> {
    let query = "SELECT unsupported FROM pool WHERE id = ?1";
    let unsupported: u64 = change.prepare_cached(query)?.query_row([pool], |row| listing::count(row, 0))?;
    let (needed, verb) = match grows {
        true => (UnsupportedActions::VOLUME_GROW, "grow"),
        false => (UnsupportedActions::VOLUME_SHRINK, "shrink"),
    };
    if UnsupportedActions(unsupported).contains(needed) {
        let pool: PoolId = identity::pool(pool);
        let message = format!("volumes of pool {pool} cannot {verb}");
        return Err(SimError::refused(ErrorNumber::NoSupport, message));
    }
    Ok(())
}
