//! A disk of the array, or of one RAID controller.

use serde::{Deserialize, Serialize};

use super::{DiskId, SystemId, count, text};
use crate::number::{bits, number};

number!(DiskType {
    UNKNOWN = 0,
    OTHER = 1,
    ATA = 3,
    SATA = 4,
    SAS = 5,
    FC = 6,
    /// SCSI over PCI Express.
    SOP = 7,
    SCSI = 8,
    /// A LUN of another array.
    LUN = 9,
    NL_SAS = 51,
    HDD = 52,
    SSD = 53,
    HYBRID = 54,
});

bits!(DiskStatus {
    UNKNOWN = 1,
    OK = 2,
    OTHER = 4,
    PREDICTIVE_FAILURE = 8,
    ERROR = 16,
    REMOVED = 32,
    STARTING = 64,
    STOPPING = 128,
    STOPPED = 256,
    INITIALIZING = 512,
    MAINTENANCE_MODE = 1024,
    SPARE_DISK = 2048,
    RECONSTRUCT = 4096,
    /// Belongs to no pool or volume.
    FREE = 8192,
});

number!(
    /// Revolutions a minute; above 1 the figure itself.
    Rpm {
        NO_SUPPORT = -2,
        UNKNOWN = -1,
        NON_ROTATING = 0,
        ROTATING_UNKNOWN_SPEED = 1,
    }
);

number!(LinkType {
    NO_SUPPORT = -2,
    UNKNOWN = -1,
    FC = 0,
    SSA = 2,
    SBP = 3,
    SRP = 4,
    ISCSI = 5,
    SAS = 6,
    ADT = 7,
    ATA = 8,
    USB = 9,
    SOP = 10,
    PCIE = 11,
});

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "class")]
pub struct Disk {
    pub id: DiskId,
    pub name: String,
    pub disk_type: DiskType,
    /// Bytes a block.
    #[serde(with = "count")]
    pub block_size: Option<u64>,
    #[serde(with = "count")]
    pub num_of_blocks: Option<u64>,
    pub status: DiskStatus,
    pub system_id: SystemId,
    #[serde(default)]
    pub plugin_data: Option<String>,
    /// The NAA id in hex, no prefix; empty when the array does not say. Never null: the C client follows it.
    #[serde(default, deserialize_with = "text::or_empty")]
    pub vpd83: String,
    /// Where it sits, in the array's words; empty when the array does not say. Never null: the C client follows it.
    #[serde(default, deserialize_with = "text::or_empty")]
    pub location: String,
    #[serde(default = "Rpm::no_support")]
    pub rpm: Rpm,
    #[serde(default = "LinkType::no_support")]
    pub link_type: LinkType,
}

impl Rpm {
    fn no_support() -> Self {
        Self::NO_SUPPORT
    }
}

impl LinkType {
    fn no_support() -> Self {
        Self::NO_SUPPORT
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_disk_of_an_old_plug_in_reads_without_the_keys_that_came_later() {
        let wire = json!({"class": "Disk", "id": "D", "name": "d", "disk_type": 53, "block_size": -1,
            "num_of_blocks": -1, "status": 2, "system_id": "s"});
        let disk: Disk = serde_json::from_value(wire).unwrap();
        assert_eq!((disk.rpm, disk.link_type), (Rpm::NO_SUPPORT, LinkType::NO_SUPPORT));
        let written = serde_json::to_value(&disk).unwrap();
        assert_eq!((&written["vpd83"], &written["location"]), (&json!(""), &json!("")));
    }
}
