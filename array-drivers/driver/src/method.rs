//! The methods of the protocol, one table for everything: the trait that drivers implement, the requests on the wire, the serving
//! end's dispatch and the calling end's functions are all made from it.
//!
//! A row is `name as Request { wire parameters } -> reply, needs [capabilities]`. A method is supported when the driver implements
//! it; a capability is claimed when every method that needs it is supported; and a call whose capability is not claimed is
//! refused before the driver sees it. So what a driver claims and what it does cannot part.

mod expand;
mod need;

use std::{
    io::{self, Write},
    time::Duration,
};

#[cfg(feature = "client")]
use expand::own;
use expand::{lend, lent, owned, table};
pub(crate) use need::VARIANTS;
use need::{
    child_files, custom_path, initiator_add, initiator_create, range, replicate, restored_files, write_cache,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    capability::Capability,
    error::LsmError,
    extension::{Changes, JobFailure, Mapping, Page, Replication, VolumeDetail},
    job::{JobOr, JobStatus},
    legacy,
    model::{
        AccessGroup, AnonymousId, Battery, BlockRange, CacheInfo, Disk, FileSystem, FileSystemId,
        InitiatorType, JobId, NfsExport, PhysicalDiskCache, Pool, PoolMemberInfo, Provisioning,
        RaidCreateCapabilities, RaidInfo, RaidType, ReadCache, ReplicateType, Snapshot, System, TargetPort,
        Volume, VolumeCreateFlags, WriteCachePolicy,
    },
    search::Search,
    serve::Incoming,
};

type Answer<T> = Result<T, LsmError>;

/// One request: serialised it is the parameters of the call, without `flags`.
pub(crate) trait Call: Serialize + DeserializeOwned {
    const METHOD: &'static str;
    type Reply: Serialize + DeserializeOwned;

    /// The capabilities without which this very call, with its arguments, is refused.
    fn needs(&self) -> Vec<Capability> {
        Vec::new()
    }

    /// The reply as a client sees it that knows of no extension.
    fn legacy(reply: Self::Reply) -> Self::Reply {
        reply
    }
}

/// A method's name and what must be claimed for it to be called at all.
pub(crate) struct Method {
    pub name: &'static str,
    pub needs: &'static [Capability],
}

table! {
    /// One array, or the door to several, seen through the protocol. A method left out answers NO_SUPPORT.
    ///
    /// Synchronous, for a plug-in process serves one client and one call at a time. Records come from the client whole; only
    /// their ids (and `plugin_data`) are to be believed. The lists take a search so that a driver can ask its array for less; it
    /// may ignore it, for whoever serves the driver picks again from what it returns.
    ///
    /// Put [`array_driver`](crate::array_driver) on the `impl`: it notes what is implemented, from which the capabilities follow.
    session {
        fn plugin_info(&self) -> PluginInfo;

        /// Opens the session. `timeout` is how long the client is ready to wait for a call. The password is for the array alone:
        /// never write it anywhere.
        fn plugin_register(&mut self, uri: &str, password: Option<&str>, timeout: Duration) -> Answer<()>;

        /// Closes the session. Called too when the client goes without a word.
        fn plugin_unregister(&mut self) -> Answer<()> {
            Ok(())
        }

        /// Written by [`array_driver`](crate::array_driver).
        fn implemented(&self) -> Implemented;

        /// The capabilities that hang on a call's arguments (a kind of copy, a kind of initiator) or on what records tell. One that
        /// is not listed is not claimed, and calls that need it are refused; one whose method is not there is void.
        fn variants(&self) -> &[Capability] {
            &[]
        }

        /// What this array cannot do although the driver could: a licence, a model, an old version. Asked after the session
        /// is open.
        fn lacks(&self) -> &[Capability] {
            &[]
        }

        fn time_out_set(&mut self, _timeout: Duration) -> Answer<()> {
            Err(LsmError::no_support())
        }

        fn time_out_get(&mut self) -> Answer<Duration> {
            Err(LsmError::no_support())
        }

        fn systems(&mut self) -> Answer<Vec<System>> {
            Err(LsmError::no_support())
        }

        /// [`volume_create`](Self::volume_create) with hints, called instead of it when there are any. An array without the choice
        /// passes them over.
        fn volume_create_hinted(
            &mut self,
            pool: &Pool,
            volume_name: &str,
            size_bytes: u64,
            provisioning: Provisioning,
            _hints: VolumeCreateFlags,
        ) -> Answer<JobOr<Volume>> {
            self.volume_create(pool, volume_name, size_bytes, provisioning)
        }

        /// Asked before each call is made, whatever it is; an error is the call's answer. For drivers that simulate trouble.
        fn before(&mut self, _method: &str) -> Answer<()> {
            Ok(())
        }

        /// Asked before the reply to a call goes out; with false it does not. For drivers that simulate trouble, which may write
        /// something else instead.
        fn before_reply(&mut self, _method: &str, _wire: &mut dyn Write) -> io::Result<bool> {
            Ok(true)
        }
    }

    lists {
        pools as Pools -> Pool, needs [];
        volumes as Volumes -> Volume, needs [VOLUMES] legacy legacy::volumes;
        disks as Disks -> Disk, needs [DISKS];
        target_ports as TargetPorts -> TargetPort, needs [TARGET_PORTS];
        batteries as Batteries -> Battery, needs [BATTERIES];
        access_groups as AccessGroups -> AccessGroup, needs [ACCESS_GROUPS] legacy legacy::access_groups;
        fs as FileSystems -> FileSystem, needs [FS];
        exports as Exports -> NfsExport, needs [EXPORTS];
    }

    calls {
        job_status as GetJobStatus { job_id: (ref JobId) } -> JobStatus, needs [] legacy legacy::job_status;
        job_free as JobFree { job_id: (ref JobId) } -> (), needs [];

        /// Percent of the cache that is for reads, 0 to 100.
        system_read_cache_pct_update as SystemReadCachePctUpdate { system: (ref System), read_pct: (val u8) } -> (),
            needs [SYS_READ_CACHE_PCT_UPDATE];

        /// Makes a volume of at least `size_bytes`; the volume tells what it became.
        volume_create as VolumeCreate {
            pool: (ref Pool), volume_name: (text), size_bytes: (val u64), provisioning: (val Provisioning)
        } -> JobOr<Volume>, needs [VOLUME_CREATE] legacy legacy::volume_or_job;
        volume_delete as VolumeDelete { volume: (ref Volume) } -> Option<JobId>, needs [VOLUME_DELETE];
        volume_resize as VolumeResize { volume: (ref Volume), new_size_bytes: (val u64) } -> JobOr<Volume>,
            needs [VOLUME_RESIZE] legacy legacy::volume_or_job;

        /// Copies a volume as it is at one point in time. Without a pool the copy goes where its source is.
        volume_replicate as VolumeReplicate {
            pool: (opt Pool), rep_type: (val ReplicateType), volume_src: (ref Volume), name: (text)
        } -> JobOr<Volume>, needs [VOLUME_REPLICATE] and replicate(rep_type) legacy legacy::volume_or_job;

        /// Bytes of a block of [`BlockRange`].
        volume_replicate_range_block_size as VolumeReplicateRangeBlockSize { system: (ref System) } -> u64,
            needs [VOLUME_COPY_RANGE_BLOCK_SIZE];
        volume_replicate_range as VolumeReplicateRange {
            rep_type: (val ReplicateType), volume_src: (ref Volume), volume_dest: (ref Volume), ranges: (list BlockRange)
        } -> Option<JobId>, needs [VOLUME_COPY_RANGE] and range(rep_type);
        volume_enable as VolumeEnable { volume: (ref Volume) } -> (), needs [VOLUME_ENABLE];
        volume_disable as VolumeDisable { volume: (ref Volume) } -> (), needs [VOLUME_DISABLE];
        volume_mask as VolumeMask { access_group: (ref AccessGroup), volume: (ref Volume) } -> (), needs [VOLUME_MASK];
        volume_unmask as VolumeUnmask { access_group: (ref AccessGroup), volume: (ref Volume) } -> (),
            needs [VOLUME_UNMASK];
        volumes_accessible_by_access_group as VolumesAccessible { access_group: (ref AccessGroup) } -> Vec<Volume>,
            needs [VOLUMES_ACCESSIBLE_BY_ACCESS_GROUP] legacy legacy::volumes;
        access_groups_granted_to_volume as AccessGroupsGranted { volume: (ref Volume) } -> Vec<AccessGroup>,
            needs [ACCESS_GROUPS_GRANTED_TO_VOLUME] legacy legacy::access_groups;
        volume_child_dependency as VolumeChildDependency { volume: (ref Volume) } -> bool,
            needs [VOLUME_CHILD_DEPENDENCY];
        volume_child_dependency_rm as VolumeChildDependencyRm { volume: (ref Volume) } -> Option<JobId>,
            needs [VOLUME_CHILD_DEPENDENCY_RM];

        /// Makes a group with its first initiator.
        access_group_create as AccessGroupCreate {
            name: (text), init_id: (initiator), init_type: (val InitiatorType), system: (ref System)
        } -> AccessGroup, needs [] and initiator_create(init_type) legacy legacy::access_group;
        access_group_delete as AccessGroupDelete { access_group: (ref AccessGroup) } -> (), needs [ACCESS_GROUP_DELETE];
        access_group_initiator_add as AccessGroupInitiatorAdd {
            access_group: (ref AccessGroup), init_id: (initiator), init_type: (val InitiatorType)
        } -> AccessGroup, needs [] and initiator_add(init_type) legacy legacy::access_group;
        access_group_initiator_delete as AccessGroupInitiatorDelete {
            access_group: (ref AccessGroup), init_id: (initiator), init_type: (val InitiatorType)
        } -> AccessGroup, needs [ACCESS_GROUP_INITIATOR_DELETE] legacy legacy::access_group;

        /// Sets what an initiator logs in with; without any of the four it logs in without. The passwords are for the array alone.
        iscsi_chap_auth as IscsiChapAuth {
            init_id: (initiator), in_user: (opt_text), in_password: (opt_text), out_user: (opt_text), out_password: (opt_text)
        } -> (), needs [VOLUME_ISCSI_CHAP_AUTHENTICATION];

        volume_raid_info as VolumeRaidInfo { volume: (ref Volume) } -> RaidInfo, needs [VOLUME_RAID_INFO];
        pool_member_info as GetPoolMemberInfo { pool: (ref Pool) } -> PoolMemberInfo, needs [POOL_MEMBER_INFO];
        volume_raid_create_cap_get as VolumeRaidCreateCapGet { system: (ref System) } -> RaidCreateCapabilities,
            needs [VOLUME_RAID_CREATE];

        /// Makes a volume, and the pool beneath it, of whole disks. Strip size in bytes, 0 for the array's choice.
        volume_raid_create as VolumeRaidCreate {
            name: (text), raid_type: (val RaidType), disks: (list Disk), strip_size: (val u64)
        } -> Volume, needs [VOLUME_RAID_CREATE] legacy legacy::volume;
        volume_ident_led_on as VolumeIdentLedOn { volume: (ref Volume) } -> (), needs [VOLUME_LED];
        volume_ident_led_off as VolumeIdentLedOff { volume: (ref Volume) } -> (), needs [VOLUME_LED];
        volume_cache_info as VolumeCacheInfo { volume: (ref Volume) } -> CacheInfo, needs [VOLUME_CACHE_INFO];
        volume_physical_disk_cache_update as VolumePhysicalDiskCacheUpdate {
            volume: (ref Volume), pdc: (val PhysicalDiskCache)
        } -> (), needs [VOLUME_PHYSICAL_DISK_CACHE_UPDATE];
        volume_write_cache_policy_update as VolumeWriteCachePolicyUpdate {
            volume: (ref Volume), wcp: (val WriteCachePolicy)
        } -> (), needs [] and write_cache(wcp);
        volume_read_cache_policy_update as VolumeReadCachePolicyUpdate { volume: (ref Volume), rcp: (val ReadCache) } -> (),
            needs [VOLUME_READ_CACHE_POLICY_UPDATE];

        fs_create as FsCreate { pool: (ref Pool), name: (text), size_bytes: (val u64) } -> JobOr<FileSystem>,
            needs [FS_CREATE];
        fs_delete as FsDelete { fs: (ref FileSystem) } -> Option<JobId>, needs [FS_DELETE];
        fs_resize as FsResize { fs: (ref FileSystem), new_size_bytes: (val u64) } -> JobOr<FileSystem>, needs [FS_RESIZE];

        /// A new file system with the contents of another, or of one of its snapshots.
        fs_clone as FsClone { src_fs: (ref FileSystem), dest_fs_name: (text), snapshot: (opt Snapshot) }
            -> JobOr<FileSystem>, needs [FS_CLONE];
        fs_file_clone as FsFileClone {
            fs: (ref FileSystem), src_file_name: (text), dest_file_name: (text), snapshot: (opt Snapshot)
        } -> Option<JobId>, needs [FILE_CLONE];
        fs_snapshots as FsSnapshots { fs: (ref FileSystem) } -> Vec<Snapshot>, needs [FS_SNAPSHOTS];
        fs_snapshot_create as FsSnapshotCreate { fs: (ref FileSystem), snapshot_name: (text) } -> JobOr<Snapshot>,
            needs [FS_SNAPSHOT_CREATE];
        fs_snapshot_delete as FsSnapshotDelete { fs: (ref FileSystem), snapshot: (ref Snapshot) } -> Option<JobId>,
            needs [FS_SNAPSHOT_DELETE];

        /// Brings back `files` (under the names `restore_files` where given), or everything.
        fs_snapshot_restore as FsSnapshotRestore {
            fs: (ref FileSystem), snapshot: (ref Snapshot), files: (texts), restore_files: (texts), all_files: (val bool)
        } -> Option<JobId>, needs [FS_SNAPSHOT_RESTORE] and restored_files(files);
        fs_child_dependency as FsChildDependency { fs: (ref FileSystem), files: (texts) } -> bool,
            needs [FS_CHILD_DEPENDENCY];
        fs_child_dependency_rm as FsChildDependencyRm { fs: (ref FileSystem), files: (texts) } -> Option<JobId>,
            needs [FS_CHILD_DEPENDENCY_RM] and child_files(files);

        /// The authentication types that `export_fs` takes.
        export_auth as ExportAuth {} -> Vec<String>, needs [EXPORT_AUTH];

        /// Exports a file system, or changes the export at this path. Without a path the array chooses one.
        export_fs as ExportFs {
            fs_id: (ref FileSystemId), export_path: (opt_text), root_list: (texts), rw_list: (texts), ro_list: (texts),
            anon_uid: (val AnonymousId), anon_gid: (val AnonymousId), auth_type: (opt_text), options: (opt_text)
        } -> NfsExport, needs [EXPORT_FS] and custom_path(export_path);
        export_remove as ExportRemove { export: (ref NfsExport) } -> (), needs [EXPORT_REMOVE];
    }

    extensions {
        /// A piece of the list of volumes, at most `limit` of them, after the place that `cursor` names.
        volumes_page as VolumesPage { cursor: (opt_text), limit: (val u32) } -> Page<VolumeDetail>;
        /// Every in-band identity of a volume, in the notation of [`VolumeDetail`].
        volume_ids as VolumeIds { volume: (ref Volume) } -> Vec<String>;
        /// Who sees a volume, and under which number.
        volume_mappings as VolumeMappings { volume: (ref Volume) } -> Vec<Mapping>;
        /// A piece of the list of all mappings.
        mappings_page as MappingsPage { cursor: (opt_text), limit: (val u32) } -> Page<Mapping>;
        /// Shows a volume to one initiator without an access group, under `lun` if given and free.
        volume_map as VolumeMap {
            volume: (ref Volume), init_id: (initiator), init_type: (val InitiatorType), lun: (opt_val u64)
        } -> Mapping;
        /// Takes back what [`volume_map`](Self::volume_map) did.
        volume_unmap as VolumeUnmap { volume: (ref Volume), init_id: (initiator), init_type: (val InitiatorType) } -> ();
        volume_rename as VolumeRename { volume: (ref Volume), new_name: (text) } -> Volume;
        /// None for a volume that is no replica, or whose tie to its source is gone.
        volume_replication as VolumeReplication { volume: (ref Volume) } -> Option<Replication>;
        /// Why a job is in the state ERROR; none when the array does not know.
        job_failure as GetJobFailure { job_id: (ref JobId) } -> Option<JobFailure>;
        /// What changed since `since` (none: tell only the present moment), answered when something did or `wait_ms` are over.
        changes as GetChanges { since: (opt_text), wait_ms: (val u32) } -> Changes;
    }
}

// The calls that need hands of their own at both ends. No Debug: one carries a password.
macro_rules! session_call {
    ($($name:ident = $method:literal { $($field:ident: $type:ty),* } -> $reply:ty;)*) => {
        /// The methods whose calls are not in the table.
        const SESSION: &[&str] = &[$($method),*];

        $(
            #[derive(Serialize, Deserialize)]
            pub(crate) struct $name { $(pub $field: $type),* }

            impl Call for $name {
                const METHOD: &'static str = $method;
                type Reply = $reply;
            }
        )*
    };
}

session_call! {
    PluginRegister = "plugin_register" { uri: String, password: Option<String>, timeout: u32 } -> ();
    PluginUnregister = "plugin_unregister" {} -> ();
    GetPluginInfo = "plugin_info" {} -> (String, String);
    TimeOutSet = "time_out_set" { ms: u32 } -> ();
    TimeOutGet = "time_out_get" {} -> u32;
    Systems = "systems" {} -> Vec<System>;
    GetCapabilities = "capabilities" { system: System } -> crate::capability::Capabilities;
    Extensions = "sanfleet_extensions" {} -> Vec<String>;
}

/// True when the protocol or its extensions have a method of this name; an extension's goes without its prefix on the wire.
pub fn is_method(name: &str) -> bool {
    let session = SESSION.iter().map(|known| known.strip_prefix("sanfleet_").unwrap_or(known));
    METHODS
        .iter()
        .map(|method| method.name)
        .chain(EXTENSIONS.iter().copied())
        .chain(session)
        .any(|known| known == name)
}

/// What a driver says of itself, before it has seen an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginInfo {
    pub description: String,
    pub version: String,
}

/// The methods that a driver's `impl` block defines. Only [`array_driver`](crate::array_driver) makes one.
#[derive(Debug, Clone, Copy)]
pub struct Implemented(&'static [&'static str]);

impl Implemented {
    #[doc(hidden)]
    pub const fn new(methods: &'static [&'static str]) -> Self {
        Self(methods)
    }

    pub(crate) fn has(self, method: &str) -> bool {
        self.0.contains(&method)
    }
}

#[cfg(test)]
mod tests;
