//! Copying a volume. A database may be standing still meanwhile: what can be paid elsewhere is not paid here.
//!
//! A clone and a mirror are tied to their source until the tie is dissolved ([`replica`]); a full copy never is.

use std::fs::File;

use rusqlite::Transaction;
use sanfleet_driver::{ErrorNumber, JobOr, PoolId, ReplicateType, Volume, VolumeKey};
use sanfleet_failpoint::reach;

use super::{
    Array, listing, replica,
    volume::{self, VolumeRow},
};
use crate::error::{Result, SimError};

impl Array {
    /// A clone is one change and one sync where the file system can reflink. Where it cannot, and for a full copy, the volume is
    /// recorded, filled without the write lock, and made ready by a second change.
    pub fn volume_replicate(
        &self,
        pool: Option<&PoolId>,
        kind: ReplicateType,
        source: &VolumeKey,
        name: &str,
    ) -> Result<JobOr<Volume>> {
        check_kind(kind)?;
        reach("sim.volume_replicate.before");
        self.refresh_before_reading(source)?;
        let change = self.begin()?;
        let source = volume::find(&change, source)?;
        let pool = pool.map_or(Ok(source.pool), |pool| listing::pool_row(&change, pool))?;
        let made = volume::reserve(&change, pool, name, source.blocks)?;
        if kind != ReplicateType::COPY {
            replica::tie(&change, made.id, source.id, kind)?;
        }
        let (from, to) = (self.files.read(source.id)?, self.files.create(made.id)?);
        match self.fill(change, kind, &made, &from, &to) {
            Ok(finished) => {
                reach("sim.volume_replicate.after_commit");
                Ok(finished)
            }
            Err(error) => {
                // What cannot be taken back now is removed at the next opening; the first error is the one to tell.
                let _ = self.abandon(&made);
                Err(error)
            }
        }
    }

    fn fill(
        &self,
        change: Transaction,
        kind: ReplicateType,
        made: &VolumeRow,
        from: &File,
        to: &File,
    ) -> Result<JobOr<Volume>> {
        let change = if kind == ReplicateType::CLONE && self.files.reflink(made.id, from, to)? {
            change
        } else {
            change.commit()?;
            reach("sim.volume_replicate.after_reserve");
            self.files.copy(made.id, from, to)?;
            self.begin()?
        };
        reach("sim.volume_replicate.after_file");
        let finished = self.finish(&change, made)?;
        change.commit()?;
        Ok(finished)
    }
}

fn check_kind(kind: ReplicateType) -> Result<()> {
    match kind {
        ReplicateType::CLONE
        | ReplicateType::COPY
        | ReplicateType::MIRROR_SYNC
        | ReplicateType::MIRROR_ASYNC => Ok(()),
        other => {
            Err(SimError::refused(ErrorNumber::InvalidArgument, format!("no replication type {}", other.0)))
        }
    }
}
