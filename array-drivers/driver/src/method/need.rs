//! Which capability a call needs because of its arguments, and which capabilities speak of records.

use crate::{
    capability::Capability,
    model::{InitiatorType, ReplicateType, WriteCachePolicy},
};

pub(super) fn replicate(kind: &ReplicateType) -> Option<Capability> {
    match *kind {
        ReplicateType::CLONE => Some(Capability::VOLUME_REPLICATE_CLONE),
        ReplicateType::COPY => Some(Capability::VOLUME_REPLICATE_COPY),
        ReplicateType::MIRROR_SYNC => Some(Capability::VOLUME_REPLICATE_MIRROR_SYNC),
        ReplicateType::MIRROR_ASYNC => Some(Capability::VOLUME_REPLICATE_MIRROR_ASYNC),
        _ => None,
    }
}

pub(super) fn range(kind: &ReplicateType) -> Option<Capability> {
    match *kind {
        ReplicateType::CLONE => Some(Capability::VOLUME_COPY_RANGE_CLONE),
        ReplicateType::COPY => Some(Capability::VOLUME_COPY_RANGE_COPY),
        _ => None,
    }
}

pub(super) fn initiator_create(kind: &InitiatorType) -> Option<Capability> {
    match *kind {
        InitiatorType::WWPN => Some(Capability::ACCESS_GROUP_CREATE_WWPN),
        InitiatorType::ISCSI => Some(Capability::ACCESS_GROUP_CREATE_ISCSI_IQN),
        _ => None,
    }
}

pub(super) fn initiator_add(kind: &InitiatorType) -> Option<Capability> {
    match *kind {
        InitiatorType::WWPN => Some(Capability::ACCESS_GROUP_INITIATOR_ADD_WWPN),
        InitiatorType::ISCSI => Some(Capability::ACCESS_GROUP_INITIATOR_ADD_ISCSI_IQN),
        _ => None,
    }
}

pub(super) fn write_cache(policy: &WriteCachePolicy) -> Option<Capability> {
    match *policy {
        WriteCachePolicy::WRITE_BACK => Some(Capability::VOLUME_WRITE_CACHE_POLICY_UPDATE_WRITE_BACK),
        WriteCachePolicy::AUTO => Some(Capability::VOLUME_WRITE_CACHE_POLICY_UPDATE_AUTO),
        WriteCachePolicy::WRITE_THROUGH => Some(Capability::VOLUME_WRITE_CACHE_POLICY_UPDATE_WRITE_THROUGH),
        _ => None,
    }
}

pub(super) fn restored_files(files: &Option<Vec<String>>) -> Option<Capability> {
    named(files).then_some(Capability::FS_SNAPSHOT_RESTORE_SPECIFIC_FILES)
}

pub(super) fn child_files(files: &Option<Vec<String>>) -> Option<Capability> {
    named(files).then_some(Capability::FS_CHILD_DEPENDENCY_RM_SPECIFIC_FILES)
}

fn named(files: &Option<Vec<String>>) -> bool {
    files.as_ref().is_some_and(|files| !files.is_empty())
}

pub(super) fn custom_path(path: &Option<String>) -> Option<Capability> {
    path.as_ref().map(|_| Capability::EXPORT_CUSTOM_PATH)
}

/// The capabilities that a driver lists in `variants`, each with the methods without which it is void. Those with none tell what the
/// records hold, or that a search is quick.
pub(crate) const VARIANTS: &[(Capability, &[&str])] = &[
    (Capability::VOLUME_REPLICATE_CLONE, &["volume_replicate"]),
    (Capability::VOLUME_REPLICATE_COPY, &["volume_replicate"]),
    (Capability::VOLUME_REPLICATE_MIRROR_SYNC, &["volume_replicate"]),
    (Capability::VOLUME_REPLICATE_MIRROR_ASYNC, &["volume_replicate"]),
    (Capability::VOLUME_COPY_RANGE_CLONE, &["volume_replicate_range"]),
    (Capability::VOLUME_COPY_RANGE_COPY, &["volume_replicate_range"]),
    (Capability::ACCESS_GROUP_CREATE_WWPN, &["access_group_create"]),
    (Capability::ACCESS_GROUP_CREATE_ISCSI_IQN, &["access_group_create"]),
    (Capability::ACCESS_GROUP_INITIATOR_ADD_WWPN, &["access_group_initiator_add"]),
    (Capability::ACCESS_GROUP_INITIATOR_ADD_ISCSI_IQN, &["access_group_initiator_add"]),
    (Capability::VOLUME_THIN, &["volume_create"]),
    (Capability::VOLUME_PHYSICAL_DISK_CACHE_UPDATE_SYSTEM_LEVEL, &["volume_physical_disk_cache_update"]),
    (Capability::VOLUME_WRITE_CACHE_POLICY_UPDATE_WRITE_BACK, &["volume_write_cache_policy_update"]),
    (Capability::VOLUME_WRITE_CACHE_POLICY_UPDATE_AUTO, &["volume_write_cache_policy_update"]),
    (Capability::VOLUME_WRITE_CACHE_POLICY_UPDATE_WRITE_THROUGH, &["volume_write_cache_policy_update"]),
    (Capability::VOLUME_WRITE_CACHE_POLICY_UPDATE_IMPACT_READ, &["volume_write_cache_policy_update"]),
    (Capability::VOLUME_WRITE_CACHE_POLICY_UPDATE_WB_IMPACT_OTHER, &["volume_write_cache_policy_update"]),
    (Capability::VOLUME_READ_CACHE_POLICY_UPDATE_IMPACT_WRITE, &["volume_read_cache_policy_update"]),
    (Capability::FS_SNAPSHOT_RESTORE_SPECIFIC_FILES, &["fs_snapshot_restore"]),
    (Capability::FS_CHILD_DEPENDENCY_RM_SPECIFIC_FILES, &["fs_child_dependency_rm"]),
    (Capability::EXPORT_CUSTOM_PATH, &["export_fs"]),
    (Capability::SYS_READ_CACHE_PCT_GET, &[]),
    (Capability::SYS_FW_VERSION_GET, &[]),
    (Capability::SYS_MODE_GET, &[]),
    (Capability::DISK_LOCATION, &["disks"]),
    (Capability::DISK_RPM, &["disks"]),
    (Capability::DISK_LINK_TYPE, &["disks"]),
    (Capability::DISK_VPD83_GET, &["disks"]),
    (Capability::POOLS_QUICK_SEARCH, &["pools"]),
    (Capability::VOLUMES_QUICK_SEARCH, &["volumes"]),
    (Capability::DISKS_QUICK_SEARCH, &["disks"]),
    (Capability::ACCESS_GROUPS_QUICK_SEARCH, &["access_groups"]),
    (Capability::FS_QUICK_SEARCH, &["fs"]),
    (Capability::NFS_EXPORTS_QUICK_SEARCH, &["exports"]),
    (Capability::TARGET_PORTS_QUICK_SEARCH, &["target_ports"]),
];
