//! How reads and writes of a volume are cached.

use serde::{Deserialize, Serialize};

use crate::number::number;

number!(WriteCachePolicy {
    UNKNOWN = 1,
    WRITE_BACK = 2,
    /// Write back as long as the battery is good.
    AUTO = 3,
    WRITE_THROUGH = 4,
});

number!(WriteCacheStatus {
    UNKNOWN = 1,
    WRITE_BACK = 2,
    WRITE_THROUGH = 3,
});

number!(
    /// Both what is wanted and what is.
    ReadCache {
        UNKNOWN = 1,
        ENABLED = 2,
        DISABLED = 3,
    }
);

number!(
    /// The cache in the disks themselves.
    PhysicalDiskCache {
        UNKNOWN = 1,
        ENABLED = 2,
        DISABLED = 3,
        /// Whatever each disk is set to.
        USE_DISK_SETTING = 4,
    }
);

type Wire = (WriteCachePolicy, WriteCacheStatus, ReadCache, ReadCache, PhysicalDiskCache);

/// The caches of a volume; on the wire a list of five numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Wire", into = "Wire")]
pub struct CacheInfo {
    pub write_policy: WriteCachePolicy,
    pub write_status: WriteCacheStatus,
    pub read_policy: ReadCache,
    pub read_status: ReadCache,
    pub physical_disk: PhysicalDiskCache,
}

impl From<Wire> for CacheInfo {
    fn from((write_policy, write_status, read_policy, read_status, physical_disk): Wire) -> Self {
        Self { write_policy, write_status, read_policy, read_status, physical_disk }
    }
}

impl From<CacheInfo> for Wire {
    fn from(info: CacheInfo) -> Self {
        (info.write_policy, info.write_status, info.read_policy, info.read_status, info.physical_disk)
    }
}
