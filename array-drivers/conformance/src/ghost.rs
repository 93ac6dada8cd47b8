//! Records of things that are on no array.

use sanfleet_driver::{
    AccessGroup, AccessGroupId, AdminState, AnonymousId, Disk, DiskId, DiskStatus, DiskType, ElementType,
    FileSystem, FileSystemId, InitiatorType, LinkType, NfsExport, NfsExportId, Pool, PoolId, PoolStatus, Rpm,
    Snapshot, SnapshotId, System, SystemId, SystemMode, SystemStatus, UnsupportedActions, Volume, VolumeKey,
};

/// An id that no array gives out.
pub const ID: &str = "conformance-nothing";

pub fn system() -> System {
    System {
        id: SystemId::new(ID),
        name: ID.into(),
        status: SystemStatus::OK,
        status_info: String::new(),
        plugin_data: None,
        fw_version: String::new(),
        mode: SystemMode::NO_SUPPORT,
        read_cache_pct: -2,
    }
}

pub fn pool(system: &System) -> Pool {
    Pool {
        id: PoolId::new(ID),
        name: ID.into(),
        element_type: ElementType::VOLUME | ElementType::FILE_SYSTEM,
        unsupported_actions: UnsupportedActions::NONE,
        total_space: Some(1 << 40),
        free_space: Some(1 << 40),
        status: PoolStatus::OK,
        status_info: String::new(),
        system_id: system.id.clone(),
        plugin_data: None,
    }
}

pub fn volume(system: &System) -> Volume {
    Volume {
        id: VolumeKey::new(ID),
        name: ID.into(),
        vpd83: "600140500000000000000000deadbeef".into(),
        block_size: Some(512),
        num_of_blocks: Some(2048),
        admin_state: AdminState::ENABLED,
        system_id: system.id.clone(),
        pool_id: PoolId::new(ID),
        plugin_data: None,
    }
}

pub fn group(system: &System) -> AccessGroup {
    AccessGroup {
        id: AccessGroupId::new(ID),
        name: ID.into(),
        init_ids: vec!["iqn.2026-01.example.conformance:nothing".into()],
        init_type: InitiatorType::ISCSI,
        system_id: system.id.clone(),
        plugin_data: None,
    }
}

pub fn disk(system: &System) -> Disk {
    Disk {
        id: DiskId::new(ID),
        name: ID.into(),
        disk_type: DiskType::SSD,
        block_size: Some(512),
        num_of_blocks: Some(2048),
        status: DiskStatus::FREE,
        system_id: system.id.clone(),
        plugin_data: None,
        vpd83: String::new(),
        location: String::new(),
        rpm: Rpm::NON_ROTATING,
        link_type: LinkType::SAS,
    }
}

pub fn file_system(system: &System) -> FileSystem {
    FileSystem {
        id: FileSystemId::new(ID),
        name: ID.into(),
        total_space: Some(1 << 20),
        free_space: Some(1 << 20),
        pool_id: PoolId::new(ID),
        system_id: system.id.clone(),
        plugin_data: None,
    }
}

pub fn snapshot() -> Snapshot {
    Snapshot { id: SnapshotId::new(ID), name: ID.into(), ts: 0, plugin_data: None }
}

pub fn export() -> NfsExport {
    NfsExport {
        id: NfsExportId::new(ID),
        fs_id: FileSystemId::new(ID),
        export_path: "/conformance-nothing".into(),
        auth: None,
        root: Vec::new(),
        rw: Vec::new(),
        ro: Vec::new(),
        anonuid: AnonymousId::NOT_AVAILABLE,
        anongid: AnonymousId::NOT_AVAILABLE,
        options: None,
        plugin_data: None,
    }
}
