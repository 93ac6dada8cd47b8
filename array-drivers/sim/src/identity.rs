//! Ids that the array gives out: never reused, and the same after any restart.

use sanfleet_driver::{AccessGroupId, DiskId, ErrorNumber, JobId, PoolId, VolumeKey};
use sanfleet_protocol::volume_id::VolumeId;

use crate::error::{Result, SimError};

pub(crate) const SYSTEM: &str = "sim-01";

const POOL: &str = "POOL_ID_";
const VOLUME: &str = "VOL_ID_";
const ACCESS_GROUP: &str = "AG_ID_";
const TARGET_PORT: &str = "TGT_PORT_ID_";
const JOB: &str = "JOB_ID_";
const DISK: &str = "DISK_ID_";
const BATTERY: &str = "BATTERY_ID_";

/// NAA 6 with an OUI (02534e) that has the locally administered bit set, so that no maker owns it.
const NAA_PREFIX: &str = "602534e";
/// The same in the shorter NAA 5, as disks have them.
const DISK_NAA_PREFIX: &str = "502534e";

pub(crate) fn pool(row: i64) -> PoolId {
    PoolId::new(text(POOL, row))
}

pub(crate) fn pool_row(id: &PoolId) -> Option<i64> {
    row(POOL, id.as_str())
}

pub(crate) fn volume(row: i64) -> VolumeKey {
    VolumeKey::new(text(VOLUME, row))
}

/// Also reads the name of a volume's file, which is its id.
pub(crate) fn volume_row(id: &str) -> Option<i64> {
    row(VOLUME, id)
}

pub(crate) fn access_group(row: i64) -> AccessGroupId {
    AccessGroupId::new(text(ACCESS_GROUP, row))
}

pub(crate) fn access_group_row(id: &AccessGroupId) -> Option<i64> {
    row(ACCESS_GROUP, id.as_str())
}

pub(crate) fn job(row: i64) -> JobId {
    JobId::new(text(JOB, row))
}

pub(crate) fn job_row(id: &JobId) -> Option<i64> {
    row(JOB, id.as_str())
}

pub(crate) fn target_port(number: i64) -> String {
    text(TARGET_PORT, number)
}

pub(crate) fn disk(row: i64) -> DiskId {
    DiskId::new(text(DISK, row))
}

pub(crate) fn disk_row(id: &DiskId) -> Option<i64> {
    row(DISK, id.as_str())
}

/// 6 digits of the array's own id, 3 of the disk's number.
pub(crate) fn disk_vpd83(array: &str, row: i64) -> String {
    format!("{DISK_NAA_PREFIX}{}{row:03x}", array.get(..6).unwrap_or_default())
}

pub(crate) fn battery(number: i64) -> String {
    text(BATTERY, number)
}

/// The in-band identity of a volume: 17 digits of the array's own id, 8 of the volume's number.
pub(crate) fn volume_id(array: &str, row: i64) -> Result<VolumeId> {
    let array = array.get(..17).unwrap_or_default();
    VolumeId::from_lsm_vpd83(&format!("{NAA_PREFIX}{array}{row:08x}"))
        .ok_or_else(|| SimError::refused(ErrorNumber::PluginBug, "the array has run out of volume ids"))
}

fn text(prefix: &str, row: i64) -> String {
    format!("{prefix}{row:05}")
}

/// Only the spelling that we gave out is an id of ours.
fn row(prefix: &str, id: &str) -> Option<i64> {
    let row = id.strip_prefix(prefix)?.parse().ok()?;
    (row > 0 && text(prefix, row) == id).then_some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARRAY: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn an_id_reads_back_and_another_spelling_of_it_does_not() {
        assert_eq!(volume(7).as_str(), "VOL_ID_00007");
        assert_eq!(volume_row(volume(123_456).as_str()), Some(123_456));
        for foreign in ["VOL_ID_7", "VOL_ID_+0007", "VOL_ID_-0007", "AG_ID_00007", "VOL_ID_", ""] {
            assert_eq!(volume_row(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_volume_has_one_strong_identity_that_no_other_volume_has() {
        let id = volume_id(ARRAY, 1).unwrap();
        assert_eq!(id.to_string(), "naa.602534e0123456789abcdef000000001");
        assert!(id.is_strong());
        assert_ne!(id, volume_id(ARRAY, 2).unwrap());
        assert_ne!(id, volume_id("fedcba9876543210fedcba9876543210", 1).unwrap());
    }

    #[test]
    fn a_number_beyond_its_digits_is_refused() {
        assert!(volume_id(ARRAY, i64::from(u32::MAX) + 1).is_err());
    }
}
