//! Snapshots of volumes, and what rests on them.

use serde_json::{Value, json};

use super::{Nms, lacking::unsupported, text, volumes::there};
use crate::{
    appliance::{Answer, CloneRow, Kind, Reason, SnapshotRow, Snapshots},
    dataset::{DatasetPath, SnapshotPath},
};

const SNAPSHOT: &str = "a snapshot";

impl Snapshots for Nms {
    /// A snapshot is known by its path: of file systems, where that is told, there are none here.
    fn snapshots(&mut self, of: &DatasetPath) -> Answer<Vec<SnapshotRow>> {
        let paths: Vec<SnapshotPath> =
            self.call.make("snapshots", "snapshot", "get_names", json!([of.as_str()]))?;
        let own = paths.into_iter().filter(|path| path.parent() == *of);
        Ok(own.map(|path| SnapshotRow { id: path.to_string(), created: 0, path }).collect())
    }

    fn snapshot_create(&mut self, _kind: Kind, path: &SnapshotPath) -> Answer<()> {
        let params = json!([path.parent().as_str(), path.name(), ""]);
        self.call.change("a new snapshot", "zvol", "create_snapshot", params)
    }

    fn snapshot_delete(&mut self, path: &SnapshotPath) -> Answer<()> {
        self.call.change("the end of a snapshot", "snapshot", "destroy", json!([path.as_str(), ""]))
    }

    /// Nothing is kept for later here: what has a clone goes when that is deleted.
    fn snapshot_forget(&mut self, path: &SnapshotPath) -> Answer<()> {
        match self.snapshot_delete(path) {
            Err(error) if error.is(Reason::Exists) => Ok(()),
            answer => answer,
        }
    }

    fn clones(&mut self, _kind: Kind, of: &DatasetPath) -> Answer<Vec<CloneRow>> {
        let mut clones = Vec::new();
        for clone in self.names()? {
            // It may have gone since the list was made.
            let Some(Some(origin)) = there(self.origin(&clone))? else { continue };
            if origin.parent() == *of {
                clones.push(CloneRow { clone, age: self.created(&origin)? });
            }
        }
        Ok(clones)
    }

    fn clone_to(
        &mut self,
        _kind: Kind,
        source: &SnapshotPath,
        target: &DatasetPath,
        _quota: Option<u64>,
    ) -> Answer<()> {
        self.call.change("a clone", "zvol", "clone", json!([source.as_str(), target.as_str()]))
    }

    fn promote(&mut self, _kind: Kind, clone: &DatasetPath) -> Answer<()> {
        self.call.change("the promotion of a clone", "zvol", "promote", json!([clone.as_str()]))
    }

    fn rollback(&mut self, _to: &SnapshotPath) -> Answer<()> {
        unsupported("a return to a snapshot")
    }
}

impl Nms {
    fn created(&mut self, snapshot: &SnapshotPath) -> Answer<u64> {
        let params = json!([snapshot.as_str(), "creation_seconds"]);
        let told = there(self.call.make::<Value>(SNAPSHOT, "snapshot", "get_child_prop", params))?;
        let seconds = told.as_ref().and_then(text::plain).and_then(|text| text.parse().ok());
        Ok(seconds.unwrap_or_default())
    }
}
