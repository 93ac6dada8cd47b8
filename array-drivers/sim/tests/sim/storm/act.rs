//! The changes of the storm, and how a client makes them.

use sanfleet_driver::{
    AccessGroup, AnonymousId, BlockRange, FileSystem, InitiatorType, NfsExport, Provisioning, ReplicateType,
    Volume,
    client::{ClientError, Session},
};

use crate::bench::{LONG, pool};

#[derive(Debug, Clone)]
pub enum Act {
    CreateVolume(String, u64),
    CloneVolume(String, String),
    GrowVolume(String, u64),
    RenameVolume(String, String),
    DeleteVolume(String),
    /// The first block of one volume to the second of another.
    CopyRange(String, String),
    CreateFs(String, u64),
    CloneFs(String, String),
    DeleteFs(String),
    Snapshot(String, String),
    Export(String, String),
    Unexport(String),
    CreateGroup(String, String),
    DeleteGroup(String),
    AddInitiator(String, String),
    RemoveInitiator(String, String),
    Mask(String, String),
    Unmask(String, String),
}

impl Act {
    pub fn method(&self) -> &'static str {
        match self {
            Self::CreateVolume(..) => "volume_create",
            Self::CloneVolume(..) => "volume_replicate",
            Self::GrowVolume(..) => "volume_resize",
            Self::RenameVolume(..) => "volume_rename",
            Self::DeleteVolume(..) => "volume_delete",
            Self::CopyRange(..) => "volume_replicate_range",
            Self::CreateFs(..) => "fs_create",
            Self::CloneFs(..) => "fs_clone",
            Self::DeleteFs(..) => "fs_delete",
            Self::Snapshot(..) => "fs_snapshot_create",
            Self::Export(..) => "export_fs",
            Self::Unexport(..) => "export_remove",
            Self::CreateGroup(..) => "access_group_create",
            Self::DeleteGroup(..) => "access_group_delete",
            Self::AddInitiator(..) => "access_group_initiator_add",
            Self::RemoveInitiator(..) => "access_group_initiator_delete",
            Self::Mask(..) => "volume_mask",
            Self::Unmask(..) => "volume_unmask",
        }
    }

    /// Without a job there is none that fails or gets lost.
    pub fn is_job(&self) -> bool {
        self.takes_space()
            || matches!(self, Self::DeleteVolume(..) | Self::DeleteFs(..) | Self::CopyRange(..))
    }

    /// Refused when the array is full.
    pub fn takes_space(&self) -> bool {
        matches!(
            self,
            Self::CreateVolume(..)
                | Self::CloneVolume(..)
                | Self::GrowVolume(..)
                | Self::CreateFs(..)
                | Self::CloneFs(..)
                | Self::Snapshot(..)
        )
    }

    pub async fn carry_out(&self, session: &mut Session) -> Result<(), ClientError> {
        match self {
            Self::CreateVolume(name, size) => {
                let pool = pool(session).await;
                let work = session.volume_create(&pool, name, *size, Provisioning::DEFAULT).await?;
                session.finish(work, LONG).await.map(drop)
            }
            Self::CloneVolume(source, name) => {
                let source = volume_named(session, source).await;
                let work = session.volume_replicate(None, ReplicateType::CLONE, &source, name).await?;
                session.finish(work, LONG).await.map(drop)
            }
            Self::GrowVolume(name, size) => {
                let volume = volume_named(session, name).await;
                let work = session.volume_resize(&volume, *size).await?;
                session.finish(work, LONG).await.map(drop)
            }
            Self::RenameVolume(old, new) => {
                let volume = volume_named(session, old).await;
                session.volume_rename(&volume, new).await.map(drop)
            }
            Self::DeleteVolume(name) => {
                let volume = volume_named(session, name).await;
                let work = session.volume_delete(&volume).await?;
                session.finish(work, LONG).await
            }
            Self::CopyRange(source, target) => {
                let source = volume_named(session, source).await;
                let target = volume_named(session, target).await;
                let ranges = [BlockRange { src_block: 0, dest_block: 1, block_count: 1 }];
                let work =
                    session.volume_replicate_range(ReplicateType::COPY, &source, &target, &ranges).await?;
                session.finish(work, LONG).await
            }
            Self::CreateFs(name, size) => {
                let pool = pool(session).await;
                let work = session.fs_create(&pool, name, *size).await?;
                session.finish(work, LONG).await.map(drop)
            }
            Self::CloneFs(source, name) => {
                let source = fs_named(session, source).await;
                let work = session.fs_clone(&source, name, None).await?;
                session.finish(work, LONG).await.map(drop)
            }
            Self::DeleteFs(name) => {
                let fs = fs_named(session, name).await;
                let work = session.fs_delete(&fs).await?;
                session.finish(work, LONG).await
            }
            Self::Snapshot(fs, name) => {
                let fs = fs_named(session, fs).await;
                let work = session.fs_snapshot_create(&fs, name).await?;
                session.finish(work, LONG).await.map(drop)
            }
            Self::Export(fs, path) => {
                let fs = fs_named(session, fs).await;
                let (hosts, nobody) = (["host".to_owned()], AnonymousId::NOT_AVAILABLE);
                let export =
                    session.export_fs(&fs.id, Some(path), &[], &hosts, &[], nobody, nobody, None, None);
                export.await.map(drop)
            }
            Self::Unexport(path) => {
                let export = export_at(session, path).await;
                session.export_remove(&export).await
            }
            Self::CreateGroup(name, initiator) => {
                let system = session.systems().await?.remove(0);
                session.access_group_create(name, initiator, InitiatorType::ISCSI, &system).await.map(drop)
            }
            Self::DeleteGroup(name) => {
                let group = group_named(session, name).await;
                session.access_group_delete(&group).await
            }
            Self::AddInitiator(name, initiator) => {
                let group = group_named(session, name).await;
                let added = session.access_group_initiator_add(&group, initiator, InitiatorType::ISCSI);
                added.await.map(drop)
            }
            Self::RemoveInitiator(name, initiator) => {
                let group = group_named(session, name).await;
                let removed = session.access_group_initiator_delete(&group, initiator, InitiatorType::ISCSI);
                removed.await.map(drop)
            }
            Self::Mask(group, volume) => {
                let (group, volume) =
                    (group_named(session, group).await, volume_named(session, volume).await);
                session.volume_mask(&group, &volume).await
            }
            Self::Unmask(group, volume) => {
                let (group, volume) =
                    (group_named(session, group).await, volume_named(session, volume).await);
                session.volume_unmask(&group, &volume).await
            }
        }
    }
}

/// Looks until the record is listed: a list may lag behind.
macro_rules! named {
    ($($named:ident, $record:ty, $list:ident($($all:expr)?), $name:ident;)*) => {
        $(async fn $named(session: &mut Session, name: &str) -> $record {
            let bound = tokio::time::Instant::now() + LONG;
            loop {
                let listed = session.$list($($all)?).await.unwrap();
                if let Some(found) = listed.into_iter().find(|record| record.$name == name) {
                    return found;
                }
                assert!(tokio::time::Instant::now() < bound, "{name} is not listed");
            }
        })*
    };
}

named! {
    volume_named, Volume, volumes(None), name;
    fs_named, FileSystem, fs(None), name;
    group_named, AccessGroup, access_groups(None), name;
    export_at, NfsExport, exports(None), export_path;
}
