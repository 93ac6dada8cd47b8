//! What the protocol lacks, as optional methods whose names begin with `sanfleet_`.
//!
//! A plug-in that knows none of them answers NO_SUPPORT, as it does for every method that it does not have; a client that never
//! asks for them sees nothing of them. `docs/driver-extensions.md` describes them for other implementers.

use serde::{Deserialize, Serialize};

use crate::{
    error::{ErrorNumber, LsmError},
    model::{AccessGroupId, ReplicateType, TargetPortId, Volume, VolumeKey},
};

/// Where a volume can be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    pub volume_id: VolumeKey,
    /// None for a mapping made for one initiator without a group.
    pub access_group_id: Option<AccessGroupId>,
    /// None when every initiator of the group sees the volume under this number.
    pub initiator: Option<String>,
    /// The LUN number, or the NVMe namespace id. None when the array does not say.
    pub lun: Option<u64>,
    /// The ports that show it; empty means all.
    #[serde(default)]
    pub target_ports: Vec<TargetPortId>,
}

/// A volume with every in-band identity that hosts may see, the preferred one first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeDetail {
    pub volume: Volume,
    /// In the notation `naa.…`, `eui.…`, `uuid.…`, `t10.…`.
    pub ids: Vec<String>,
}

/// A piece of a long list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// To be given back for the next piece; none after the last. What changes meanwhile may be in or not; nothing that stays is
    /// left out or comes twice.
    pub next: Option<String>,
}

/// What changed on the array since a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The moment of this answer, to be given back with the next question.
    pub token: String,
    /// False when the array cannot tell everything that changed since the given moment: list anew.
    pub complete: bool,
    pub changed: Vec<Change>,
}

/// One record that was made, changed or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub kind: ChangeKind,
    pub id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    Pool,
    Volume,
    AccessGroup,
    /// The mappings of the volume with this id.
    Mapping,
    FileSystem,
    Snapshot,
    Export,
    /// Of a later version: list anew.
    #[serde(other)]
    Other,
}

/// Where a replica came from and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replication {
    pub source_id: VolumeKey,
    pub rep_type: ReplicateType,
    pub state: ReplicationState,
    /// 0 to 100 of the first copy.
    pub percent: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicationState {
    /// Data still goes over; until then the replica may not be whole.
    Copying,
    /// A mirror that is up to date.
    InSync,
    /// A copy at one point in time, whole.
    Complete,
    Broken,
    #[serde(other)]
    Unknown,
}

/// Why a job failed, which the protocol's own `job_status` has no room for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFailure {
    pub code: ErrorNumber,
    pub message: String,
}

impl From<JobFailure> for LsmError {
    fn from(failure: JobFailure) -> Self {
        Self::new(failure.code, failure.message)
    }
}
