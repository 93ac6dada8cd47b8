//! What an array can do: one byte a capability, 512 of them, as hex.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    method::{ArrayDriver, METHODS, VARIANTS},
    number::number,
};

/// How many capabilities both existing makers write.
const ENTRIES: usize = 512;
const SUPPORTED: &str = "01";

number!(
    /// The number of a capability. Pools and systems have none: they are always there.
    Capability {
        VOLUMES = 20,
        VOLUME_CREATE = 21,
        VOLUME_RESIZE = 22,
        VOLUME_REPLICATE = 23,
        VOLUME_REPLICATE_CLONE = 24,
        VOLUME_REPLICATE_COPY = 25,
        VOLUME_REPLICATE_MIRROR_ASYNC = 26,
        VOLUME_REPLICATE_MIRROR_SYNC = 27,
        VOLUME_COPY_RANGE_BLOCK_SIZE = 28,
        VOLUME_COPY_RANGE = 29,
        VOLUME_COPY_RANGE_CLONE = 30,
        VOLUME_COPY_RANGE_COPY = 31,
        VOLUME_DELETE = 33,
        VOLUME_ENABLE = 34,
        VOLUME_DISABLE = 35,
        VOLUME_MASK = 36,
        VOLUME_UNMASK = 37,
        ACCESS_GROUPS = 38,
        ACCESS_GROUP_CREATE_WWPN = 39,
        ACCESS_GROUP_DELETE = 40,
        ACCESS_GROUP_INITIATOR_ADD_WWPN = 41,
        ACCESS_GROUP_INITIATOR_DELETE = 42,
        VOLUMES_ACCESSIBLE_BY_ACCESS_GROUP = 43,
        ACCESS_GROUPS_GRANTED_TO_VOLUME = 44,
        VOLUME_CHILD_DEPENDENCY = 45,
        VOLUME_CHILD_DEPENDENCY_RM = 46,
        ACCESS_GROUP_CREATE_ISCSI_IQN = 47,
        ACCESS_GROUP_INITIATOR_ADD_ISCSI_IQN = 48,
        VOLUME_ISCSI_CHAP_AUTHENTICATION = 53,
        VOLUME_RAID_INFO = 54,
        VOLUME_THIN = 55,
        BATTERIES = 56,
        VOLUME_CACHE_INFO = 57,
        VOLUME_PHYSICAL_DISK_CACHE_UPDATE = 58,
        VOLUME_PHYSICAL_DISK_CACHE_UPDATE_SYSTEM_LEVEL = 59,
        VOLUME_WRITE_CACHE_POLICY_UPDATE_WRITE_BACK = 60,
        VOLUME_WRITE_CACHE_POLICY_UPDATE_AUTO = 61,
        VOLUME_WRITE_CACHE_POLICY_UPDATE_WRITE_THROUGH = 62,
        VOLUME_WRITE_CACHE_POLICY_UPDATE_IMPACT_READ = 63,
        VOLUME_WRITE_CACHE_POLICY_UPDATE_WB_IMPACT_OTHER = 64,
        VOLUME_READ_CACHE_POLICY_UPDATE = 65,
        VOLUME_READ_CACHE_POLICY_UPDATE_IMPACT_WRITE = 66,
        FS = 100,
        FS_DELETE = 101,
        FS_RESIZE = 102,
        FS_CREATE = 103,
        FS_CLONE = 104,
        FILE_CLONE = 105,
        FS_SNAPSHOTS = 106,
        FS_SNAPSHOT_CREATE = 107,
        FS_SNAPSHOT_DELETE = 109,
        FS_SNAPSHOT_RESTORE = 110,
        FS_SNAPSHOT_RESTORE_SPECIFIC_FILES = 111,
        FS_CHILD_DEPENDENCY = 112,
        FS_CHILD_DEPENDENCY_RM = 113,
        FS_CHILD_DEPENDENCY_RM_SPECIFIC_FILES = 114,
        EXPORT_AUTH = 120,
        EXPORTS = 121,
        EXPORT_FS = 122,
        EXPORT_REMOVE = 123,
        EXPORT_CUSTOM_PATH = 124,
        SYS_READ_CACHE_PCT_UPDATE = 158,
        SYS_READ_CACHE_PCT_GET = 159,
        SYS_FW_VERSION_GET = 160,
        SYS_MODE_GET = 161,
        DISK_LOCATION = 163,
        DISK_RPM = 164,
        DISK_LINK_TYPE = 165,
        VOLUME_LED = 171,
        POOLS_QUICK_SEARCH = 210,
        VOLUMES_QUICK_SEARCH = 211,
        DISKS_QUICK_SEARCH = 212,
        ACCESS_GROUPS_QUICK_SEARCH = 213,
        FS_QUICK_SEARCH = 214,
        NFS_EXPORTS_QUICK_SEARCH = 215,
        TARGET_PORTS = 216,
        TARGET_PORTS_QUICK_SEARCH = 217,
        DISKS = 220,
        POOL_MEMBER_INFO = 221,
        VOLUME_RAID_CREATE = 222,
        DISK_VPD83_GET = 223,
    }
);

/// The set of an array's capabilities.
#[derive(Clone, PartialEq, Eq)]
pub struct Capabilities {
    supported: Box<[bool; ENTRIES]>,
}

/// Why a text is no capability set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("capabilities are no even number of hex digits")]
pub struct CapabilitiesError;

impl Capabilities {
    pub fn none() -> Self {
        Self { supported: Box::new([false; ENTRIES]) }
    }

    /// What follows from what a driver implements: every method that needs a capability, and the driver's word for the variants.
    pub(crate) fn claimed(driver: &dyn ArrayDriver) -> Self {
        let implemented = driver.implemented();
        let mut set = Self::none();
        for method in METHODS.iter().filter(|method| implemented.has(method.name)) {
            method.needs.iter().for_each(|need| set.set(*need, true));
        }
        for method in METHODS.iter().filter(|method| !implemented.has(method.name)) {
            method.needs.iter().for_each(|need| set.set(*need, false));
        }
        for (variant, methods) in VARIANTS {
            let listed = driver.variants().contains(variant);
            set.set(*variant, listed && methods.iter().all(|method| implemented.has(method)));
        }
        driver.lacks().iter().for_each(|lacking| set.set(*lacking, false));
        set
    }

    fn set(&mut self, capability: Capability, supported: bool) {
        if let Some(entry) = usize::try_from(capability.0).ok().and_then(|at| self.supported.get_mut(at)) {
            *entry = supported;
        }
    }

    /// These, and no others.
    pub fn of(supported: &[Capability]) -> Self {
        let mut set = Self::none();
        for capability in supported {
            set.set(*capability, true);
        }
        set
    }

    pub fn supports(&self, capability: Capability) -> bool {
        usize::try_from(capability.0).ok().and_then(|at| self.supported.get(at)).copied().unwrap_or(false)
    }

    fn to_hex(&self) -> String {
        self.supported.iter().map(|&supported| if supported { SUPPORTED } else { "00" }).collect()
    }

    /// Two digits an entry; entries beyond those we keep are passed over, missing ones are not supported.
    fn from_hex(text: &str) -> Result<Self, CapabilitiesError> {
        if !text.len().is_multiple_of(2) || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(CapabilitiesError);
        }
        let mut set = Self::none();
        for (entry, digits) in set.supported.iter_mut().zip(text.as_bytes().chunks(2)) {
            *entry = digits == SUPPORTED.as_bytes();
        }
        Ok(set)
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers =
            self.supported.iter().enumerate().filter(|(_, supported)| **supported).map(|(number, _)| number);
        f.debug_set().entries(numbers).finish()
    }
}

/// The record that carries the set.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Capabilities", tag = "class")]
struct Wire {
    cap: String,
}

impl Serialize for Capabilities {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire { cap: self.to_hex() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Capabilities {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_hex(&Wire::deserialize(deserializer)?.cap).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_set_travels_as_1024_digits_with_the_number_as_index() {
        let set = Capabilities::of(&[Capability::VOLUMES, Capability::VOLUME_MASK]);
        let wire = serde_json::to_value(&set).unwrap();
        let cap = wire["cap"].as_str().unwrap();
        assert_eq!((wire["class"].as_str(), cap.len(), &cap[40..44]), (Some("Capabilities"), 1024, "0100"));
        assert_eq!(serde_json::from_value::<Capabilities>(wire).unwrap(), set);
    }

    #[test]
    fn a_shorter_set_of_an_older_plug_in_lacks_what_it_does_not_name() {
        let set = Capabilities::from_hex(&"01".repeat(224)).unwrap();
        assert!(set.supports(Capability::DISK_VPD83_GET));
        assert!(!set.supports(Capability(224)));
        assert!(!set.supports(Capability(-1)));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            let _ = Capabilities::from_hex(&text);
        }
    }
}
