//! File systems that targetd's host serves itself: subvolumes of btrfs, or data sets of ZFS.

use sanfleet_driver::{ErrorNumber, FileSystem, FileSystemId, PoolId, SnapshotId};

use super::{
    Answer, Array, name,
    outcome::{Outcome, gone},
    refused,
    snapshot::is_foreign,
    system_id,
};
use crate::daemon::FsRow;

impl FsRow {
    pub(super) fn id(&self) -> FileSystemId {
        FileSystemId::new(self.uuid.to_text())
    }

    fn record(&self) -> FileSystem {
        FileSystem {
            id: self.id(),
            name: self.name.clone(),
            total_space: Some(self.total_space),
            free_space: Some(self.free_space.min(self.total_space)),
            pool_id: PoolId::new(&self.pool),
            system_id: system_id(),
            plugin_data: None,
        }
    }
}

impl Array {
    pub fn file_systems(&mut self) -> Answer<Vec<FileSystem>> {
        Ok(self.daemon.fs_list()?.iter().map(FsRow::record).collect())
    }

    /// The daemon keeps no size: a file system may take all of its pool. One that asks for more than is there is refused all the same.
    pub fn fs_create(&mut self, pool: &PoolId, name: &str, size: u64) -> Answer<FileSystem> {
        name::check(name)?;
        let _alone = self.alone()?;
        let pool = self.pool_for(pool, true)?;
        if size > pool.free_size {
            let message = format!("pool {} has {} bytes free, not {size}", pool.name, pool.free_size);
            return refused(ErrorNumber::NotEnoughSpace, message);
        }
        self.require_free_fs_name(&pool.name, name)?;
        let outcome = Outcome::of(self.daemon.fs_create(&pool.name, name, size))?;
        self.fs_made(&pool.name, name, outcome)
    }

    pub fn fs_clone(
        &mut self,
        source: &FileSystemId,
        name: &str,
        snapshot: Option<&SnapshotId>,
    ) -> Answer<FileSystem> {
        name::check(name)?;
        let _alone = self.alone()?;
        let source = self.file_system(source)?;
        self.require_free_fs_name(&source.pool, name)?;
        let snapshot = snapshot.map(|id| self.snapshot_uuid(&source, id)).transpose()?;
        let answer = self.daemon.fs_clone(&source.uuid.to_text(), name, snapshot.as_deref());
        let outcome = Outcome::of(answer)?;
        self.fs_made(&source.pool, name, outcome)
    }

    /// Snapshots go with their file system; what is exported, or has clones, stays.
    pub fn fs_delete(&mut self, id: &FileSystemId) -> Answer<()> {
        let _alone = self.alone()?;
        let doomed = self.file_system(id)?;
        if self.daemon.nfs_export_list()?.iter().any(|row| row.path == doomed.full_path) {
            return refused(ErrorNumber::IsMasked, format!("file system {id} is exported"));
        }
        self.require_childless(&doomed)?;
        let outcome = Outcome::of(self.daemon.fs_destroy(&doomed.uuid.to_text()))?;
        let look = gone(self.file_system(id), ErrorNumber::NotFoundFileSystem);
        outcome.settle(look, || format!("targetd says that file system {id} was deleted, but lists it"))
    }

    pub fn fs_has_children(&mut self, id: &FileSystemId) -> Answer<bool> {
        let fs = self.file_system(id)?;
        Ok(self.daemon.ss_list(&fs.uuid.to_text())?.iter().any(is_foreign))
    }

    /// The daemon takes clones for snapshots, fails to delete them, and has deleted half of the rest by then.
    fn require_childless(&mut self, fs: &FsRow) -> Answer<()> {
        match self.daemon.ss_list(&fs.uuid.to_text())?.iter().find(|row| is_foreign(row)) {
            None => Ok(()),
            Some(child) => {
                let message = format!("file system {} has a clone: {}", fs.name, child.name);
                refused(ErrorNumber::HasChildDependency, message)
            }
        }
    }

    fn require_free_fs_name(&mut self, pool: &str, name: &str) -> Answer<()> {
        match self.fs_named(pool, name)? {
            None => Ok(()),
            Some(_) => refused(ErrorNumber::NameConflict, format!("pool {pool} has a file system {name}")),
        }
    }

    fn fs_named(&mut self, pool: &str, name: &str) -> Answer<Option<FsRow>> {
        let rows = self.daemon.fs_list()?;
        Ok(rows.into_iter().find(|row| row.pool == pool && row.name == name))
    }

    /// As with volumes: the name was free, so whatever has it now is what was to be made.
    fn fs_made(&mut self, pool: &str, name: &str, outcome: Outcome) -> Answer<FileSystem> {
        let found = self.fs_named(pool, name).map(|found| found.map(|row| row.record()));
        outcome.settle(found, || {
            format!("targetd says that {name} was made, but pool {pool} has no such file system")
        })
    }

    pub(super) fn file_system(&mut self, id: &FileSystemId) -> Answer<FsRow> {
        match self.daemon.fs_list()?.into_iter().find(|row| row.id() == *id) {
            Some(row) => Ok(row),
            None => refused(ErrorNumber::NotFoundFileSystem, format!("no file system {id}")),
        }
    }
}
