//! Initiators that see the same volumes.

use serde::{Deserialize, Serialize};

use super::{AccessGroupId, SystemId};
use crate::{initiator, number::number};

number!(InitiatorType {
    UNKNOWN = 0,
    OTHER = 1,
    WWPN = 2,
    ISCSI = 5,
    MIXED = 7,
    /// An NVMe qualified name. Not of the protocol: only a client that asked for extensions is told of such initiators.
    NVME_NQN = 1000,
});

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "class")]
pub struct AccessGroup {
    pub id: AccessGroupId,
    pub name: String,
    /// As the array spells them, canonical once sent; parse them with `sanfleet_protocol`'s `Initiator` before comparing.
    #[serde(serialize_with = "initiator::all")]
    pub init_ids: Vec<String>,
    pub init_type: InitiatorType,
    pub system_id: SystemId,
    #[serde(default)]
    pub plugin_data: Option<String>,
}
