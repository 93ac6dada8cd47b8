//! What these releases are not asked for: file systems, of which they tell no id that never comes back, and target ports, of which they
//! do not tell where they listen.

use sanfleet_driver::Capability;

use crate::appliance::{Answer, ApplianceError, Reason};

pub(super) const LACKING: &[Capability] = &[
    Capability::TARGET_PORTS,
    Capability::FS,
    Capability::FS_CREATE,
    Capability::FS_DELETE,
    Capability::FS_RESIZE,
    Capability::FS_CLONE,
    Capability::FS_CHILD_DEPENDENCY,
    Capability::FS_CHILD_DEPENDENCY_RM,
    Capability::FS_SNAPSHOTS,
    Capability::FS_SNAPSHOT_CREATE,
    Capability::FS_SNAPSHOT_DELETE,
    Capability::FS_SNAPSHOT_RESTORE,
    Capability::EXPORT_AUTH,
    Capability::EXPORTS,
    Capability::EXPORT_FS,
    Capability::EXPORT_REMOVE,
];

pub(super) fn unsupported<T>(what: &'static str) -> Answer<T> {
    let message = "releases 3 and 4 are not asked for that".into();
    Err(ApplianceError::Refused { what, reason: Reason::Unsupported, message })
}
