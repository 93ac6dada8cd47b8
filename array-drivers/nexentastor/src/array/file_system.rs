//! File systems that the appliance serves itself.

use sanfleet_driver::{ErrorNumber, FileSystem, FileSystemId, PoolId, SnapshotId};

use super::{
    Answer, Array, name,
    outcome::{Outcome, gone},
    pool::{pool_id, possible},
    refused,
    replicate::origin_name,
};
use crate::{
    appliance::{self, FileSystemRow, Kind, Reason},
    dataset::DatasetPath,
};

/// A quota is any number of bytes.
const BYTE: u64 = 1;

impl FileSystemRow {
    pub(super) fn key(&self) -> FileSystemId {
        FileSystemId::new(&self.id)
    }
}

impl Array {
    pub fn file_systems(&mut self) -> Answer<Vec<FileSystem>> {
        let rows = self.appliance.file_systems()?;
        Ok(rows.iter().map(|row| self.fs_record(row)).collect())
    }

    fn fs_record(&self, row: &FileSystemRow) -> FileSystem {
        let path = row.path.as_str();
        FileSystem {
            id: row.key(),
            name: path.split_once('/').map_or(path, |(_, below)| below).to_owned(),
            total_space: Some(row.quota),
            free_space: Some(row.free.min(row.quota)),
            pool_id: pool_id(&row.path),
            system_id: self.system_id(),
            plugin_data: None,
        }
    }

    pub fn fs_create(&mut self, pool: &PoolId, name: &str, bytes: u64) -> Answer<FileSystem> {
        name::check(name)?;
        let _alone = self.alone()?;
        let pool = self.pool(pool)?;
        if pool.free.is_some_and(|free| bytes > free) {
            let message = format!("pool {} has not {bytes} bytes free", pool.path);
            return refused(ErrorNumber::NotEnoughSpace, message);
        }
        let quota = possible(&pool, bytes, BYTE)?;
        let path = pool.path.child(name);
        self.require_free_fs(&path)?;
        let outcome = Outcome::of(self.appliance.fs_create(&path, quota))?;
        self.fs_made(&path, outcome)
    }

    pub fn fs_resize(&mut self, id: &FileSystemId, bytes: u64) -> Answer<FileSystem> {
        let _alone = self.alone()?;
        let fs = self.file_system(id)?;
        let pool = self.pool(&pool_id(&fs.path))?;
        let quota = possible(&pool, bytes, BYTE)?;
        if quota == fs.quota {
            return refused(ErrorNumber::NoStateChange, format!("file system {id} has that size"));
        }
        if quota < fs.quota - fs.free.min(fs.quota) {
            let message = format!("file system {id} holds more than {bytes} bytes");
            return refused(ErrorNumber::InvalidArgument, message);
        }
        let outcome = Outcome::of(self.appliance.fs_resize(&fs.path, quota))?;
        let deadline = self.appliance.deadline();
        let untrue = || format!("the appliance says that {} was resized, but it was not", fs.path);
        // What is held besides counts too, so it need not be what was asked for to the byte.
        let look = || Ok(self.fs_at(&fs.path)?.filter(|row| row.quota != fs.quota));
        let row = outcome.settle(deadline, look, untrue)?;
        Ok(self.fs_record(&row))
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
        let target = source.path.top().child(name);
        self.require_free_fs(&target)?;
        let (snapshot, ours) = match snapshot {
            Some(id) => (self.snapshot(&source, id)?.path, false),
            None => (source.path.snapshot(&origin_name()), true),
        };
        if ours {
            self.take(Kind::FileSystem, &snapshot)?;
        }
        let answer = self.appliance.clone_to(Kind::FileSystem, &snapshot, &target, Some(source.quota));
        let made = Outcome::of(answer).map_err(Into::into).and_then(|outcome| self.fs_made(&target, outcome));
        if ours {
            // As with volumes.
            let _ = self.appliance.snapshot_forget(&snapshot);
        }
        made
    }

    /// Snapshots go with their file system; what is exported, or has clones, stays.
    pub fn fs_delete(&mut self, id: &FileSystemId) -> Answer<()> {
        let _alone = self.alone()?;
        let fs = self.file_system(id)?;
        if self.appliance.shares()?.iter().any(|share| share.file_system == fs.path) {
            return refused(ErrorNumber::IsMasked, format!("file system {id} is exported"));
        }
        self.require_childless(Kind::FileSystem, &fs.path)?;
        let outcome = match self.appliance.fs_delete(&fs.path) {
            // Somebody has made a clone meanwhile.
            Err(error) if error.is(Reason::Exists) => {
                return refused(ErrorNumber::HasChildDependency, error.to_string());
            }
            answer => Outcome::of(answer)?,
        };
        let deadline = self.appliance.deadline();
        let untrue = || format!("the appliance says that {} was deleted, but lists it", fs.path);
        outcome.settle(deadline, || gone(self.fs_at(&fs.path)), untrue)
    }

    pub fn fs_has_children(&mut self, id: &FileSystemId) -> Answer<bool> {
        let fs = self.file_system(id)?;
        Ok(!self.appliance.clones(Kind::FileSystem, &fs.path)?.is_empty())
    }

    pub fn fs_free_children(&mut self, id: &FileSystemId) -> Answer<()> {
        let _alone = self.alone()?;
        let fs = self.file_system(id)?;
        self.free_children(Kind::FileSystem, &fs.path)
    }

    fn require_free_fs(&mut self, path: &DatasetPath) -> Answer<()> {
        match self.fs_at(path)? {
            None => Ok(()),
            Some(_) => refused(ErrorNumber::NameConflict, format!("there is a file system {path}")),
        }
    }

    /// As with volumes: the path was free, so whatever is there now is what was to be made.
    fn fs_made(&mut self, path: &DatasetPath, outcome: Outcome) -> Answer<FileSystem> {
        let deadline = self.appliance.deadline();
        let untrue = || format!("the appliance says that {path} was made, but does not list it");
        let row = outcome.settle(deadline, || Ok(self.fs_at(path)?), untrue)?;
        Ok(self.fs_record(&row))
    }

    fn fs_at(&mut self, path: &DatasetPath) -> appliance::Answer<Option<FileSystemRow>> {
        Ok(self.appliance.file_systems()?.into_iter().find(|row| row.path == *path))
    }

    pub(super) fn file_system(&mut self, id: &FileSystemId) -> Answer<FileSystemRow> {
        match self.appliance.file_systems()?.into_iter().find(|row| row.key() == *id) {
            Some(row) => Ok(row),
            None => refused(ErrorNumber::NotFoundFileSystem, format!("no file system {id}")),
        }
    }
}
