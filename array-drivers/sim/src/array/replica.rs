//! What ties a volume to the one that it was made from.
//!
//! A clone, a mirror, and a volume that got a piece of another by a range clone are tied to their source; a full copy is not. A source
//! stays as long as anything is tied to it. The files need no tie, for contents are apart at once; it is kept because arrays do.
//!
//! The simulation does not see the writes of hosts, so a mirror is not one at every instant: it is brought up to date at certain
//! moments, and only then is it said to be in sync.
//!
//! - MIRROR_SYNC: whenever the array itself looks at its contents or tells its state. That is when its replication is asked for, before
//!   anything is copied from it, before it is shown to an initiator, and for the last time when the tie is dissolved.
//! - MIRROR_ASYNC: when its replication is asked for, which counts as its next cycle. Else it lags behind, and stays as it was at its
//!   last cycle when the tie is dissolved.
//!
//! What a host writes to a mirror itself is lost with the next update.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sanfleet_driver::{ErrorNumber, JobId, ReplicateType, Replication, ReplicationState, VolumeKey};
use sanfleet_failpoint::reach;

use super::{Array, job, volume};
use crate::{
    error::{Result, SimError},
    identity,
};

struct Tie {
    source: i64,
    kind: ReplicateType,
    whole: bool,
}

impl Tie {
    fn is_mirror(&self) -> bool {
        matches!(self.kind, ReplicateType::MIRROR_SYNC | ReplicateType::MIRROR_ASYNC)
    }

    /// Reading a mirror that an update left half way would be reading neither before nor after.
    fn is_stale(&self) -> bool {
        self.kind == ReplicateType::MIRROR_SYNC || (self.is_mirror() && !self.whole)
    }
}

/// Ties a whole volume.
pub(super) fn tie(change: &Transaction, volume: i64, source: i64, kind: ReplicateType) -> Result<()> {
    change
        .prepare_cached("INSERT INTO replica (volume, source, kind) VALUES (?1, ?2, ?3)")?
        .execute(params![volume, source, kind.0])?;
    Ok(())
}

/// Ties a volume of which pieces are another's. A tie that is there is kept.
pub(super) fn tie_ranges(change: &Transaction, volume: i64, source: i64) -> Result<()> {
    change
        .prepare_cached(
            "INSERT OR IGNORE INTO replica (volume, source, kind, ranged) VALUES (?1, ?2, ?3, 1)",
        )?
        .execute(params![volume, source, ReplicateType::CLONE.0])?;
    Ok(())
}

pub(super) fn has_children(state: &Connection, volume: i64) -> Result<bool> {
    Ok(state.prepare_cached("SELECT 1 FROM replica WHERE source = ?1")?.exists([volume])?)
}

pub(super) fn has_mirrors(state: &Connection, volume: i64) -> Result<bool> {
    let query = "SELECT 1 FROM replica WHERE source = ?1 AND kind IN (?2, ?3)";
    let kinds = params![volume, ReplicateType::MIRROR_SYNC.0, ReplicateType::MIRROR_ASYNC.0];
    Ok(state.prepare_cached(query)?.exists(kinds)?)
}

pub(super) fn is_mirror(state: &Connection, volume: i64) -> Result<bool> {
    Ok(tie_of(state, volume)?.is_some_and(|tie| tie.is_mirror()))
}

fn tie_of(state: &Connection, volume: i64) -> Result<Option<Tie>> {
    let query = "SELECT source, kind, whole FROM replica WHERE volume = ?1 AND NOT ranged";
    let tie = state.prepare_cached(query)?.query_row([volume], |row| {
        Ok(Tie { source: row.get(0)?, kind: ReplicateType(row.get(1)?), whole: row.get(2)? })
    });
    Ok(tie.optional()?)
}

impl Array {
    pub fn volume_child_dependency(&self, key: &VolumeKey) -> Result<bool> {
        has_children(&self.state, volume::find(&self.state, key)?.id)
    }

    /// Everything that is tied to the volume goes its own way.
    pub fn volume_child_dependency_rm(&self, key: &VolumeKey) -> Result<Option<JobId>> {
        let source = volume::find(&self.state, key)?;
        for child in ready_children(&self.state, source.id)? {
            self.refresh_if_stale(child)?;
        }
        let change = self.begin()?;
        let untied = change.prepare_cached("DELETE FROM replica WHERE source = ?1")?.execute([source.id])?;
        if untied == 0 {
            let message = format!("nothing depends on volume {key}");
            return Err(SimError::refused(ErrorNumber::NoStateChange, message));
        }
        let job = job::start(&change, self.job, None)?;
        change.commit()?;
        Ok(job.map(|job| job.id))
    }

    pub fn volume_replication(&self, key: &VolumeKey) -> Result<Option<Replication>> {
        let volume = volume::find(&self.state, key)?;
        let Some(tie) = tie_of(&self.state, volume.id)? else { return Ok(None) };
        let state = match tie.is_mirror() {
            true => {
                self.refresh(volume.id)?;
                ReplicationState::InSync
            }
            false => ReplicationState::Complete,
        };
        let source_id = identity::volume(tie.source);
        Ok(Some(Replication { source_id, rep_type: tie.kind, state, percent: 100 }))
    }

    /// Call it before the contents of a volume are read or shown.
    pub(super) fn refresh_before_reading(&self, key: &VolumeKey) -> Result<()> {
        self.refresh_if_stale(volume::find(&self.state, key)?.id)
    }

    fn refresh_if_stale(&self, volume: i64) -> Result<()> {
        match tie_of(&self.state, volume)?.is_some_and(|tie| tie.is_stale()) {
            true => self.refresh(volume),
            false => Ok(()),
        }
    }

    /// Brings a mirror up to date. That it is not whole is recorded before and taken back after.
    fn refresh(&self, volume: i64) -> Result<()> {
        let change = self.begin()?;
        set_whole(&change, volume, false)?;
        change.commit()?;
        reach("sim.mirror_update.after_mark");
        let change = self.begin()?;
        // The tie may have been dissolved meanwhile.
        let Some(tie) = tie_of(&change, volume)? else { return Ok(()) };
        self.files.update(volume, &self.files.read(tie.source)?, &self.files.write(volume)?)?;
        reach("sim.mirror_update.after_file");
        set_whole(&change, volume, true)?;
        change.commit()?;
        Ok(())
    }
}

fn set_whole(change: &Transaction, volume: i64, whole: bool) -> Result<()> {
    change
        .prepare_cached("UPDATE replica SET whole = ?2 WHERE volume = ?1 AND NOT ranged")?
        .execute(params![volume, whole])?;
    Ok(())
}

/// One that is still being filled reads its source by itself.
fn ready_children(state: &Connection, source: i64) -> Result<Vec<i64>> {
    let query =
        "SELECT volume FROM replica JOIN volume ON volume.id = replica.volume WHERE source = ?1 AND ready";
    let mut statement = state.prepare_cached(query)?;
    Ok(statement.query_map([source], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}
