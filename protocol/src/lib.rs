//! The language that agents, controllers and clients of sanfleet share.
//!
//! This crate is pure data: it opens nothing, sends nothing, and knows no clock. What crosses a boundary as text or
//! bytes is parsed here once ([`volume_id`], [`initiator`], [`id`], [`file_system`], [`labels`], [`layers`],
//! [`size`], [`target_path`]), so that past the edge no `String` identifies anything.

#[cfg(feature = "seal")]
pub mod audit;
pub mod by_text;
#[cfg(feature = "credentials")]
pub mod credentials;
pub mod delegation;
pub mod enrolment;
pub mod event_filter;
pub mod file_system;
pub mod finding;
pub mod hash;
pub mod id;
pub mod initiator;
pub mod labels;
pub mod layers;
pub mod limits;
pub mod password;
pub mod quiesce;
pub mod report_key;
pub mod rights;
#[cfg(feature = "seal")]
pub mod seal;
pub mod sign;
pub mod size;
pub mod subject;
pub mod target_path;
pub mod volume_id;
pub mod wwpn;

pub use event_filter::EventFilter;
pub use file_system::{FileSystemKind, Label};
pub use finding::FindingCode;
pub use id::{
    ArrayId, AttachmentId, BusUser, CommandId, ControllerId, Fence, FileSystemId, Generation, HookId, HostId,
    IdError, MountPoint, RunId, WebhookId,
};
pub use initiator::Initiator;
pub use labels::Labels;
pub use layers::{Layers, LogicalVolume, LvmMap, LvmName};
pub use password::Password;
pub use quiesce::QuiesceBy;
pub use report_key::{ReportKey, ReportPublicKey};
pub use target_path::{FcPath, IscsiPath, Lun, TargetName, TargetPath};
pub use volume_id::VolumeId;
pub use wwpn::Wwpn;

/// The messages of package `sanfleet.v1`, generated from `proto/`.
#[allow(clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/sanfleet.v1.rs"));
    include!(concat!(env!("OUT_DIR"), "/sanfleet.v1.serde.rs"));
}

/// The version that every message of this build carries.
pub const VERSION: u32 = 1;
