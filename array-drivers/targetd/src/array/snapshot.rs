//! Snapshots of file systems.
//!
//! With newer btrfs-progs what the daemon calls a snapshot's uuid is the time of day at which it was taken, which two may share. Names
//! are unique within a file system, so a snapshot's id is made of both; the daemon is given the uuid only while it means one.

use sanfleet_driver::{ErrorNumber, FileSystemId, Snapshot, SnapshotId};

use super::{
    Answer, Array, name,
    outcome::{Outcome, is_so},
    refused,
};
use crate::daemon::{FsRow, SnapshotRow};

/// True for clones, which the daemon lists among the snapshots: by their path.
pub(super) fn is_foreign(row: &SnapshotRow) -> bool {
    row.name.contains('/')
}

/// No uuid and no name has a slash.
fn id(fs: &FsRow, name: &str) -> SnapshotId {
    SnapshotId::new(format!("{}/{name}", fs.id()))
}

fn record(fs: &FsRow, row: &SnapshotRow) -> Snapshot {
    Snapshot { id: id(fs, &row.name), name: row.name.clone(), ts: row.timestamp, plugin_data: None }
}

impl Array {
    pub fn snapshots(&mut self, fs: &FileSystemId) -> Answer<Vec<Snapshot>> {
        let fs = self.file_system(fs)?;
        Ok(self.snapshot_rows(&fs)?.iter().map(|row| record(&fs, row)).collect())
    }

    pub fn snapshot_create(&mut self, fs: &FileSystemId, name: &str) -> Answer<Snapshot> {
        name::check(name)?;
        let _alone = self.alone()?;
        let fs = self.file_system(fs)?;
        if self.snapshot_rows(&fs)?.iter().any(|row| row.name == name) {
            let message = format!("file system {} has a snapshot {name}", fs.name);
            return refused(ErrorNumber::NameConflict, message);
        }
        let outcome = Outcome::of(self.daemon.fs_snapshot(&fs.uuid.to_text(), name))?;
        let rows = self.snapshot_rows(&fs);
        let found = rows.map(|rows| rows.iter().find(|row| row.name == name).map(|row| record(&fs, row)));
        outcome.settle(found, || format!("targetd says that snapshot {name} was made, but does not list it"))
    }

    pub fn snapshot_delete(&mut self, fs: &FileSystemId, snapshot: &SnapshotId) -> Answer<()> {
        let _alone = self.alone()?;
        let fs = self.file_system(fs)?;
        let uuid = self.snapshot_uuid(&fs, snapshot)?;
        let outcome = Outcome::of(self.daemon.fs_snapshot_delete(&fs.uuid.to_text(), &uuid))?;
        let rows = self.snapshot_rows(&fs);
        let look = is_so(rows.map(|rows| rows.iter().all(|row| id(&fs, &row.name) != *snapshot)));
        outcome.settle(look, || format!("targetd says that snapshot {snapshot} was deleted, but lists it"))
    }

    /// What the daemon calls a snapshot, as long as that means this one and no other.
    pub(super) fn snapshot_uuid(&mut self, fs: &FsRow, snapshot: &SnapshotId) -> Answer<String> {
        // Clones have such a uuid too, and the daemon looks among all of them.
        let rows = self.daemon.ss_list(&fs.uuid.to_text())?;
        let own = rows.iter().find(|row| !is_foreign(row) && id(fs, &row.name) == *snapshot);
        let Some(own) = own else {
            return refused(ErrorNumber::NotFoundSnapshot, format!("no snapshot {snapshot}"));
        };
        if rows.iter().filter(|row| row.uuid == own.uuid).count() > 1 {
            let message = format!(
                "targetd calls snapshot {} and another one both {}: it cannot be told which one is meant. Delete one of them \
                 on targetd's host",
                own.name,
                own.uuid.to_text()
            );
            return refused(ErrorNumber::NoSupport, message);
        }
        Ok(own.uuid.to_text())
    }

    fn snapshot_rows(&mut self, fs: &FsRow) -> Answer<Vec<SnapshotRow>> {
        let mut rows = self.daemon.ss_list(&fs.uuid.to_text())?;
        rows.retain(|row| !is_foreign(row));
        Ok(rows)
    }
}
