//! Where volumes take their space from.

use serde::{Deserialize, Serialize};

use super::{PoolId, SystemId, count, text};
use crate::number::bits;

bits!(
    /// What can be made in a pool.
    ElementType {
        POOL = 2,
        VOLUME = 4,
        FILE_SYSTEM = 8,
        DELTA = 16,
        VOLUME_FULL = 32,
        VOLUME_THIN = 64,
        SYSTEM_RESERVED = 1024,
    }
);

bits!(
    /// What cannot be done to volumes of a pool.
    UnsupportedActions {
        NONE = 0,
        VOLUME_GROW = 1,
        VOLUME_SHRINK = 2,
    }
);

bits!(PoolStatus {
    UNKNOWN = 1,
    OK = 2,
    OTHER = 4,
    DEGRADED = 16,
    ERROR = 32,
    STOPPED = 512,
    RECONSTRUCTING = 4096,
    VERIFYING = 8192,
    INITIALIZING = 16384,
    GROWING = 32768,
});

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "class")]
pub struct Pool {
    pub id: PoolId,
    pub name: String,
    pub element_type: ElementType,
    pub unsupported_actions: UnsupportedActions,
    /// Bytes; none when the array does not say.
    #[serde(with = "count")]
    pub total_space: Option<u64>,
    /// Bytes; none when the array does not say.
    #[serde(with = "count")]
    pub free_space: Option<u64>,
    pub status: PoolStatus,
    #[serde(default, deserialize_with = "text::or_empty")]
    pub status_info: String,
    pub system_id: SystemId,
    #[serde(default)]
    pub plugin_data: Option<String>,
}
