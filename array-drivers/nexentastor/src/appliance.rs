//! The seam between what is done and how it is said: an appliance, whatever its release.
//!
//! One method is one question, or one change that is asked for once. Nothing here decides anything or looks whether a change was made.

mod error;
mod row;

use std::fmt;

pub(crate) use error::{ApplianceError, Reason};
pub(crate) use row::{
    CloneRow, FileSystemRow, HostGroupRow, Hosts, Kind, MappingRow, PoolRow, ShareRow, SnapshotRow,
    SystemRow, TargetRow, VolumeRow,
};
use sanfleet_driver::{Capability, VolumeKey};
use sanfleet_driver_http::Deadline;

use crate::dataset::{DatasetPath, SnapshotPath};

/// Begins the names of snapshots that only clones are made of. They are told to nobody, and go with the last clone.
pub(crate) const ORIGIN: &str = "sanfleet-origin-";

pub(crate) type Answer<T> = Result<T, ApplianceError>;

pub(crate) trait Appliance: Volumes + Snapshots + Access + Files + fmt::Debug {
    /// A new call begins, which may take until then.
    fn begin(&mut self, deadline: Deadline);
    /// Until when the call may take that is being made.
    fn deadline(&self) -> Deadline;
    /// What this release cannot do, or is not asked for here.
    fn lacks(&self) -> &'static [Capability];
    fn system(&mut self) -> Answer<SystemRow>;
    fn pools(&mut self) -> Answer<Vec<PoolRow>>;
}

pub(crate) trait Volumes {
    /// Where in a pool new volumes go. What has to be there for that is made.
    fn home(&mut self, pool: &DatasetPath) -> Answer<DatasetPath>;
    fn volumes(&mut self) -> Answer<Vec<VolumeRow>>;
    /// The one with this id.
    fn known(&mut self, key: &VolumeKey) -> Answer<Option<VolumeRow>>;
    fn volume(&mut self, path: &DatasetPath) -> Answer<Option<VolumeRow>>;
    /// `bytes` is a whole number of [`VolumeRow::block`]s as [`Volumes::block`] has them.
    fn volume_create(&mut self, path: &DatasetPath, bytes: u64, sparse: bool) -> Answer<()>;
    /// Bytes of a block of new volumes.
    fn block(&self) -> u64;
    fn volume_delete(&mut self, path: &DatasetPath) -> Answer<()>;
    fn volume_resize(&mut self, path: &DatasetPath, bytes: u64) -> Answer<()>;
    /// Gives a volume its logical unit, and with it its identity, without showing it to anybody.
    fn unit_create(&mut self, path: &DatasetPath) -> Answer<()>;
    /// Takes it back; false when there is none, or none that is listed yet.
    fn unit_delete(&mut self, path: &DatasetPath) -> Answer<bool>;
}

pub(crate) trait Snapshots {
    fn snapshots(&mut self, of: &DatasetPath) -> Answer<Vec<SnapshotRow>>;
    fn snapshot_create(&mut self, kind: Kind, path: &SnapshotPath) -> Answer<()>;
    fn snapshot_delete(&mut self, path: &SnapshotPath) -> Answer<()>;
    /// Has a snapshot go when the last of its clones has gone.
    fn snapshot_forget(&mut self, path: &SnapshotPath) -> Answer<()>;
    /// All clones of all snapshots of a dataset.
    fn clones(&mut self, kind: Kind, of: &DatasetPath) -> Answer<Vec<CloneRow>>;
    /// `quota` is for file systems.
    fn clone_to(
        &mut self,
        kind: Kind,
        source: &SnapshotPath,
        target: &DatasetPath,
        quota: Option<u64>,
    ) -> Answer<()>;
    /// What a clone rests on comes to rest on the clone.
    fn promote(&mut self, kind: Kind, clone: &DatasetPath) -> Answer<()>;
    /// Takes a file system back; there must be no younger snapshot.
    fn rollback(&mut self, to: &SnapshotPath) -> Answer<()>;
}

pub(crate) trait Access {
    fn host_groups(&mut self) -> Answer<Vec<HostGroupRow>>;
    fn host_group_create(&mut self, name: &str, member: &str) -> Answer<()>;
    fn host_group_delete(&mut self, name: &str) -> Answer<()>;
    fn member_add(&mut self, group: &HostGroupRow, member: &str) -> Answer<()>;
    fn member_remove(&mut self, group: &HostGroupRow, member: &str) -> Answer<()>;
    /// Of one volume, or of all.
    fn mappings(&mut self, of: Option<&DatasetPath>) -> Answer<Vec<MappingRow>>;
    fn mapping_create(&mut self, volume: &DatasetPath, host_group: &str) -> Answer<()>;
    fn mapping_delete(&mut self, mapping: &MappingRow) -> Answer<()>;
    fn targets(&mut self) -> Answer<Vec<TargetRow>>;
}

pub(crate) trait Files {
    fn file_systems(&mut self) -> Answer<Vec<FileSystemRow>>;
    /// `quota` is how many bytes it may hold.
    fn fs_create(&mut self, path: &DatasetPath, quota: u64) -> Answer<()>;
    fn fs_resize(&mut self, path: &DatasetPath, quota: u64) -> Answer<()>;
    /// With its snapshots.
    fn fs_delete(&mut self, path: &DatasetPath) -> Answer<()>;
    fn shares(&mut self) -> Answer<Vec<ShareRow>>;
    fn share_create(&mut self, share: &ShareRow) -> Answer<()>;
    fn share_delete(&mut self, file_system: &DatasetPath) -> Answer<()>;
}
