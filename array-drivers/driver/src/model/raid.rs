//! How volumes and pools are laid out over disks.

use serde::{Deserialize, Serialize};

use crate::number::number;

number!(
    /// The members that exist are named by their level; the nested ones by both.
    RaidType {
        UNKNOWN = -1,
        RAID0 = 0,
        RAID1 = 1,
        RAID3 = 3,
        RAID4 = 4,
        RAID5 = 5,
        RAID6 = 6,
        RAID10 = 10,
        RAID15 = 15,
        RAID16 = 16,
        JBOD = 20,
        /// Members of several levels.
        MIXED = 21,
        OTHER = 22,
        RAID50 = 50,
        RAID51 = 51,
        RAID60 = 60,
        RAID61 = 61,
    }
);

number!(MemberType {
    UNKNOWN = 0,
    OTHER = 1,
    DISK = 2,
    POOL = 3,
});

/// The layout of a volume; on the wire a list of five numbers. Sizes are bytes, 0 where unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(RaidType, i64, i64, i64, i64)", into = "(RaidType, i64, i64, i64, i64)")]
pub struct RaidInfo {
    pub raid_type: RaidType,
    /// Bytes on one disk before the next disk's turn.
    pub strip_size: i64,
    pub disk_count: i64,
    /// The smallest I/O that needs no read first.
    pub min_io_size: i64,
    pub opt_io_size: i64,
}

impl From<(RaidType, i64, i64, i64, i64)> for RaidInfo {
    fn from(
        (raid_type, strip_size, disk_count, min_io_size, opt_io_size): (RaidType, i64, i64, i64, i64),
    ) -> Self {
        Self { raid_type, strip_size, disk_count, min_io_size, opt_io_size }
    }
}

impl From<RaidInfo> for (RaidType, i64, i64, i64, i64) {
    fn from(info: RaidInfo) -> Self {
        (info.raid_type, info.strip_size, info.disk_count, info.min_io_size, info.opt_io_size)
    }
}

/// What a pool is made of; on the wire `[RAID type, member type, [id, …]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(RaidType, MemberType, Vec<String>)", into = "(RaidType, MemberType, Vec<String>)")]
pub struct PoolMemberInfo {
    pub raid_type: RaidType,
    pub member_type: MemberType,
    /// Ids of disks or of pools, as the member type says.
    pub members: Vec<String>,
}

impl From<(RaidType, MemberType, Vec<String>)> for PoolMemberInfo {
    fn from((raid_type, member_type, members): (RaidType, MemberType, Vec<String>)) -> Self {
        Self { raid_type, member_type, members }
    }
}

impl From<PoolMemberInfo> for (RaidType, MemberType, Vec<String>) {
    fn from(info: PoolMemberInfo) -> Self {
        (info.raid_type, info.member_type, info.members)
    }
}

/// What `volume_raid_create` takes; on the wire two lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(Vec<RaidType>, Vec<i64>)", into = "(Vec<RaidType>, Vec<i64>)")]
pub struct RaidCreateCapabilities {
    pub raid_types: Vec<RaidType>,
    /// Bytes.
    pub strip_sizes: Vec<i64>,
}

impl From<(Vec<RaidType>, Vec<i64>)> for RaidCreateCapabilities {
    fn from((raid_types, strip_sizes): (Vec<RaidType>, Vec<i64>)) -> Self {
        Self { raid_types, strip_sizes }
    }
}

impl From<RaidCreateCapabilities> for (Vec<RaidType>, Vec<i64>) {
    fn from(capabilities: RaidCreateCapabilities) -> Self {
        (capabilities.raid_types, capabilities.strip_sizes)
    }
}

impl RaidType {
    /// True when this many disks make such a volume, as libStorageMgmt's clients check before they ask.
    pub fn takes_disks(self, count: usize) -> bool {
        match self {
            Self::RAID1 => count == 2,
            Self::RAID5 => count >= 3,
            Self::RAID6 => count >= 4,
            Self::RAID10 => count >= 4 && count.is_multiple_of(2),
            Self::RAID50 => count >= 6 && count.is_multiple_of(2),
            Self::RAID60 => count >= 8 && count.is_multiple_of(2),
            _ => count >= 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_layout_travels_as_a_list_in_the_order_of_the_protocol() {
        let info = RaidInfo {
            raid_type: RaidType::RAID5,
            strip_size: 1,
            disk_count: 2,
            min_io_size: 3,
            opt_io_size: 4,
        };
        assert_eq!(serde_json::to_value(info).unwrap(), json!([5, 1, 2, 3, 4]));
        let members: PoolMemberInfo = serde_json::from_value(json!([1, 2, ["D1", "D2"]])).unwrap();
        assert_eq!((members.member_type, members.members.len()), (MemberType::DISK, 2));
    }

    #[test]
    fn a_mirror_takes_two_disks_and_a_striped_mirror_an_even_number() {
        assert!(RaidType::RAID1.takes_disks(2) && !RaidType::RAID1.takes_disks(3));
        assert!(RaidType::RAID10.takes_disks(6) && !RaidType::RAID10.takes_disks(5));
    }
}
