//! Copying a volume: a snapshot of it, and a clone of that, which can be written to.
//!
//! The snapshot has a name that no other has, so whatever became of a request is plain. It goes when its clone goes, and if we are killed
//! before its clone is made, with its volume.

use sanfleet_driver::{ErrorNumber, PoolId, Volume, VolumeKey};

use super::{Answer, Array, name, outcome::Outcome, pool::pool_id, refused};
use crate::{
    appliance::{Kind, ORIGIN},
    dataset::SnapshotPath,
};

impl Array {
    pub fn volume_clone(&mut self, pool: Option<&PoolId>, source: &VolumeKey, name: &str) -> Answer<Volume> {
        name::check(name)?;
        let _alone = self.alone()?;
        let source = self.volume(source)?;
        if let Some(other) = pool.filter(|wanted| **wanted != pool_id(&source.path)) {
            self.pool(other)?;
            return refused(ErrorNumber::NoSupport, "a clone stays in the pool of its source");
        }
        // Somebody may be held still meanwhile, so nothing is asked that need not be.
        let target = self.appliance.home(&source.path.top())?.child(name);
        self.require_free(&target)?;
        let snapshot = source.path.snapshot(&origin_name());
        self.take(Kind::Volume, &snapshot)?;
        let answer = self.appliance.clone_to(Kind::Volume, &snapshot, &target, None);
        let made = Outcome::of(answer).map_err(Into::into).and_then(|outcome| self.made(&target, outcome));
        // Without a clone it goes at once. If it does not, it goes with its volume.
        let _ = self.appliance.snapshot_forget(&snapshot);
        made
    }

    /// Takes a snapshot that only clones are made of.
    pub(super) fn take(&mut self, kind: Kind, snapshot: &SnapshotPath) -> Answer<()> {
        let deadline = self.appliance.deadline();
        match Outcome::of(self.appliance.snapshot_create(kind, snapshot))? {
            Outcome::Done => Ok(()),
            open => open.settle(
                deadline,
                || {
                    let seen = self.appliance.snapshots(&snapshot.parent())?;
                    Ok(seen.iter().any(|row| row.path == *snapshot).then_some(()))
                },
                String::new,
            ),
        }
    }
}

pub(super) fn origin_name() -> String {
    format!("{ORIGIN}{}", uuid::Uuid::new_v4().simple())
}
