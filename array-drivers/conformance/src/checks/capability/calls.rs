//! Every call of the protocol, with what it needs and with arguments that name nothing on any array.

use sanfleet_driver::{Capability, ReplicateType, System};
use serde_json::{Value, json};

use crate::ghost;

/// A call that can be made on any array: at worst it is refused.
pub struct Call {
    pub method: &'static str,
    /// All of these must be claimed.
    pub needs: Vec<Capability>,
    pub params: Value,
    /// The error numbers that say what is not there; none where the protocol asks for none.
    pub missing: Vec<i64>,
}

impl Call {
    /// The method, with the argument that decides about the capability.
    pub fn label(&self) -> String {
        let deciding =
            ["rep_type", "init_type", "wcp"].into_iter().find_map(|key| Some((key, self.params.get(key)?)));
        match deciding {
            Some((key, value)) => format!("{} with {key} {value}", self.method),
            None => self.method.to_owned(),
        }
    }
}

/// The kind of a thing, and the thing.
pub const KINDS: &[(Capability, Capability)] = &[
    (Capability::VOLUME_REPLICATE_CLONE, Capability::VOLUME_REPLICATE),
    (Capability::VOLUME_REPLICATE_COPY, Capability::VOLUME_REPLICATE),
    (Capability::VOLUME_REPLICATE_MIRROR_SYNC, Capability::VOLUME_REPLICATE),
    (Capability::VOLUME_REPLICATE_MIRROR_ASYNC, Capability::VOLUME_REPLICATE),
    (Capability::VOLUME_COPY_RANGE_CLONE, Capability::VOLUME_COPY_RANGE),
    (Capability::VOLUME_COPY_RANGE_COPY, Capability::VOLUME_COPY_RANGE),
    (Capability::VOLUME_COPY_RANGE, Capability::VOLUME_COPY_RANGE_BLOCK_SIZE),
    (Capability::VOLUME_THIN, Capability::VOLUME_CREATE),
    (Capability::VOLUME_CREATE, Capability::VOLUMES),
    (Capability::VOLUME_DELETE, Capability::VOLUMES),
    (Capability::VOLUME_MASK, Capability::VOLUMES),
    (Capability::VOLUME_MASK, Capability::ACCESS_GROUPS),
    (Capability::ACCESS_GROUP_CREATE_WWPN, Capability::ACCESS_GROUPS),
    (Capability::ACCESS_GROUP_CREATE_ISCSI_IQN, Capability::ACCESS_GROUPS),
    (Capability::FS_CREATE, Capability::FS),
    (Capability::FS_SNAPSHOT_CREATE, Capability::FS_SNAPSHOTS),
    (Capability::FS_SNAPSHOT_RESTORE_SPECIFIC_FILES, Capability::FS_SNAPSHOT_RESTORE),
    (Capability::FS_CHILD_DEPENDENCY_RM_SPECIFIC_FILES, Capability::FS_CHILD_DEPENDENCY_RM),
    (Capability::EXPORT_FS, Capability::EXPORTS),
    (Capability::EXPORT_CUSTOM_PATH, Capability::EXPORT_FS),
    (
        Capability::VOLUME_PHYSICAL_DISK_CACHE_UPDATE_SYSTEM_LEVEL,
        Capability::VOLUME_PHYSICAL_DISK_CACHE_UPDATE,
    ),
    (Capability::VOLUME_READ_CACHE_POLICY_UPDATE_IMPACT_WRITE, Capability::VOLUME_READ_CACHE_POLICY_UPDATE),
    (Capability::DISK_LOCATION, Capability::DISKS),
    (Capability::DISK_RPM, Capability::DISKS),
    (Capability::DISK_LINK_TYPE, Capability::DISKS),
    (Capability::DISK_VPD83_GET, Capability::DISKS),
    (Capability::VOLUMES_QUICK_SEARCH, Capability::VOLUMES),
    (Capability::DISKS_QUICK_SEARCH, Capability::DISKS),
    (Capability::ACCESS_GROUPS_QUICK_SEARCH, Capability::ACCESS_GROUPS),
    (Capability::FS_QUICK_SEARCH, Capability::FS),
    (Capability::NFS_EXPORTS_QUICK_SEARCH, Capability::EXPORTS),
    (Capability::TARGET_PORTS_QUICK_SEARCH, Capability::TARGET_PORTS),
];

/// `method needs [capabilities] { parameters } missing [numbers]`.
macro_rules! calls {
    ($($method:ident needs [$($need:ident),*] $params:tt missing [$($number:literal),*];)*) => {
        vec![$(Call {
            method: stringify!($method),
            needs: vec![$(Capability::$need),*],
            params: json!($params),
            missing: vec![$($number),*],
        }),*]
    };
}

pub fn lists() -> Vec<Call> {
    calls! {
        pools needs [] {"search_key": null, "search_value": null} missing [];
        volumes needs [VOLUMES] {"search_key": null, "search_value": null} missing [];
        disks needs [DISKS] {"search_key": null, "search_value": null} missing [];
        target_ports needs [TARGET_PORTS] {"search_key": null, "search_value": null} missing [];
        batteries needs [BATTERIES] {"search_key": null, "search_value": null} missing [];
        access_groups needs [ACCESS_GROUPS] {"search_key": null, "search_value": null} missing [];
        fs needs [FS] {"search_key": null, "search_value": null} missing [];
        exports needs [EXPORTS] {"search_key": null, "search_value": null} missing [];
        export_auth needs [EXPORT_AUTH] {} missing [];
    }
}

/// Calls on things of a system that is there, none of which are.
pub fn on_nothing(system: &System) -> Vec<Call> {
    [volumes(system), access(system), layout(system), file_systems(system)].into_iter().flatten().collect()
}

fn volumes(system: &System) -> Vec<Call> {
    let (volume, pool, name, size) = (ghost::volume(system), ghost::pool(system), ghost::ID, 1 << 20);
    let range = [json!({"class": "BlockRange", "src_block": 0, "dest_block": 8, "block_count": 8})];
    let [clone, copy, sync, later] =
        [ReplicateType::CLONE, ReplicateType::COPY, ReplicateType::MIRROR_SYNC, ReplicateType::MIRROR_ASYNC];
    calls! {
        volume_create needs [VOLUME_CREATE]
            {"pool": pool, "volume_name": name, "size_bytes": size, "provisioning": 3} missing [203];
        volume_delete needs [VOLUME_DELETE] {"volume": volume} missing [205];
        volume_resize needs [VOLUME_RESIZE] {"volume": volume, "new_size_bytes": size * 2} missing [205];
        volume_replicate needs [VOLUME_REPLICATE, VOLUME_REPLICATE_CLONE]
            {"pool": null, "rep_type": clone, "volume_src": volume, "name": name} missing [205];
        volume_replicate needs [VOLUME_REPLICATE, VOLUME_REPLICATE_COPY]
            {"pool": null, "rep_type": copy, "volume_src": volume, "name": name} missing [205];
        volume_replicate needs [VOLUME_REPLICATE, VOLUME_REPLICATE_MIRROR_SYNC]
            {"pool": null, "rep_type": sync, "volume_src": volume, "name": name} missing [205];
        volume_replicate needs [VOLUME_REPLICATE, VOLUME_REPLICATE_MIRROR_ASYNC]
            {"pool": null, "rep_type": later, "volume_src": volume, "name": name} missing [205];
        volume_replicate_range needs [VOLUME_COPY_RANGE, VOLUME_COPY_RANGE_CLONE]
            {"rep_type": clone, "volume_src": volume, "volume_dest": volume, "ranges": range} missing [205];
        volume_replicate_range needs [VOLUME_COPY_RANGE, VOLUME_COPY_RANGE_COPY]
            {"rep_type": copy, "volume_src": volume, "volume_dest": volume, "ranges": range} missing [205];
        volume_enable needs [VOLUME_ENABLE] {"volume": volume} missing [205];
        volume_disable needs [VOLUME_DISABLE] {"volume": volume} missing [205];
        volume_child_dependency needs [VOLUME_CHILD_DEPENDENCY] {"volume": volume} missing [205];
        volume_child_dependency_rm needs [VOLUME_CHILD_DEPENDENCY_RM] {"volume": volume} missing [205];
    }
}

fn access(system: &System) -> Vec<Call> {
    let (volume, group, nowhere) = (ghost::volume(system), ghost::group(system), ghost::system());
    let (iqn, wwpn, name) = ("iqn.2026-01.example.conformance:none", "20:00:02:5a:00:00:00:00", ghost::ID);
    calls! {
        access_group_create needs [ACCESS_GROUP_CREATE_ISCSI_IQN]
            {"name": name, "init_id": iqn, "init_type": 5, "system": nowhere} missing [208];
        access_group_create needs [ACCESS_GROUP_CREATE_WWPN]
            {"name": name, "init_id": wwpn, "init_type": 2, "system": nowhere} missing [208];
        access_group_delete needs [ACCESS_GROUP_DELETE] {"access_group": group} missing [200];
        access_group_initiator_add needs [ACCESS_GROUP_INITIATOR_ADD_ISCSI_IQN]
            {"access_group": group, "init_id": iqn, "init_type": 5} missing [200];
        access_group_initiator_add needs [ACCESS_GROUP_INITIATOR_ADD_WWPN]
            {"access_group": group, "init_id": wwpn, "init_type": 2} missing [200];
        access_group_initiator_delete needs [ACCESS_GROUP_INITIATOR_DELETE]
            {"access_group": group, "init_id": iqn, "init_type": 5} missing [200];
        volume_mask needs [VOLUME_MASK] {"access_group": group, "volume": volume} missing [200, 205];
        volume_unmask needs [VOLUME_UNMASK] {"access_group": group, "volume": volume} missing [200, 205];
        volumes_accessible_by_access_group needs [VOLUMES_ACCESSIBLE_BY_ACCESS_GROUP]
            {"access_group": group} missing [200];
        access_groups_granted_to_volume needs [ACCESS_GROUPS_GRANTED_TO_VOLUME] {"volume": volume} missing [205];
        iscsi_chap_auth needs [VOLUME_ISCSI_CHAP_AUTHENTICATION]
            {"init_id": iqn, "in_user": null, "in_password": null, "out_user": null, "out_password": null} missing [];
    }
}

fn layout(system: &System) -> Vec<Call> {
    let (volume, pool, nowhere) = (ghost::volume(system), ghost::pool(system), ghost::system());
    let (disks, name) = ([ghost::disk(system), ghost::disk(system)], ghost::ID);
    calls! {
        volume_replicate_range_block_size needs [VOLUME_COPY_RANGE_BLOCK_SIZE] {"system": nowhere} missing [208];
        volume_raid_info needs [VOLUME_RAID_INFO] {"volume": volume} missing [205];
        pool_member_info needs [POOL_MEMBER_INFO] {"pool": pool} missing [203];
        volume_raid_create_cap_get needs [VOLUME_RAID_CREATE] {"system": nowhere} missing [208];
        volume_raid_create needs [VOLUME_RAID_CREATE]
            {"name": name, "raid_type": 1, "disks": disks, "strip_size": 0} missing [209, 101];
        volume_ident_led_on needs [VOLUME_LED] {"volume": volume} missing [205];
        volume_ident_led_off needs [VOLUME_LED] {"volume": volume} missing [205];
        volume_cache_info needs [VOLUME_CACHE_INFO] {"volume": volume} missing [205];
        volume_physical_disk_cache_update needs [VOLUME_PHYSICAL_DISK_CACHE_UPDATE]
            {"volume": volume, "pdc": 2} missing [205];
        volume_write_cache_policy_update needs [VOLUME_WRITE_CACHE_POLICY_UPDATE_WRITE_BACK]
            {"volume": volume, "wcp": 2} missing [205];
        volume_write_cache_policy_update needs [VOLUME_WRITE_CACHE_POLICY_UPDATE_AUTO]
            {"volume": volume, "wcp": 3} missing [205];
        volume_write_cache_policy_update needs [VOLUME_WRITE_CACHE_POLICY_UPDATE_WRITE_THROUGH]
            {"volume": volume, "wcp": 4} missing [205];
        volume_read_cache_policy_update needs [VOLUME_READ_CACHE_POLICY_UPDATE]
            {"volume": volume, "rcp": 2} missing [205];
        system_read_cache_pct_update needs [SYS_READ_CACHE_PCT_UPDATE] {"system": nowhere, "read_pct": 50} missing [208];
    }
}

fn file_systems(system: &System) -> Vec<Call> {
    let (fs, pool, snapshot, export) =
        (ghost::file_system(system), ghost::pool(system), ghost::snapshot(), ghost::export());
    let (name, size) = (ghost::ID, 1 << 20);
    calls! {
        fs_create needs [FS_CREATE] {"pool": pool, "name": name, "size_bytes": size} missing [203];
        fs_delete needs [FS_DELETE] {"fs": fs} missing [201];
        fs_resize needs [FS_RESIZE] {"fs": fs, "new_size_bytes": size} missing [201];
        fs_clone needs [FS_CLONE] {"src_fs": fs, "dest_fs_name": name, "snapshot": null} missing [201];
        fs_file_clone needs [FILE_CLONE]
            {"fs": fs, "src_file_name": "a", "dest_file_name": "b", "snapshot": null} missing [201];
        fs_snapshots needs [FS_SNAPSHOTS] {"fs": fs} missing [201];
        fs_snapshot_create needs [FS_SNAPSHOT_CREATE] {"fs": fs, "snapshot_name": name} missing [201];
        fs_snapshot_delete needs [FS_SNAPSHOT_DELETE] {"fs": fs, "snapshot": snapshot} missing [201, 204];
        fs_snapshot_restore needs [FS_SNAPSHOT_RESTORE]
            {"fs": fs, "snapshot": snapshot, "files": null, "restore_files": null, "all_files": true} missing [201, 204];
        fs_child_dependency needs [FS_CHILD_DEPENDENCY] {"fs": fs, "files": null} missing [201];
        fs_child_dependency_rm needs [FS_CHILD_DEPENDENCY_RM] {"fs": fs, "files": null} missing [201];
        export_fs needs [EXPORT_FS]
            {"fs_id": name, "export_path": null, "root_list": [], "rw_list": ["192.0.2.77"], "ro_list": [],
             "anon_uid": -1, "anon_gid": -1, "auth_type": null, "options": null} missing [201];
        export_remove needs [EXPORT_REMOVE] {"export": export} missing [206];
    }
}
