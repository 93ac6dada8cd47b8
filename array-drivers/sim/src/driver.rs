//! The array behind the driver trait: which call goes where.

use std::{
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use sanfleet_driver::{
    AccessGroup, AnonymousId, ArrayDriver, Battery, BlockRange, CacheInfo, Capability, Changes, Disk,
    FileSystem, FileSystemId, InitiatorType, JobFailure, JobId, JobOr, JobStatus, LsmError, Mapping,
    NfsExport, Page, PhysicalDiskCache, PluginInfo, Pool, PoolMemberInfo, Provisioning,
    RaidCreateCapabilities, RaidInfo, RaidType, ReadCache, ReplicateType, Replication, Search, Snapshot,
    System, TargetPort, Volume, VolumeDetail, WriteCachePolicy, array_driver,
};

use crate::{
    DESCRIPTION,
    array::{Array, Hosts, LaggingList, Login, Violation, WantedExport},
    error::{Result as SimResult, SimError},
    faults::Faults,
    options::Options,
    private::PrivateFolder,
    profile::Profile,
};

mod trouble;

/// One session with the simulated array.
#[derive(Debug, Default)]
pub struct SimDriver {
    /// Nothing before the session is registered.
    array: Option<Array>,
    faults: Faults,
    profile: Profile,
    /// How far all lists lag behind.
    profile_lag: Duration,
    /// How far the list lags behind that is being asked for.
    lag: Duration,
    delivery: Delivery,
    /// The folder of an array that goes with its session.
    private: Option<PrivateFolder>,
}

use trouble::Delivery;

type Answer<T> = Result<T, LsmError>;

impl SimDriver {
    fn open(&mut self, mut options: Options, timeout: Duration) -> SimResult<()> {
        if options.private {
            let parent = std::env::temp_dir();
            let folder = PrivateFolder::make(&parent).map_err(SimError::file("make a folder in", parent))?;
            options.state_file = folder.path().join("state.db");
            options.data = folder.path().join("data");
            self.private = Some(folder);
        }
        self.array = Some(Array::open(&options, timeout)?);
        self.faults = Faults::new(options.faults, &options.state_file);
        (self.profile, self.profile_lag) = (options.profile, options.lag);
        Ok(())
    }

    fn ask<T>(&mut self, question: impl FnOnce(&mut Array) -> SimResult<T>) -> Answer<T> {
        let Some(array) = &mut self.array else { return Err(LsmError::no_support()) };
        question(array).map_err(LsmError::from)
    }
}

/// The rules that the array of this URI breaks, as it was left: nothing is repaired. None of an array at rest, unless a process died
/// in a change and nobody has opened the array since.
pub fn check(uri: &str) -> Result<Vec<Violation>, LsmError> {
    let options = Options::from_uri(uri, |name| std::env::var_os(name).map(PathBuf::from))?;
    let array = Array::open_as_left(&options, Duration::from_secs(30)).map_err(LsmError::from)?;
    array.check().map_err(LsmError::from)
}

#[array_driver]
impl ArrayDriver for SimDriver {
    fn plugin_info(&self) -> PluginInfo {
        PluginInfo { description: DESCRIPTION.into(), version: env!("CARGO_PKG_VERSION").into() }
    }

    fn plugin_register(&mut self, uri: &str, _password: Option<&str>, timeout: Duration) -> Answer<()> {
        let options = Options::from_uri(uri, |name| std::env::var_os(name).map(PathBuf::from))?;
        self.open(options, timeout)?;
        // Only now is it known what is to befall this call.
        self.befall("plugin_register").inspect_err(|_| self.array = None)
    }

    fn plugin_unregister(&mut self) -> Answer<()> {
        self.array = None;
        self.private = None;
        Ok(())
    }

    fn variants(&self) -> &[Capability] {
        &[
            Capability::VOLUME_THIN,
            Capability::VOLUME_REPLICATE_CLONE,
            Capability::VOLUME_REPLICATE_COPY,
            Capability::VOLUME_REPLICATE_MIRROR_SYNC,
            Capability::VOLUME_REPLICATE_MIRROR_ASYNC,
            Capability::VOLUME_COPY_RANGE_CLONE,
            Capability::VOLUME_COPY_RANGE_COPY,
            Capability::ACCESS_GROUP_CREATE_WWPN,
            Capability::ACCESS_GROUP_CREATE_ISCSI_IQN,
            Capability::ACCESS_GROUP_INITIATOR_ADD_WWPN,
            Capability::ACCESS_GROUP_INITIATOR_ADD_ISCSI_IQN,
            Capability::FS_SNAPSHOT_RESTORE_SPECIFIC_FILES,
            Capability::FS_CHILD_DEPENDENCY_RM_SPECIFIC_FILES,
            Capability::EXPORT_CUSTOM_PATH,
            Capability::VOLUME_WRITE_CACHE_POLICY_UPDATE_WRITE_BACK,
            Capability::VOLUME_WRITE_CACHE_POLICY_UPDATE_AUTO,
            Capability::VOLUME_WRITE_CACHE_POLICY_UPDATE_WRITE_THROUGH,
            Capability::SYS_READ_CACHE_PCT_GET,
            Capability::SYS_FW_VERSION_GET,
            Capability::SYS_MODE_GET,
            Capability::DISK_LOCATION,
            Capability::DISK_RPM,
            Capability::DISK_LINK_TYPE,
            Capability::DISK_VPD83_GET,
            Capability::POOLS_QUICK_SEARCH,
            Capability::VOLUMES_QUICK_SEARCH,
            Capability::DISKS_QUICK_SEARCH,
            Capability::ACCESS_GROUPS_QUICK_SEARCH,
            Capability::TARGET_PORTS_QUICK_SEARCH,
        ]
    }

    fn time_out_set(&mut self, timeout: Duration) -> Answer<()> {
        self.ask(|array| array.set_timeout(timeout))
    }

    fn time_out_get(&mut self) -> Answer<Duration> {
        self.ask(|array| Ok(array.timeout()))
    }

    fn job_status(&mut self, job: &JobId) -> Answer<JobStatus> {
        self.ask(|array| array.job_status(job))
    }

    fn job_free(&mut self, job: &JobId) -> Answer<()> {
        self.ask(|array| array.job_free(job))
    }

    fn systems(&mut self) -> Answer<Vec<System>> {
        self.ask(|array| Ok(vec![array.system()?]))
    }

    fn pools(&mut self, search: Option<&Search>) -> Answer<Vec<Pool>> {
        self.list(LaggingList::Pools, |array| array.pools(search))
    }

    fn volumes(&mut self, search: Option<&Search>) -> Answer<Vec<Volume>> {
        self.list(LaggingList::Volumes, |array| array.volumes(search))
    }

    fn target_ports(&mut self, _search: Option<&Search>) -> Answer<Vec<TargetPort>> {
        self.ask(|array| Ok(array.target_ports()))
    }

    fn access_groups(&mut self, search: Option<&Search>) -> Answer<Vec<AccessGroup>> {
        self.list(LaggingList::AccessGroups, |array| array.access_groups(search))
    }

    fn volume_create(
        &mut self,
        pool: &Pool,
        name: &str,
        size_bytes: u64,
        _provisioning: Provisioning,
    ) -> Answer<JobOr<Volume>> {
        self.ask(|array| array.volume_create(&pool.id, name, size_bytes))
    }

    fn volume_delete(&mut self, volume: &Volume) -> Answer<Option<JobId>> {
        self.ask(|array| array.volume_delete(&volume.id))
    }

    fn volume_replicate(
        &mut self,
        pool: Option<&Pool>,
        kind: ReplicateType,
        source: &Volume,
        name: &str,
    ) -> Answer<JobOr<Volume>> {
        self.ask(|array| array.volume_replicate(pool.map(|pool| &pool.id), kind, &source.id, name))
    }

    fn volume_child_dependency(&mut self, volume: &Volume) -> Answer<bool> {
        self.ask(|array| array.volume_child_dependency(&volume.id))
    }

    fn volume_child_dependency_rm(&mut self, volume: &Volume) -> Answer<Option<JobId>> {
        self.ask(|array| array.volume_child_dependency_rm(&volume.id))
    }

    fn volume_resize(&mut self, volume: &Volume, new_size_bytes: u64) -> Answer<JobOr<Volume>> {
        self.ask(|array| array.volume_resize(&volume.id, new_size_bytes))
    }

    fn volume_enable(&mut self, volume: &Volume) -> Answer<()> {
        self.ask(|array| array.volume_enable(&volume.id))
    }

    fn volume_disable(&mut self, volume: &Volume) -> Answer<()> {
        self.ask(|array| array.volume_disable(&volume.id))
    }

    fn volume_replicate_range_block_size(&mut self, system: &System) -> Answer<u64> {
        self.ask(|array| array.volume_replicate_range_block_size(system))
    }

    fn volume_replicate_range(
        &mut self,
        kind: ReplicateType,
        source: &Volume,
        target: &Volume,
        ranges: &[BlockRange],
    ) -> Answer<Option<JobId>> {
        self.ask(|array| array.volume_replicate_range(kind, &source.id, &target.id, ranges))
    }

    fn volume_mask(&mut self, group: &AccessGroup, volume: &Volume) -> Answer<()> {
        self.ask(|array| array.volume_mask(&group.id, &volume.id))
    }

    fn volume_unmask(&mut self, group: &AccessGroup, volume: &Volume) -> Answer<()> {
        self.ask(|array| array.volume_unmask(&group.id, &volume.id))
    }

    fn volumes_accessible_by_access_group(&mut self, group: &AccessGroup) -> Answer<Vec<Volume>> {
        self.ask(|array| array.volumes_accessible_by_access_group(&group.id))
    }

    fn access_groups_granted_to_volume(&mut self, volume: &Volume) -> Answer<Vec<AccessGroup>> {
        self.ask(|array| array.access_groups_granted_to_volume(&volume.id))
    }

    fn access_group_create(
        &mut self,
        name: &str,
        initiator: &str,
        kind: InitiatorType,
        system: &System,
    ) -> Answer<AccessGroup> {
        self.ask(|array| array.access_group_create(name, initiator, kind, system))
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
        self.ask(|array| array.access_group_initiator_add(&group.id, initiator, kind))
    }

    fn access_group_initiator_delete(
        &mut self,
        group: &AccessGroup,
        initiator: &str,
        kind: InitiatorType,
    ) -> Answer<AccessGroup> {
        self.ask(|array| array.access_group_initiator_delete(&group.id, initiator, kind))
    }

    fn iscsi_chap_auth(
        &mut self,
        initiator: &str,
        in_user: Option<&str>,
        in_password: Option<&str>,
        out_user: Option<&str>,
        out_password: Option<&str>,
    ) -> Answer<()> {
        let inbound = Login { user: in_user, password: in_password };
        let outbound = Login { user: out_user, password: out_password };
        self.ask(|array| array.iscsi_chap_auth(initiator, &inbound, &outbound))
    }

    fn system_read_cache_pct_update(&mut self, system: &System, percent: u8) -> Answer<()> {
        self.ask(|array| array.system_read_cache_pct_update(system, percent))
    }

    fn disks(&mut self, search: Option<&Search>) -> Answer<Vec<Disk>> {
        self.ask(|array| array.disks(search))
    }

    fn batteries(&mut self, _search: Option<&Search>) -> Answer<Vec<Battery>> {
        self.ask(|array| Ok(array.batteries()))
    }

    fn volume_raid_info(&mut self, volume: &Volume) -> Answer<RaidInfo> {
        self.ask(|array| array.volume_raid_info(&volume.id))
    }

    fn pool_member_info(&mut self, pool: &Pool) -> Answer<PoolMemberInfo> {
        self.ask(|array| array.pool_member_info(pool))
    }

    fn volume_raid_create_cap_get(&mut self, system: &System) -> Answer<RaidCreateCapabilities> {
        self.ask(|array| array.volume_raid_create_cap_get(system))
    }

    fn volume_raid_create(
        &mut self,
        name: &str,
        raid: RaidType,
        disks: &[Disk],
        strip_size: u64,
    ) -> Answer<Volume> {
        self.ask(|array| array.volume_raid_create(name, raid, disks, strip_size))
    }

    fn volume_ident_led_on(&mut self, volume: &Volume) -> Answer<()> {
        self.ask(|array| array.volume_ident_led(&volume.id, true))
    }

    fn volume_ident_led_off(&mut self, volume: &Volume) -> Answer<()> {
        self.ask(|array| array.volume_ident_led(&volume.id, false))
    }

    fn volume_cache_info(&mut self, volume: &Volume) -> Answer<CacheInfo> {
        self.ask(|array| array.volume_cache_info(&volume.id))
    }

    fn volume_physical_disk_cache_update(&mut self, volume: &Volume, cache: PhysicalDiskCache) -> Answer<()> {
        self.ask(|array| array.volume_physical_disk_cache_update(&volume.id, cache))
    }

    fn volume_write_cache_policy_update(&mut self, volume: &Volume, policy: WriteCachePolicy) -> Answer<()> {
        self.ask(|array| array.volume_write_cache_policy_update(&volume.id, policy))
    }

    fn volume_read_cache_policy_update(&mut self, volume: &Volume, policy: ReadCache) -> Answer<()> {
        self.ask(|array| array.volume_read_cache_policy_update(&volume.id, policy))
    }

    fn volumes_page(&mut self, cursor: Option<&str>, limit: u32) -> Answer<Page<VolumeDetail>> {
        self.ask(|array| array.volumes_page(cursor, limit))
    }

    fn volume_ids(&mut self, volume: &Volume) -> Answer<Vec<String>> {
        self.ask(|array| array.volume_ids(&volume.id))
    }

    fn volume_mappings(&mut self, volume: &Volume) -> Answer<Vec<Mapping>> {
        self.ask(|array| array.volume_mappings(&volume.id))
    }

    fn mappings_page(&mut self, cursor: Option<&str>, limit: u32) -> Answer<Page<Mapping>> {
        self.ask(|array| array.mappings_page(cursor, limit))
    }

    fn volume_map(
        &mut self,
        volume: &Volume,
        initiator: &str,
        kind: InitiatorType,
        lun: Option<u64>,
    ) -> Answer<Mapping> {
        self.ask(|array| array.volume_map(&volume.id, initiator, kind, lun))
    }

    fn volume_unmap(&mut self, volume: &Volume, initiator: &str, kind: InitiatorType) -> Answer<()> {
        self.ask(|array| array.volume_unmap(&volume.id, initiator, kind))
    }

    fn volume_rename(&mut self, volume: &Volume, new_name: &str) -> Answer<Volume> {
        self.ask(|array| array.volume_rename(&volume.id, new_name))
    }

    fn volume_replication(&mut self, volume: &Volume) -> Answer<Option<Replication>> {
        self.ask(|array| array.volume_replication(&volume.id))
    }

    fn changes(&mut self, since: Option<&str>, wait_ms: u32) -> Answer<Changes> {
        self.ask(|array| array.changes(since, Duration::from_millis(u64::from(wait_ms))))
    }

    // What befalls calls.

    fn before(&mut self, method: &str) -> Answer<()> {
        self.befall(method)
    }

    fn before_reply(&mut self, _method: &str, wire: &mut dyn Write) -> io::Result<bool> {
        self.lets_reply_out(wire)
    }

    fn lacks(&self) -> &[Capability] {
        self.profile.lacks()
    }

    fn job_failure(&mut self, job: &JobId) -> Answer<Option<JobFailure>> {
        self.ask(|array| array.job_failure(job))
    }

    // File systems.

    fn fs(&mut self, _search: Option<&Search>) -> Answer<Vec<FileSystem>> {
        self.list(LaggingList::FileSystems, |array| array.file_systems())
    }

    fn fs_create(&mut self, pool: &Pool, name: &str, size_bytes: u64) -> Answer<JobOr<FileSystem>> {
        self.ask(|array| array.fs_create(&pool.id, name, size_bytes))
    }

    fn fs_delete(&mut self, fs: &FileSystem) -> Answer<Option<JobId>> {
        self.ask(|array| array.fs_delete(&fs.id))
    }

    fn fs_resize(&mut self, fs: &FileSystem, new_size_bytes: u64) -> Answer<JobOr<FileSystem>> {
        self.ask(|array| array.fs_resize(&fs.id, new_size_bytes))
    }

    fn fs_clone(
        &mut self,
        source: &FileSystem,
        name: &str,
        snapshot: Option<&Snapshot>,
    ) -> Answer<JobOr<FileSystem>> {
        self.ask(|array| array.fs_clone(&source.id, name, snapshot.map(|snapshot| &snapshot.id)))
    }

    fn fs_file_clone(
        &mut self,
        fs: &FileSystem,
        source: &str,
        target: &str,
        snapshot: Option<&Snapshot>,
    ) -> Answer<Option<JobId>> {
        self.ask(|array| array.fs_file_clone(&fs.id, source, target, snapshot.map(|snapshot| &snapshot.id)))
    }

    fn fs_snapshots(&mut self, fs: &FileSystem) -> Answer<Vec<Snapshot>> {
        self.ask(|array| array.fs_snapshots(&fs.id))
    }

    fn fs_snapshot_create(&mut self, fs: &FileSystem, name: &str) -> Answer<JobOr<Snapshot>> {
        self.ask(|array| array.fs_snapshot_create(&fs.id, name))
    }

    fn fs_snapshot_delete(&mut self, fs: &FileSystem, snapshot: &Snapshot) -> Answer<Option<JobId>> {
        self.ask(|array| array.fs_snapshot_delete(&fs.id, &snapshot.id))
    }

    fn fs_snapshot_restore(
        &mut self,
        fs: &FileSystem,
        snapshot: &Snapshot,
        files: &[String],
        restore_files: &[String],
        all_files: bool,
    ) -> Answer<Option<JobId>> {
        self.ask(|array| array.fs_snapshot_restore(&fs.id, &snapshot.id, files, restore_files, all_files))
    }

    fn fs_child_dependency(&mut self, fs: &FileSystem, files: &[String]) -> Answer<bool> {
        self.ask(|array| array.fs_child_dependency(&fs.id, files))
    }

    fn fs_child_dependency_rm(&mut self, fs: &FileSystem, files: &[String]) -> Answer<Option<JobId>> {
        self.ask(|array| array.fs_child_dependency_rm(&fs.id, files))
    }

    // Exports.

    fn export_auth(&mut self) -> Answer<Vec<String>> {
        self.ask(|array| Ok(array.export_auth()))
    }

    fn exports(&mut self, _search: Option<&Search>) -> Answer<Vec<NfsExport>> {
        self.list(LaggingList::Exports, |array| array.exports())
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
        let hosts = Hosts { root: root.to_vec(), rw: rw.to_vec(), ro: ro.to_vec() };
        let wanted = WantedExport { path, hosts, anon_uid, anon_gid, auth, options };
        self.ask(|array| array.export_fs(fs, wanted))
    }

    fn export_remove(&mut self, export: &NfsExport) -> Answer<()> {
        self.ask(|array| array.export_remove(&export.id))
    }
}
