//! Snapshots of file systems, and going back to them.

use sanfleet_driver::{ErrorNumber, FileSystemId, Snapshot, SnapshotId};

use super::{
    Answer, Array, name,
    outcome::{Outcome, gone},
    refused,
};
use crate::{
    appliance::{self, FileSystemRow, Kind, ORIGIN, Reason, SnapshotRow},
    dataset::DatasetPath,
};

fn record(row: &SnapshotRow) -> Snapshot {
    Snapshot {
        id: SnapshotId::new(&row.id),
        name: row.path.name().to_owned(),
        ts: row.created,
        plugin_data: None,
    }
}

impl Array {
    pub fn snapshots(&mut self, fs: &FileSystemId) -> Answer<Vec<Snapshot>> {
        let fs = self.file_system(fs)?;
        Ok(self.snapshot_rows(&fs.path)?.iter().map(record).collect())
    }

    pub fn snapshot_create(&mut self, fs: &FileSystemId, name: &str) -> Answer<Snapshot> {
        name::check(name)?;
        let _alone = self.alone()?;
        let fs = self.file_system(fs)?;
        let path = fs.path.snapshot(name);
        if self.snapshot_rows(&fs.path)?.iter().any(|row| row.path == path) {
            return refused(ErrorNumber::NameConflict, format!("there is a snapshot {path}"));
        }
        let outcome = Outcome::of(self.appliance.snapshot_create(Kind::FileSystem, &path))?;
        let deadline = self.appliance.deadline();
        let untrue = || format!("the appliance says that {path} was made, but does not list it");
        let look = || Ok(self.snapshot_rows(&fs.path)?.into_iter().find(|row| row.path == path));
        outcome.settle(deadline, look, untrue).map(|row| record(&row))
    }

    pub fn snapshot_delete(&mut self, fs: &FileSystemId, id: &SnapshotId) -> Answer<()> {
        let _alone = self.alone()?;
        let fs = self.file_system(fs)?;
        let snapshot = self.snapshot(&fs, id)?;
        let outcome = match self.appliance.snapshot_delete(&snapshot.path) {
            Err(error) if error.is(Reason::Exists) || error.is(Reason::Busy) => {
                return refused(ErrorNumber::HasChildDependency, error.to_string());
            }
            answer => Outcome::of(answer)?,
        };
        let deadline = self.appliance.deadline();
        let untrue = || format!("the appliance says that {} was deleted, but lists it", snapshot.path);
        let look = || {
            let rows = self.snapshot_rows(&fs.path);
            gone(rows.map(|rows| rows.into_iter().find(|row| row.id == snapshot.id)))
        };
        outcome.settle(deadline, look, untrue)
    }

    /// Going back would take younger snapshots with it, which nobody asked for: they have to go first.
    pub fn snapshot_restore(&mut self, fs: &FileSystemId, id: &SnapshotId) -> Answer<()> {
        let _alone = self.alone()?;
        let fs = self.file_system(fs)?;
        let snapshot = self.snapshot(&fs, id)?;
        let rows = self.snapshot_rows(&fs.path)?;
        if let Some(younger) = rows.iter().find(|row| row.created > snapshot.created) {
            let message = format!("{} is younger, and would go: delete it first", younger.path);
            return refused(ErrorNumber::HasChildDependency, message);
        }
        // Gone back to twice it is the same.
        match Outcome::of(self.appliance.rollback(&snapshot.path))? {
            Outcome::Done => Ok(()),
            Outcome::Open(_) => Ok(self.appliance.rollback(&snapshot.path)?),
        }
    }

    pub(super) fn snapshot(&mut self, fs: &FileSystemRow, id: &SnapshotId) -> Answer<SnapshotRow> {
        match self.snapshot_rows(&fs.path)?.into_iter().find(|row| row.id == id.as_str()) {
            Some(row) => Ok(row),
            None => refused(ErrorNumber::NotFoundSnapshot, format!("no snapshot {id} of {}", fs.path)),
        }
    }

    fn snapshot_rows(&mut self, of: &DatasetPath) -> appliance::Answer<Vec<SnapshotRow>> {
        let mut rows = self.appliance.snapshots(of)?;
        rows.retain(|row| !row.path.name().starts_with(ORIGIN));
        Ok(rows)
    }
}
