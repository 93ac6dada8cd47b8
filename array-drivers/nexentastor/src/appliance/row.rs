//! What an appliance tells of its things, whatever its release.

use sanfleet_driver::VolumeKey;

use crate::{
    dataset::{DatasetPath, SnapshotPath},
    identity::Naa,
};

/// What a dataset is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Volume,
    FileSystem,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SystemRow {
    pub id: String,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PoolRow {
    pub path: DatasetPath,
    /// Bytes.
    pub size: Option<u64>,
    /// Bytes.
    pub free: Option<u64>,
    /// ZFS's own word.
    pub health: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VolumeRow {
    pub path: DatasetPath,
    pub key: VolumeKey,
    /// Bytes.
    pub size: u64,
    /// Bytes; a size is a whole number of these.
    pub block: u64,
    /// None when it has no logical unit.
    pub unit: Option<Naa>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SnapshotRow {
    pub path: SnapshotPath,
    /// Seconds since 1970-01-01 UTC.
    pub created: i64,
    /// Never comes back.
    pub id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CloneRow {
    pub clone: DatasetPath,
    /// The younger the snapshot that it rests on, the higher.
    pub age: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostGroupRow {
    pub name: String,
    /// As COMSTAR spells them: iSCSI names, or `wwn.` and 16 digits.
    pub members: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MappingRow {
    /// What the appliance calls it.
    pub id: String,
    pub volume: DatasetPath,
    pub host_group: String,
    pub lun: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TargetRow {
    pub name: String,
    /// `address:port`.
    pub portals: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileSystemRow {
    pub path: DatasetPath,
    /// Never comes back.
    pub id: String,
    /// Bytes that it may hold.
    pub quota: u64,
    /// Bytes.
    pub free: u64,
    pub mount_point: String,
}

/// A file system served over NFS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShareRow {
    pub file_system: DatasetPath,
    pub auth: String,
    pub hosts: Hosts,
}

/// Who may do what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Hosts {
    pub root: Vec<String>,
    pub rw: Vec<String>,
    pub ro: Vec<String>,
}
