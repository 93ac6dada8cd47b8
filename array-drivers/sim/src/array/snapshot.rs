//! Snapshots: copies of a file system's tree that nobody writes to.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use sanfleet_driver::{ErrorNumber, FileSystemId, JobId, JobOr, Snapshot, SnapshotId};
use sanfleet_failpoint::reach;

use super::{
    Array, file_system,
    file_system::bytes,
    job::{self, Made},
    listing, volume,
};
use crate::{
    clock,
    error::{Result, SimError},
    identity,
};

/// One snapshot, as the state file has it.
#[derive(Debug, Clone)]
pub(super) struct SnapshotRow {
    pub id: i64,
    pub name: String,
    /// Milliseconds since the epoch.
    pub taken_at: i64,
    pub bytes: u64,
}

/// The folder of its contents.
pub(super) fn tree(row: i64) -> String {
    identity::snapshot(row).as_str().to_owned()
}

const COLUMNS: &str = "id, name, taken_at, bytes";

fn read(row: &Row) -> rusqlite::Result<SnapshotRow> {
    Ok(SnapshotRow { id: row.get(0)?, name: row.get(1)?, taken_at: row.get(2)?, bytes: bytes(row, 3)? })
}

/// The snapshot with this id, if it is of this file system and listed.
pub(super) fn find_of(state: &Connection, fs: i64, id: &SnapshotId) -> Result<SnapshotRow> {
    find(state, id, "AND fs = ?3", Some(fs))
}

fn find(state: &Connection, id: &SnapshotId, filter: &str, fs: Option<i64>) -> Result<SnapshotRow> {
    let not_found = || SimError::refused(ErrorNumber::NotFoundSnapshot, format!("no snapshot {id}"));
    let row = identity::snapshot_row(id.as_str()).ok_or_else(not_found)?;
    let query = format!(
        "SELECT {COLUMNS} FROM snapshot WHERE id = ?1 AND ready AND listed_at <= ?2 AND coalesce(?3, fs) = fs {filter}"
    );
    let found = state.prepare_cached(&query)?.query_row(params![row, clock::now(state)?, fs], read);
    found.optional()?.ok_or_else(not_found)
}

/// All snapshots of a file system, listed or not.
pub(super) fn rows_of(state: &Connection, fs: i64) -> Result<Vec<i64>> {
    let mut statement = state.prepare_cached("SELECT id FROM snapshot WHERE fs = ?1")?;
    Ok(statement.query_map([fs], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn forget(change: &Transaction, row: i64) -> Result<()> {
    change.prepare_cached("DELETE FROM snapshot WHERE id = ?1")?.execute([row])?;
    Ok(())
}

fn record(row: SnapshotRow) -> Snapshot {
    Snapshot { id: identity::snapshot(row.id), name: row.name, ts: row.taken_at / 1000, plugin_data: None }
}

impl Array {
    pub fn snapshot(&self, id: &SnapshotId) -> Result<Snapshot> {
        find(&self.state, id, "", None).map(record)
    }

    pub fn fs_snapshots(&self, fs: &FileSystemId) -> Result<Vec<Snapshot>> {
        let fs = file_system::find(&self.state, fs)?;
        let query =
            format!("SELECT {COLUMNS} FROM snapshot WHERE fs = ?1 AND ready AND listed_at <= ?2 ORDER BY id");
        let mut statement = self.state.prepare_cached(&query)?;
        let rows = statement.query_map(params![fs.id, clock::now(&self.state)?], read)?;
        Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().map(record).collect())
    }

    /// Recorded, filled without the write lock, and made ready by a second change.
    pub fn fs_snapshot_create(&self, fs: &FileSystemId, name: &str) -> Result<JobOr<Snapshot>> {
        reach("sim.fs_snapshot_create.before");
        let change = self.begin()?;
        let fs = file_system::find(&change, fs)?;
        let used = self.trees.used(&file_system::tree(fs.id))?;
        let made = reserve(&change, &fs, name, used)?;
        let _held = self.trees.create(&tree(made.id))?;
        change.commit()?;
        reach("sim.fs_snapshot_create.after_reserve");
        let finished = self.trees.fill(&tree(made.id), &file_system::tree(fs.id)).and_then(|()| {
            reach("sim.fs_snapshot_create.after_tree");
            let change = self.begin()?;
            let finished = self.finish_snapshot(&change, &made)?;
            change.commit()?;
            Ok(finished)
        });
        reach("sim.fs_snapshot_create.after_commit");
        finished.inspect_err(|_| {
            // What cannot be taken back now is removed at the next opening; the first error is the one to tell.
            let _ = self.abandon_tree(Made::Snapshot(made.id));
        })
    }

    /// The row goes first: a tree without a row is removed at the next opening.
    pub fn fs_snapshot_delete(&self, fs: &FileSystemId, id: &SnapshotId) -> Result<Option<JobId>> {
        reach("sim.fs_snapshot_delete.before");
        let change = self.begin()?;
        let fs = file_system::find(&change, fs)?;
        let doomed = find_of(&change, fs.id, id)?;
        if let Some(job) = job::without_effect(&change, self.job)? {
            change.commit()?;
            return Ok(Some(job));
        }
        forget(&change, doomed.id)?;
        let job = job::start(&change, self.job, None)?;
        change.commit()?;
        reach("sim.fs_snapshot_delete.after_commit");
        self.trees.remove(&tree(doomed.id))?;
        Ok(job.map(|job| job.id))
    }

    fn finish_snapshot(&self, change: &Transaction, made: &SnapshotRow) -> Result<JobOr<Snapshot>> {
        let job = job::start(change, self.job, Some(Made::Snapshot(made.id)))?;
        let listed_at = job.as_ref().map_or(0, |job| job.listed_at);
        change
            .prepare_cached("UPDATE snapshot SET ready = 1, listed_at = ?2 WHERE id = ?1")?
            .execute(params![made.id, listed_at])?;
        Ok(job.map_or_else(|| JobOr::Done(record(made.clone())), |job| JobOr::Job(job.id)))
    }
}

/// Records a snapshot that is still to be filled: its name is taken and its space is accounted for.
fn reserve(change: &Transaction, fs: &file_system::FsRow, name: &str, bytes: u64) -> Result<SnapshotRow> {
    volume::check_form(name)?;
    let mut taken = change.prepare_cached("SELECT 1 FROM snapshot WHERE fs = ?1 AND name = ?2")?;
    if taken.exists(params![fs.id, name])? {
        let message = format!("there is a snapshot named {name}");
        return Err(SimError::refused(ErrorNumber::NameConflict, message));
    }
    listing::require_free(change, fs.pool, bytes)?;
    let taken_at = clock::now(change)?;
    change
        .prepare_cached("INSERT INTO snapshot (fs, name, bytes, taken_at) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![fs.id, name, file_system::column(bytes), taken_at])?;
    Ok(SnapshotRow { id: change.last_insert_rowid(), name: name.to_owned(), taken_at, bytes })
}
