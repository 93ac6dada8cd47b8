//! Snapshots, and what rests on them.

use sanfleet_driver_http::Method;
use serde_json::json;

use super::{Rest, nothing, row};
use crate::{
    appliance::{Answer, CloneRow, Kind, Reason, SnapshotRow, Snapshots},
    dataset::{DatasetPath, SnapshotPath},
    wire::encoded,
};

impl Snapshots for Rest {
    fn snapshots(&mut self, of: &DatasetPath) -> Answer<Vec<SnapshotRow>> {
        let parent = encoded(of.as_str());
        let path = format!("/storage/snapshots?parent={parent}&fields=path,guid,creationTime");
        let rows: Vec<row::Snapshot> = self.session.list("snapshots", &path)?;
        let own = rows.into_iter().filter(|row| row.path.parent() == *of);
        Ok(own.map(|row| SnapshotRow { path: row.path, created: row.creation_time, id: row.guid }).collect())
    }

    fn snapshot_create(&mut self, _kind: Kind, path: &SnapshotPath) -> Answer<()> {
        let body = json!({"path": path.as_str()});
        self.session.change("a new snapshot", Method::Post, "/storage/snapshots", &body)
    }

    fn snapshot_delete(&mut self, path: &SnapshotPath) -> Answer<()> {
        self.session.change("the end of a snapshot", Method::Delete, &place(path, ""), &nothing())
    }

    fn snapshot_forget(&mut self, path: &SnapshotPath) -> Answer<()> {
        self.session.change("the end of a snapshot", Method::Delete, &place(path, "?defer=true"), &nothing())
    }

    fn clones(&mut self, _kind: Kind, of: &DatasetPath) -> Answer<Vec<CloneRow>> {
        let mut clones = Vec::new();
        for snapshot in self.snapshots(of)? {
            let path = place(&snapshot.path, "?fields=clones,creationTxg");
            let detail: row::SnapshotDetail = match self.session.get("a snapshot", &path) {
                // It has gone since the list was made.
                Err(error) if error.is(Reason::Missing) => continue,
                answer => answer?,
            };
            let age = detail.creation_txg;
            clones.extend(detail.clones.into_iter().map(|clone| CloneRow { clone, age }));
        }
        Ok(clones)
    }

    fn clone_to(
        &mut self,
        _kind: Kind,
        source: &SnapshotPath,
        target: &DatasetPath,
        quota: Option<u64>,
    ) -> Answer<()> {
        let mut body = json!({"targetPath": target.as_str()});
        if let (Some(quota), Some(fields)) = (quota, body.as_object_mut()) {
            fields.insert("referencedQuotaSize".into(), quota.into());
        }
        self.session.change("a clone", Method::Post, &place(source, "/clone"), &body)
    }

    fn promote(&mut self, kind: Kind, clone: &DatasetPath) -> Answer<()> {
        let place = format!("/storage/{}/{}/promote", collection(kind), encoded(clone.as_str()));
        self.session.change("the promotion of a clone", Method::Post, &place, &nothing())
    }

    fn rollback(&mut self, to: &SnapshotPath) -> Answer<()> {
        let place =
            format!("/storage/{}/{}/rollback", collection(Kind::FileSystem), encoded(to.parent().as_str()));
        self.session.change("a return to a snapshot", Method::Post, &place, &json!({"snapshot": to.name()}))
    }
}

fn place(path: &SnapshotPath, after: &str) -> String {
    format!("/storage/snapshots/{}{after}", encoded(path.as_str()))
}

fn collection(kind: Kind) -> &'static str {
    match kind {
        Kind::Volume => "volumes",
        Kind::FileSystem => "filesystems",
    }
}
