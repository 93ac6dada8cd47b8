//! An array, or one RAID controller of a host.

use serde::{Deserialize, Serialize};

use super::{SystemId, text};
use crate::number::{bits, number};

bits!(SystemStatus {
    UNKNOWN = 1,
    OK = 2,
    ERROR = 4,
    DEGRADED = 8,
    PREDICTIVE_FAILURE = 16,
    OTHER = 32,
});

number!(SystemMode {
    NO_SUPPORT = -2,
    UNKNOWN = -1,
    HARDWARE_RAID = 0,
    HBA = 1,
});

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "class")]
pub struct System {
    pub id: SystemId,
    pub name: String,
    pub status: SystemStatus,
    #[serde(default, deserialize_with = "text::or_empty")]
    pub status_info: String,
    #[serde(default)]
    pub plugin_data: Option<String>,
    /// Empty when the array does not say. Never null: the C client follows it.
    #[serde(default, deserialize_with = "text::or_empty")]
    pub fw_version: String,
    #[serde(default = "no_mode")]
    pub mode: SystemMode,
    /// Percent of the cache that serves reads; −2 not supported, −1 unknown.
    #[serde(default = "no_cache_share")]
    pub read_cache_pct: i64,
}

fn no_mode() -> SystemMode {
    SystemMode::NO_SUPPORT
}

fn no_cache_share() -> i64 {
    -2
}
