//! A port of the array that initiators log in to.

use serde::{Deserialize, Serialize};

use super::{SystemId, TargetPortId, text};
use crate::{initiator, number::number};

number!(PortType {
    OTHER = 1,
    FC = 2,
    FCOE = 3,
    ISCSI = 4,
});

/// Addresses: WWPN and MAC in lower case with colons, an iSCSI service address is the IQN, a network address `ip:port` or
/// `[ip6]:port`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "class")]
pub struct TargetPort {
    pub id: TargetPortId,
    pub port_type: PortType,
    #[serde(default, deserialize_with = "text::or_empty", serialize_with = "initiator::one")]
    pub service_address: String,
    #[serde(default, deserialize_with = "text::or_empty")]
    pub network_address: String,
    #[serde(default, deserialize_with = "text::or_empty", serialize_with = "initiator::one")]
    pub physical_address: String,
    #[serde(default, deserialize_with = "text::or_empty")]
    pub physical_name: String,
    pub system_id: SystemId,
    #[serde(default)]
    pub plugin_data: Option<String>,
}
