//! The array behind the driver trait: which call goes where.

use std::time::Duration;

use sanfleet_driver::{
    AccessGroup, AnonymousId, ArrayDriver, Capability, FileSystem, FileSystemId, InitiatorType, JobId, JobOr,
    LsmError, Mapping, NfsExport, Page, PluginInfo, Pool, Provisioning, ReplicateType, Search, Snapshot,
    System, TargetPort, Volume, array_driver,
};

use crate::{
    DESCRIPTION,
    array::{Array, WantedExport},
    options::Options,
    probe,
};

/// One session with an appliance.
#[derive(Debug, Default)]
pub struct NexentaStorDriver {
    /// Nothing before the session is registered.
    array: Option<Array>,
}

type Answer<T> = Result<T, LsmError>;

impl NexentaStorDriver {
    fn ask<T>(&mut self, question: impl FnOnce(&mut Array) -> Answer<T>) -> Answer<T> {
        let Some(array) = &mut self.array else { return Err(LsmError::no_support()) };
        array.begin();
        question(array)
    }
}

#[array_driver]
impl ArrayDriver for NexentaStorDriver {
    fn plugin_info(&self) -> PluginInfo {
        PluginInfo { description: DESCRIPTION.into(), version: env!("CARGO_PKG_VERSION").into() }
    }

    fn plugin_register(&mut self, uri: &str, password: Option<&str>, timeout: Duration) -> Answer<()> {
        let options = Options::from_uri(uri)?;
        let (appliance, address) = probe::find(&options, password.unwrap_or_default(), timeout)?;
        self.array = Some(Array::open(appliance, &address, timeout)?);
        Ok(())
    }

    fn plugin_unregister(&mut self) -> Answer<()> {
        self.array = None;
        Ok(())
    }

    fn variants(&self) -> &[Capability] {
        &[
            Capability::VOLUME_THIN,
            Capability::VOLUME_REPLICATE_CLONE,
            Capability::ACCESS_GROUP_CREATE_ISCSI_IQN,
            Capability::ACCESS_GROUP_INITIATOR_ADD_ISCSI_IQN,
        ]
    }

    fn lacks(&self) -> &[Capability] {
        self.array.as_ref().map_or(&[], Array::lacks)
    }

    fn time_out_set(&mut self, timeout: Duration) -> Answer<()> {
        self.ask(|array| {
            array.timeout = timeout;
            Ok(())
        })
    }

    fn time_out_get(&mut self) -> Answer<Duration> {
        self.ask(|array| Ok(array.timeout))
    }

    fn systems(&mut self) -> Answer<Vec<System>> {
        self.ask(|array| Ok(vec![array.system()?]))
    }

    fn pools(&mut self, _search: Option<&Search>) -> Answer<Vec<Pool>> {
        self.ask(Array::pools)
    }

    // Volumes.

    fn volumes(&mut self, _search: Option<&Search>) -> Answer<Vec<Volume>> {
        self.ask(Array::volumes)
    }

    fn volume_create(
        &mut self,
        pool: &Pool,
        name: &str,
        size_bytes: u64,
        provisioning: Provisioning,
    ) -> Answer<JobOr<Volume>> {
        self.ask(|array| array.volume_create(&pool.id, name, size_bytes, provisioning)).map(JobOr::Done)
    }

    fn volume_delete(&mut self, volume: &Volume) -> Answer<Option<JobId>> {
        self.ask(|array| array.volume_delete(&volume.id)).map(|()| None)
    }

    fn volume_resize(&mut self, volume: &Volume, new_size_bytes: u64) -> Answer<JobOr<Volume>> {
        self.ask(|array| array.volume_resize(&volume.id, new_size_bytes)).map(JobOr::Done)
    }

    fn volume_replicate(
        &mut self,
        pool: Option<&Pool>,
        kind: ReplicateType,
        source: &Volume,
        name: &str,
    ) -> Answer<JobOr<Volume>> {
        if kind != ReplicateType::CLONE {
            return Err(LsmError::no_support());
        }
        self.ask(|array| array.volume_clone(pool.map(|pool| &pool.id), &source.id, name)).map(JobOr::Done)
    }

    fn volume_child_dependency(&mut self, volume: &Volume) -> Answer<bool> {
        self.ask(|array| array.volume_has_children(&volume.id))
    }

    fn volume_child_dependency_rm(&mut self, volume: &Volume) -> Answer<Option<JobId>> {
        self.ask(|array| array.volume_free_children(&volume.id)).map(|()| None)
    }

    fn volume_ids(&mut self, volume: &Volume) -> Answer<Vec<String>> {
        self.ask(|array| array.volume_ids(&volume.id))
    }

    // Who sees them.

    fn access_groups(&mut self, _search: Option<&Search>) -> Answer<Vec<AccessGroup>> {
        self.ask(Array::access_groups)
    }

    fn access_group_create(
        &mut self,
        name: &str,
        initiator: &str,
        kind: InitiatorType,
        system: &System,
    ) -> Answer<AccessGroup> {
        self.ask(|array| array.access_group_create(name, initiator, kind, &system.id))
    }

    fn access_group_delete(&mut self, group: &AccessGroup) -> Answer<()> {
        self.ask(|array| array.access_group_delete(&group.id))
    }

    fn access_group_initiator_add(
        &mut self,
        group: &AccessGroup,
        initiator: &str,
        kind: InitiatorType,
    ) -> Answer<AccessGroup> {
        self.ask(|array| array.initiator_add(&group.id, initiator, kind))
    }

    fn access_group_initiator_delete(
        &mut self,
        group: &AccessGroup,
        initiator: &str,
        kind: InitiatorType,
    ) -> Answer<AccessGroup> {
        self.ask(|array| array.initiator_delete(&group.id, initiator, kind))
    }

    fn volume_mask(&mut self, group: &AccessGroup, volume: &Volume) -> Answer<()> {
        self.ask(|array| array.volume_mask(&group.id, &volume.id))
    }

    fn volume_unmask(&mut self, group: &AccessGroup, volume: &Volume) -> Answer<()> {
        self.ask(|array| array.volume_unmask(&group.id, &volume.id))
    }

    fn volumes_accessible_by_access_group(&mut self, group: &AccessGroup) -> Answer<Vec<Volume>> {
        self.ask(|array| array.volumes_of(&group.id))
    }

    fn access_groups_granted_to_volume(&mut self, volume: &Volume) -> Answer<Vec<AccessGroup>> {
        self.ask(|array| array.groups_of(&volume.id))
    }

    fn volume_mappings(&mut self, volume: &Volume) -> Answer<Vec<Mapping>> {
        self.ask(|array| array.volume_mappings(&volume.id))
    }

    fn mappings_page(&mut self, cursor: Option<&str>, limit: u32) -> Answer<Page<Mapping>> {
        self.ask(|array| array.mappings_page(cursor, limit))
    }

    fn target_ports(&mut self, _search: Option<&Search>) -> Answer<Vec<TargetPort>> {
        self.ask(Array::target_ports)
    }

    // File systems.

    fn fs(&mut self, _search: Option<&Search>) -> Answer<Vec<FileSystem>> {
        self.ask(Array::file_systems)
    }

    fn fs_create(&mut self, pool: &Pool, name: &str, size_bytes: u64) -> Answer<JobOr<FileSystem>> {
        self.ask(|array| array.fs_create(&pool.id, name, size_bytes)).map(JobOr::Done)
    }

    fn fs_delete(&mut self, fs: &FileSystem) -> Answer<Option<JobId>> {
        self.ask(|array| array.fs_delete(&fs.id)).map(|()| None)
    }

    fn fs_resize(&mut self, fs: &FileSystem, new_size_bytes: u64) -> Answer<JobOr<FileSystem>> {
        self.ask(|array| array.fs_resize(&fs.id, new_size_bytes)).map(JobOr::Done)
    }

    fn fs_clone(
        &mut self,
        source: &FileSystem,
        name: &str,
        snapshot: Option<&Snapshot>,
    ) -> Answer<JobOr<FileSystem>> {
        let snapshot = snapshot.map(|snapshot| &snapshot.id);
        self.ask(|array| array.fs_clone(&source.id, name, snapshot)).map(JobOr::Done)
    }

    fn fs_child_dependency(&mut self, fs: &FileSystem, _files: &[String]) -> Answer<bool> {
        self.ask(|array| array.fs_has_children(&fs.id))
    }

    fn fs_child_dependency_rm(&mut self, fs: &FileSystem, _files: &[String]) -> Answer<Option<JobId>> {
        self.ask(|array| array.fs_free_children(&fs.id)).map(|()| None)
    }

    fn fs_snapshots(&mut self, fs: &FileSystem) -> Answer<Vec<Snapshot>> {
        self.ask(|array| array.snapshots(&fs.id))
    }

    fn fs_snapshot_create(&mut self, fs: &FileSystem, name: &str) -> Answer<JobOr<Snapshot>> {
        self.ask(|array| array.snapshot_create(&fs.id, name)).map(JobOr::Done)
    }

    fn fs_snapshot_delete(&mut self, fs: &FileSystem, snapshot: &Snapshot) -> Answer<Option<JobId>> {
        self.ask(|array| array.snapshot_delete(&fs.id, &snapshot.id)).map(|()| None)
    }

    fn fs_snapshot_restore(
        &mut self,
        fs: &FileSystem,
        snapshot: &Snapshot,
        _files: &[String],
        _restore_files: &[String],
        all_files: bool,
    ) -> Answer<Option<JobId>> {
        if !all_files {
            return Err(LsmError::no_support());
        }
        self.ask(|array| array.snapshot_restore(&fs.id, &snapshot.id)).map(|()| None)
    }

    // Exports.

    fn export_auth(&mut self) -> Answer<Vec<String>> {
        self.ask(Array::export_auth)
    }

    fn exports(&mut self, _search: Option<&Search>) -> Answer<Vec<NfsExport>> {
        self.ask(Array::exports)
    }

    fn export_fs(
        &mut self,
        fs: &FileSystemId,
        path: Option<&str>,
        root: &[String],
        rw: &[String],
        ro: &[String],
        anon_uid: AnonymousId,
        anon_gid: AnonymousId,
        auth: Option<&str>,
        options: Option<&str>,
    ) -> Answer<NfsExport> {
        if path.is_some() {
            return Err(LsmError::no_support());
        }
        let wanted = WantedExport { root, rw, ro, anon_uid, anon_gid, auth, options };
        self.ask(|array| array.export_fs(fs, &wanted))
    }

    fn export_remove(&mut self, export: &NfsExport) -> Answer<()> {
        self.ask(|array| array.export_remove(&export.id))
    }
}
