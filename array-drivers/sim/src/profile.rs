//! Kinds of arrays: `?profile=`. What a session of one claims, and how it takes its time.

use std::time::Duration;

use sanfleet_driver::Capability;

/// Volumes of a [`Profile::Huge`] array.
pub(crate) const HUGE: u32 = 100_000;
/// Bytes of each of them.
pub(crate) const HUGE_VOLUME: u64 = 1 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Profile {
    /// All there is, at once unless `job_ms` says otherwise.
    #[default]
    Plain,
    /// Volumes and masking: no jobs, no copies, no file systems.
    Dumb,
    /// Every change is a job.
    Async,
    /// Lists lag behind.
    Eventual,
    /// Made with [`HUGE`] volumes.
    Huge,
}

/// How long the jobs of an array take that makes every change a job.
pub(crate) const ASYNC_JOB: Duration = Duration::from_secs(1);
/// How far lists lag behind that do.
pub(crate) const LAG: Duration = Duration::from_millis(200);

impl Profile {
    pub const NAMED: [(&'static str, Self); 5] = [
        ("plain", Self::Plain),
        ("dumb", Self::Dumb),
        ("async", Self::Async),
        ("eventual", Self::Eventual),
        ("huge", Self::Huge),
    ];

    pub fn named(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|(known, _)| *known == name).map(|(_, profile)| *profile)
    }

    pub fn lacks(self) -> &'static [Capability] {
        match self {
            Self::Dumb => BEYOND_A_DUMB_ARRAY,
            _ => &[],
        }
    }
}

const BEYOND_A_DUMB_ARRAY: &[Capability] = &[
    Capability::VOLUME_REPLICATE,
    Capability::VOLUME_REPLICATE_CLONE,
    Capability::VOLUME_REPLICATE_COPY,
    Capability::VOLUME_REPLICATE_MIRROR_ASYNC,
    Capability::VOLUME_REPLICATE_MIRROR_SYNC,
    Capability::VOLUME_COPY_RANGE_BLOCK_SIZE,
    Capability::VOLUME_COPY_RANGE,
    Capability::VOLUME_COPY_RANGE_CLONE,
    Capability::VOLUME_COPY_RANGE_COPY,
    Capability::VOLUME_CHILD_DEPENDENCY,
    Capability::VOLUME_CHILD_DEPENDENCY_RM,
    Capability::FS,
    Capability::FS_DELETE,
    Capability::FS_RESIZE,
    Capability::FS_CREATE,
    Capability::FS_CLONE,
    Capability::FILE_CLONE,
    Capability::FS_SNAPSHOTS,
    Capability::FS_SNAPSHOT_CREATE,
    Capability::FS_SNAPSHOT_DELETE,
    Capability::FS_SNAPSHOT_RESTORE,
    Capability::FS_SNAPSHOT_RESTORE_SPECIFIC_FILES,
    Capability::FS_CHILD_DEPENDENCY,
    Capability::FS_CHILD_DEPENDENCY_RM,
    Capability::FS_CHILD_DEPENDENCY_RM_SPECIFIC_FILES,
    Capability::EXPORT_AUTH,
    Capability::EXPORTS,
    Capability::EXPORT_FS,
    Capability::EXPORT_REMOVE,
    Capability::EXPORT_CUSTOM_PATH,
];
