//! A volume, as its array describes it.

use sanfleet_protocol::volume_id::VolumeId;
use serde::{Deserialize, Serialize};

use super::{PoolId, SystemId, VolumeKey, count, text};
use crate::number::{bits, number};

number!(AdminState {
    DISABLED = 0,
    ENABLED = 1,
});

number!(Provisioning {
    UNKNOWN = -1,
    THIN = 1,
    FULL = 2,
    DEFAULT = 3,
});

bits!(
    /// The flags of `volume_create`: hints of how the I/O of the volume is to go, for arrays that have the choice (hardware RAID).
    VolumeCreateFlags {
        NONE = 0,
        USE_SYSTEM_CACHE = 1,
        USE_IO_PASSTHROUGH = 2,
        DISABLE_SYSTEM_CACHE = 4,
        DISABLE_IO_PASSTHROUGH = 8,
    }
);

number!(ReplicateType {
    UNKNOWN = -1,
    /// Space-efficient, writable, at one point in time.
    CLONE = 2,
    /// A full copy at one point in time.
    COPY = 3,
    MIRROR_SYNC = 4,
    MIRROR_ASYNC = 5,
});

/// How the locally assigned NAA begins that an older client is shown for a volume without an identity.
pub(crate) const STAND_IN: &str = "35afe";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "class")]
pub struct Volume {
    pub id: VolumeKey,
    pub name: String,
    /// The NAA id in hex, no prefix; empty when the array has none. Read it through [`Volume::volume_id`].
    #[serde(default, deserialize_with = "text::or_empty")]
    pub vpd83: String,
    /// Bytes a block.
    #[serde(with = "count")]
    pub block_size: Option<u64>,
    #[serde(with = "count")]
    pub num_of_blocks: Option<u64>,
    pub admin_state: AdminState,
    pub system_id: SystemId,
    pub pool_id: PoolId,
    /// The driver's own note to itself; goes back to it unchanged.
    #[serde(default)]
    pub plugin_data: Option<String>,
}

impl Volume {
    /// The identity that hosts see in band; none when the array gives no valid NAA, or the driver a stand-in for it.
    pub fn volume_id(&self) -> Option<VolumeId> {
        match self.vpd83.starts_with(STAND_IN) {
            true => None,
            false => VolumeId::from_lsm_vpd83(&self.vpd83),
        }
    }

    /// None when the array does not say, or says what no 64 bits hold.
    pub fn size_bytes(&self) -> Option<u64> {
        self.block_size?.checked_mul(self.num_of_blocks?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn wire() -> Value {
        json!({"class": "Volume", "id": "VOL_ID_00001", "name": "data", "vpd83": "60014053FEF180BF1000000000000000",
            "block_size": 512, "num_of_blocks": 2048, "admin_state": 1, "system_id": "s", "pool_id": "p",
            "plugin_data": null})
    }

    fn with(key: &str, value: Value) -> Volume {
        let mut wire = wire();
        wire[key] = value;
        serde_json::from_value(wire).unwrap()
    }

    #[test]
    fn a_volume_reads_back_as_it_was_written_with_its_class() {
        let volume: Volume = serde_json::from_value(wire()).unwrap();
        assert_eq!(serde_json::to_value(&volume).unwrap(), wire());
    }

    #[test]
    fn its_identity_does_not_depend_on_the_case_of_the_digits() {
        let upper: Volume = serde_json::from_value(wire()).unwrap();
        let lower = with("vpd83", json!("60014053fef180bf1000000000000000"));
        assert_eq!(upper.volume_id(), lower.volume_id());
        assert!(upper.volume_id().is_some());
    }

    #[test]
    fn an_identity_that_is_missing_or_no_naa_is_none_and_the_volume_still_reads() {
        for bad in [json!(""), Value::Null, json!("eui.00112233"), json!("zz")] {
            assert_eq!(with("vpd83", bad.clone()).volume_id(), None, "{bad}");
        }
    }

    #[test]
    fn minus_one_in_either_spelling_is_an_unknown_size() {
        assert_eq!(with("num_of_blocks", json!(-1)).size_bytes(), None);
        assert_eq!(with("num_of_blocks", json!(u64::MAX)).size_bytes(), None);
        assert_eq!(
            serde_json::to_value(with("num_of_blocks", json!(u64::MAX))).unwrap()["num_of_blocks"],
            json!(-1)
        );
    }

    #[test]
    fn an_unknown_number_is_kept() {
        assert_eq!(with("admin_state", json!(9)).admin_state, AdminState(9));
    }

    #[test]
    fn a_key_of_a_later_version_is_passed_over() {
        assert_eq!(with("colour", json!("blue")).name, "data");
    }

    proptest! {
        #[test]
        fn a_size_never_overflows(block_size: u64, num_of_blocks: u64) {
            let mut volume = with("block_size", json!(block_size));
            volume.num_of_blocks = Some(num_of_blocks);
            let exact = u128::from(block_size) * u128::from(num_of_blocks);
            let known = block_size != u64::MAX;
            prop_assert_eq!(volume.size_bytes(), u64::try_from(exact).ok().filter(|_| known));
        }
    }
}
