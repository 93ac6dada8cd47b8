//! File systems that the array serves itself: rows, and trees that hold what is in them.
//!
//! A file system takes its full size of its pool, a snapshot what its files took when it was taken. A clone depends on its source until
//! the tie is cut, although nothing beneath would need it: so arrays are, and clients must cope. Snapshots go with their file
//! system; an exported file system does not go.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use sanfleet_driver::{ErrorNumber, FileSystem, FileSystemId, JobId, JobOr, PoolId, SnapshotId, SystemId};
use sanfleet_failpoint::reach;

use super::{
    Array, BLOCK,
    job::{self, Made},
    listing, snapshot, volume,
};
use crate::{
    clock,
    error::{Result, SimError},
    identity,
    trees::InnerPath,
};

/// One file system, as the state file has it.
#[derive(Debug, Clone)]
pub(super) struct FsRow {
    pub id: i64,
    pub name: String,
    pub pool: i64,
    pub bytes: u64,
}

/// The folder of its contents.
pub(super) fn tree(row: i64) -> String {
    identity::file_system(row).as_str().to_owned()
}

fn read(row: &Row) -> rusqlite::Result<FsRow> {
    Ok(FsRow { id: row.get(0)?, name: row.get(1)?, pool: row.get(2)?, bytes: bytes(row, 3)? })
}

/// A count of bytes in a column.
pub(super) fn bytes(row: &Row, column: usize) -> rusqlite::Result<u64> {
    let bytes: i64 = row.get(column)?;
    u64::try_from(bytes).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, bytes))
}

/// The file system with this id, if it is listed.
pub(super) fn find(state: &Connection, id: &FileSystemId) -> Result<FsRow> {
    let not_found = || SimError::refused(ErrorNumber::NotFoundFileSystem, format!("no file system {id}"));
    let row = identity::file_system_row(id.as_str()).ok_or_else(not_found)?;
    state
        .prepare_cached("SELECT id, name, pool, bytes FROM fs WHERE id = ?1 AND ready AND listed_at <= ?2")?
        .query_row(params![row, clock::now(state)?], read)
        .optional()?
        .ok_or_else(not_found)
}

pub(super) fn forget(change: &Transaction, row: i64) -> Result<()> {
    change.prepare_cached("DELETE FROM fs WHERE id = ?1")?.execute([row])?;
    Ok(())
}

/// Records a file system that is still to be filled: its name is taken and its space is accounted for.
fn reserve(change: &Transaction, pool: i64, name: &str, bytes: u64, source: Option<i64>) -> Result<FsRow> {
    volume::check_form(name)?;
    if change.prepare_cached("SELECT 1 FROM fs WHERE name = ?1")?.exists([name])? {
        let message = format!("there is a file system named {name}");
        return Err(SimError::refused(ErrorNumber::NameConflict, message));
    }
    listing::require_free(change, pool, bytes)?;
    change
        .prepare_cached("INSERT INTO fs (name, pool, bytes, source) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![name, pool, column(bytes), source])?;
    Ok(FsRow { id: change.last_insert_rowid(), name: name.to_owned(), pool, bytes })
}

pub(super) fn column(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Whole blocks, as volumes have them.
fn rounded(size_bytes: u64) -> Result<u64> {
    match size_bytes {
        0 => Err(SimError::refused(ErrorNumber::InvalidArgument, "a file system of no size")),
        size => Ok(size.div_ceil(BLOCK).saturating_mul(BLOCK)),
    }
}

impl Array {
    pub fn file_systems(&self) -> Result<Vec<FileSystem>> {
        let mut statement = self.state.prepare_cached(
            "SELECT id, name, pool, bytes FROM fs WHERE ready AND listed_at <= ?1 ORDER BY id",
        )?;
        let rows = statement.query_map([self.seen_at()?], read)?.collect::<rusqlite::Result<Vec<_>>>()?;
        rows.into_iter().map(|row| self.fs_record(row)).collect()
    }

    pub fn file_system(&self, id: &FileSystemId) -> Result<FileSystem> {
        self.fs_record(find(&self.state, id)?)
    }

    /// An empty folder is made in no time, so tree and row are one change.
    pub fn fs_create(&self, pool: &PoolId, name: &str, size_bytes: u64) -> Result<JobOr<FileSystem>> {
        let size = rounded(size_bytes)?;
        reach("sim.fs_create.before");
        let change = self.begin()?;
        let pool = listing::pool_row(&change, pool)?;
        let made = reserve(&change, pool, name, size, None)?;
        let _held = self.trees.create(&tree(made.id))?;
        reach("sim.fs_create.after_tree");
        let finished = self.finish_fs(&change, &made)?;
        change.commit()?;
        reach("sim.fs_create.after_commit");
        Ok(finished)
    }

    /// Of the file system as it is, or as it was when the snapshot was taken. Recorded, filled without the write lock, and made
    /// ready by a second change.
    pub fn fs_clone(
        &self,
        source: &FileSystemId,
        name: &str,
        snapshot: Option<&SnapshotId>,
    ) -> Result<JobOr<FileSystem>> {
        reach("sim.fs_clone.before");
        let change = self.begin()?;
        let source = find(&change, source)?;
        let from = match snapshot {
            Some(snapshot) => snapshot::tree(snapshot::find_of(&change, source.id, snapshot)?.id),
            None => tree(source.id),
        };
        let made = reserve(&change, source.pool, name, source.bytes, Some(source.id))?;
        let _held = self.trees.create(&tree(made.id))?;
        change.commit()?;
        reach("sim.fs_clone.after_reserve");
        let finished = self.trees.fill(&tree(made.id), &from).and_then(|()| {
            reach("sim.fs_clone.after_tree");
            let change = self.begin()?;
            let finished = self.finish_fs(&change, &made)?;
            change.commit()?;
            Ok(finished)
        });
        reach("sim.fs_clone.after_commit");
        finished.inspect_err(|_| {
            // What cannot be taken back now is removed at the next opening; the first error is the one to tell.
            let _ = self.abandon_tree(Made::FileSystem(made.id));
        })
    }

    /// The row goes first: a tree without a row is removed at the next opening.
    pub fn fs_delete(&self, id: &FileSystemId) -> Result<Option<JobId>> {
        reach("sim.fs_delete.before");
        let change = self.begin()?;
        let doomed = find(&change, id)?;
        if has_clones(&change, doomed.id)? {
            let message = format!("clones depend on file system {id}");
            return Err(SimError::refused(ErrorNumber::HasChildDependency, message));
        }
        if change.prepare_cached("SELECT 1 FROM export WHERE fs = ?1")?.exists([doomed.id])? {
            return Err(SimError::refused(ErrorNumber::IsMasked, format!("file system {id} is exported")));
        }
        if let Some(job) = job::without_effect(&change, self.job)? {
            change.commit()?;
            return Ok(Some(job));
        }
        let snapshots = snapshot::rows_of(&change, doomed.id)?;
        forget(&change, doomed.id)?;
        let job = job::start(&change, self.job, None)?;
        change.commit()?;
        reach("sim.fs_delete.after_commit");
        for snapshot in snapshots {
            self.trees.remove(&snapshot::tree(snapshot))?;
        }
        self.trees.remove(&tree(doomed.id))?;
        reach("sim.fs_delete.after_tree");
        Ok(job.map(|job| job.id))
    }

    /// What is in it stays; it does not become smaller than that.
    pub fn fs_resize(&self, id: &FileSystemId, size_bytes: u64) -> Result<JobOr<FileSystem>> {
        let size = rounded(size_bytes)?;
        let change = self.begin()?;
        let mut found = find(&change, id)?;
        if size == found.bytes {
            return Err(SimError::refused(ErrorNumber::NoStateChange, "the file system has this size"));
        }
        listing::require_free(&change, found.pool, size.saturating_sub(found.bytes))?;
        let used = self.trees.used(&tree(found.id))?;
        if used > size {
            let message = format!("its files take {used} bytes");
            return Err(SimError::refused(ErrorNumber::NotEnoughSpace, message));
        }
        if let Some(job) = job::without_effect(&change, self.job)? {
            change.commit()?;
            return Ok(JobOr::Job(job));
        }
        found.bytes = size;
        change
            .prepare_cached("UPDATE fs SET bytes = ?2 WHERE id = ?1")?
            .execute(params![found.id, column(size)])?;
        let job = job::start(&change, self.job, Some(Made::FileSystem(found.id)))?;
        change.commit()?;
        match job {
            Some(job) => Ok(JobOr::Job(job.id)),
            None => self.fs_record(found).map(JobOr::Done),
        }
    }

    /// A file of the file system, or of one of its snapshots, under another name. What was there under that name is replaced.
    pub fn fs_file_clone(
        &self,
        id: &FileSystemId,
        source: &str,
        target: &str,
        snapshot: Option<&SnapshotId>,
    ) -> Result<Option<JobId>> {
        let (source, target) = (InnerPath::parse(source)?, InnerPath::parse(target)?);
        let change = self.begin()?;
        let found = find(&change, id)?;
        let from = match snapshot {
            Some(snapshot) => snapshot::tree(snapshot::find_of(&change, found.id, snapshot)?.id),
            None => tree(found.id),
        };
        self.require_room(&found, self.trees.file_bytes(&from, &source)?)?;
        if let Some(job) = job::without_effect(&change, self.job)? {
            change.commit()?;
            return Ok(Some(job));
        }
        if snapshot.is_none() && source != target {
            change
                .prepare_cached("INSERT OR REPLACE INTO file_clone (fs, source, target) VALUES (?1, ?2, ?3)")?
                .execute(params![found.id, source.to_string(), target.to_string()])?;
        }
        let job = job::start(&change, self.job, None)?;
        if from != tree(found.id) || source != target {
            self.trees.copy_file((&from, &source), (&tree(found.id), &target))?;
        }
        change.commit()?;
        Ok(job.map(|job| job.id))
    }

    /// Whether clones depend on the file system; with files, whether clones of those do.
    pub fn fs_child_dependency(&self, id: &FileSystemId, files: &[String]) -> Result<bool> {
        let found = find(&self.state, id)?;
        match files {
            [] => has_clones(&self.state, found.id),
            files => Ok(!file_clones(&self.state, found.id, files)?.is_empty()),
        }
    }

    /// Cuts the ties; no data moves, for the contents are apart already.
    pub fn fs_child_dependency_rm(&self, id: &FileSystemId, files: &[String]) -> Result<Option<JobId>> {
        let change = self.begin()?;
        let found = find(&change, id)?;
        let of_files = match files {
            [] => Vec::new(),
            files => file_clones(&change, found.id, files)?,
        };
        if of_files.is_empty() && (!files.is_empty() || !has_clones(&change, found.id)?) {
            return Err(SimError::refused(ErrorNumber::NoStateChange, "nothing depends on it"));
        }
        if let Some(job) = job::without_effect(&change, self.job)? {
            change.commit()?;
            return Ok(Some(job));
        }
        if files.is_empty() {
            change.prepare_cached("UPDATE fs SET source = NULL WHERE source = ?1")?.execute([found.id])?;
        }
        for target in of_files {
            change
                .prepare_cached("DELETE FROM file_clone WHERE fs = ?1 AND target = ?2")?
                .execute(params![found.id, target])?;
        }
        let job = job::start(&change, self.job, None)?;
        change.commit()?;
        Ok(job.map(|job| job.id))
    }

    /// Refuses what would make the files take more than their file system has.
    pub(super) fn require_room(&self, fs: &FsRow, more: u64) -> Result<()> {
        let free = fs.bytes.saturating_sub(self.trees.used(&tree(fs.id))?);
        if more > free {
            let message = format!("{more} bytes wanted, {free} bytes free");
            return Err(SimError::refused(ErrorNumber::NotEnoughSpace, message));
        }
        Ok(())
    }

    /// Takes back a row and its tree that could not be filled.
    pub(super) fn abandon_tree(&self, made: Made) -> Result<()> {
        let change = self.begin()?;
        let tree = match made {
            Made::Snapshot(row) => snapshot::forget(&change, row).map(|()| snapshot::tree(row))?,
            Made::FileSystem(row) | Made::Volume(row) => forget(&change, row).map(|()| tree(row))?,
        };
        change.commit()?;
        self.trees.remove(&tree)
    }

    /// Marks a filled file system as ready: it is listed now, or when its job is done.
    fn finish_fs(&self, change: &Transaction, made: &FsRow) -> Result<JobOr<FileSystem>> {
        let job = job::start(change, self.job, Some(Made::FileSystem(made.id)))?;
        let listed_at = job.as_ref().map_or(0, |job| job.listed_at);
        change
            .prepare_cached("UPDATE fs SET ready = 1, listed_at = ?2 WHERE id = ?1")?
            .execute(params![made.id, listed_at])?;
        match job {
            Some(job) => Ok(JobOr::Job(job.id)),
            None => self.fs_record(made.clone()).map(JobOr::Done),
        }
    }

    fn fs_record(&self, row: FsRow) -> Result<FileSystem> {
        let used = self.trees.used(&tree(row.id))?;
        Ok(FileSystem {
            id: identity::file_system(row.id),
            name: row.name,
            total_space: Some(row.bytes),
            free_space: Some(row.bytes.saturating_sub(used)),
            pool_id: identity::pool(row.pool),
            system_id: SystemId::new(identity::SYSTEM),
            plugin_data: None,
        })
    }
}

fn has_clones(state: &Connection, row: i64) -> Result<bool> {
    Ok(state.prepare_cached("SELECT 1 FROM fs WHERE source = ?1")?.exists([row])?)
}

/// The files that were cloned from these.
fn file_clones(state: &Connection, row: i64, files: &[String]) -> Result<Vec<String>> {
    let mut targets = Vec::new();
    let mut query = state.prepare_cached("SELECT target FROM file_clone WHERE fs = ?1 AND source = ?2")?;
    for file in files {
        let file = InnerPath::parse(file)?.to_string();
        let found = query.query_map(params![row, file], |row| row.get(0))?;
        targets.extend(found.collect::<rusqlite::Result<Vec<String>>>()?);
    }
    Ok(targets)
}
