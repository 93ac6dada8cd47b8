//! The array behind the driver trait: which call goes where.

use std::{
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use sanfleet_driver::{
    AccessGroup, AnonymousId, ArrayDriver, Capability, FileSystem, FileSystemId, InitiatorType, JobFailure,
    JobId, JobOr, JobStatus, LsmError, NfsExport, PluginInfo, Pool, Provisioning, ReplicateType, Search,
    Snapshot, System, TargetPort, Volume, array_driver,
};

use crate::{
    DESCRIPTION,
    array::{Array, Hosts, LaggingList, WantedExport},
    error::{Result as SimResult, SimError},
    faults::Faults,
    options::Options,
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
    private: Option<tempfile::TempDir>,
}

use trouble::Delivery;

type Answer<T> = Result<T, LsmError>;

impl SimDriver {
    fn open(&mut self, mut options: Options, timeout: Duration) -> SimResult<()> {
        if options.private {
            let folder =
                tempfile::tempdir().map_err(SimError::file("make a folder in", std::env::temp_dir()))?;
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
            Capability::ACCESS_GROUP_CREATE_WWPN,
            Capability::ACCESS_GROUP_CREATE_ISCSI_IQN,
            Capability::ACCESS_GROUP_INITIATOR_ADD_WWPN,
            Capability::ACCESS_GROUP_INITIATOR_ADD_ISCSI_IQN,
            Capability::FS_SNAPSHOT_RESTORE_SPECIFIC_FILES,
            Capability::FS_CHILD_DEPENDENCY_RM_SPECIFIC_FILES,
            Capability::EXPORT_CUSTOM_PATH,
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
        self.ask(|array| Ok(vec![array.system()]))
    }

    fn pools(&mut self, _search: Option<&Search>) -> Answer<Vec<Pool>> {
        self.list(LaggingList::Pools, |array| array.pools())
    }

    fn volumes(&mut self, _search: Option<&Search>) -> Answer<Vec<Volume>> {
        self.list(LaggingList::Volumes, |array| array.volumes())
    }

    fn target_ports(&mut self, _search: Option<&Search>) -> Answer<Vec<TargetPort>> {
        self.ask(|array| Ok(array.target_ports()))
    }

    fn access_groups(&mut self, _search: Option<&Search>) -> Answer<Vec<AccessGroup>> {
        self.list(LaggingList::AccessGroups, |array| array.access_groups())
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

    /// Clones share blocks with their source and depend on nothing: a reflink outlives the file it was made from.
    fn volume_child_dependency(&mut self, volume: &Volume) -> Answer<bool> {
        self.ask(|array| array.volume(&volume.id).map(|_| false))
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

    // What befalls calls.

    fn before(&mut self, method: &str) -> Answer<()> {
        self.befall(method)
    }

    fn deliver(&mut self, _method: &str, frame: &[u8], wire: &mut dyn Write) -> io::Result<()> {
        self.put_on_the_wire(frame, wire)
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
