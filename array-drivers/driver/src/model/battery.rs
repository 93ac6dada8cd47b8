//! A battery that keeps a cache alive.

use serde::{Deserialize, Serialize};

use super::{BatteryId, SystemId};
use crate::number::{bits, number};

number!(BatteryType {
    UNKNOWN = 1,
    OTHER = 2,
    CHEMICAL = 3,
    CAPACITOR = 4,
});

bits!(BatteryStatus {
    UNKNOWN = 1,
    OTHER = 2,
    OK = 4,
    DISCHARGING = 8,
    CHARGING = 16,
    LEARNING = 32,
    DEGRADED = 64,
    ERROR = 128,
});

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "class")]
pub struct Battery {
    pub id: BatteryId,
    pub name: String,
    #[serde(rename = "type")]
    pub battery_type: BatteryType,
    pub status: BatteryStatus,
    pub system_id: SystemId,
    #[serde(default)]
    pub plugin_data: Option<String>,
}
