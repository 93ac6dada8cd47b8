//! Bringing a file system back to one of its snapshots, whole or file by file.

use rusqlite::Transaction;
use sanfleet_driver::{ErrorNumber, FileSystemId, JobId, SnapshotId};
use sanfleet_failpoint::reach;

use super::{
    Array,
    file_system::{self, FsRow},
    job,
    snapshot::{self, SnapshotRow},
};
use crate::{
    error::{Result, SimError},
    trees::InnerPath,
};

impl Array {
    /// `files` come back under the names `restore_files` where those are given, one each; without files and with `all`, everything
    /// comes back and what is newer goes.
    pub fn fs_snapshot_restore(
        &self,
        fs: &FileSystemId,
        id: &SnapshotId,
        files: &[String],
        restore_files: &[String],
        all: bool,
    ) -> Result<Option<JobId>> {
        let wanted = wanted(files, restore_files, all)?;
        reach("sim.fs_snapshot_restore.before");
        let change = self.begin()?;
        let fs = file_system::find(&change, fs)?;
        let snapshot = snapshot::find_of(&change, fs.id, id)?;
        if let Some(job) = job::without_effect(&change, self.job)? {
            change.commit()?;
            return Ok(Some(job));
        }
        match wanted {
            Some(files) => self.restore_files(change, &fs, &snapshot, &files),
            None => self.restore_all(change, &fs, &snapshot),
        }
    }

    /// Each file comes back whole; a process that dies in between has brought back the first ones.
    fn restore_files(
        &self,
        change: Transaction,
        fs: &FsRow,
        snapshot: &SnapshotRow,
        files: &[(InnerPath, InnerPath)],
    ) -> Result<Option<JobId>> {
        let (from, to) = (snapshot::tree(snapshot.id), file_system::tree(fs.id));
        // All are looked at before the first is changed.
        let mut bytes = 0_u64;
        for (file, _) in files {
            bytes = bytes.saturating_add(self.trees.file_bytes(&from, file)?);
        }
        self.require_room(fs, bytes)?;
        for (file, restored) in files {
            self.trees.copy_file((&from, file), (&to, restored))?;
        }
        let job = job::start(&change, self.job, None)?;
        change.commit()?;
        Ok(job.map(|job| job.id))
    }

    /// The tree is built beside, without the write lock, and takes the place of the old one in one step.
    fn restore_all(&self, change: Transaction, fs: &FsRow, snapshot: &SnapshotRow) -> Result<Option<JobId>> {
        if snapshot.bytes > fs.bytes {
            let message = format!("the snapshot has {} bytes, the file system {}", snapshot.bytes, fs.bytes);
            return Err(SimError::refused(ErrorNumber::NotEnoughSpace, message));
        }
        let (tree, beside) = (file_system::tree(fs.id), format!("{}.restored", file_system::tree(fs.id)));
        if self.trees.is_being_filled(&beside)? {
            let message = "another restore of this file system is at work";
            return Err(SimError::refused(ErrorNumber::Timeout, message));
        }
        let _held = self.trees.create(&beside)?;
        change.commit()?;
        reach("sim.fs_snapshot_restore.after_reserve");
        let finished = self.trees.fill(&beside, &snapshot::tree(snapshot.id)).and_then(|()| {
            reach("sim.fs_snapshot_restore.after_tree");
            let change = self.begin()?;
            // It may have been deleted meanwhile.
            file_system::find(&change, &crate::identity::file_system(fs.id))?;
            let job = job::start(&change, self.job, None)?;
            self.trees.exchange(&beside, &tree)?;
            change.commit()?;
            Ok(job.map(|job| job.id))
        });
        reach("sim.fs_snapshot_restore.after_exchange");
        let removed = self.trees.remove(&beside);
        finished.and_then(|job| removed.map(|()| job))
    }
}

/// Which file is to come back under which name; none for all of them.
fn wanted(
    files: &[String],
    restore_files: &[String],
    all: bool,
) -> Result<Option<Vec<(InnerPath, InnerPath)>>> {
    let refuse = |why: &str| Err(SimError::refused(ErrorNumber::InvalidArgument, why));
    match (files, restore_files) {
        ([], []) if all => Ok(None),
        ([], _) => refuse("neither files nor all of them"),
        _ if all => refuse("either files or all of them"),
        (files, []) => files
            .iter()
            .map(|file| InnerPath::parse(file).map(|file| (file.clone(), file)))
            .collect::<Result<_>>()
            .map(Some),
        (files, names) if files.len() == names.len() => files
            .iter()
            .zip(names)
            .map(|(file, name)| Ok((InnerPath::parse(file)?, InnerPath::parse(name)?)))
            .collect::<Result<_>>()
            .map(Some),
        _ => refuse("one name for each file, or none"),
    }
}
