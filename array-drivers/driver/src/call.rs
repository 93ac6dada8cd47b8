//! The calls of the protocol, one table for both ends: name, named parameters, result.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    capability::Capabilities,
    job::{JobOr, JobStatus},
    model::{
        AccessGroup, InitiatorType, JobId, Pool, Provisioning, ReplicateType, System, TargetPort, Volume,
    },
};

/// One call: serialised it is the call's parameters, without `flags`.
pub(crate) trait Call: Serialize + DeserializeOwned {
    const METHOD: &'static str;
    type Reply: Serialize + DeserializeOwned;
}

// No Debug: one of the calls carries a password.
macro_rules! calls {
    ($($name:ident = $method:literal { $($field:ident: $type:ty),* $(,)? } -> $reply:ty;)*) => {
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

calls! {
    PluginRegister = "plugin_register" { uri: String, password: Option<String>, timeout: u32 } -> ();
    PluginUnregister = "plugin_unregister" {} -> ();
    PluginInfo = "plugin_info" {} -> (String, String);
    TimeOutSet = "time_out_set" { ms: u32 } -> ();
    TimeOutGet = "time_out_get" {} -> u32;
    GetCapabilities = "capabilities" { system: System } -> Capabilities;
    GetJobStatus = "job_status" { job_id: JobId } -> JobStatus;
    JobFree = "job_free" { job_id: JobId } -> ();
    Systems = "systems" {} -> Vec<System>;
    Pools = "pools" { search_key: Option<String>, search_value: Option<String> } -> Vec<Pool>;
    Volumes = "volumes" { search_key: Option<String>, search_value: Option<String> } -> Vec<Volume>;
    TargetPorts = "target_ports" { search_key: Option<String>, search_value: Option<String> } -> Vec<TargetPort>;
    AccessGroups = "access_groups" { search_key: Option<String>, search_value: Option<String> } -> Vec<AccessGroup>;
    VolumeCreate = "volume_create" { pool: Pool, volume_name: String, size_bytes: u64, provisioning: Provisioning }
        -> JobOr<Volume>;
    VolumeDelete = "volume_delete" { volume: Volume } -> Option<JobId>;
    VolumeReplicate = "volume_replicate" { pool: Option<Pool>, rep_type: ReplicateType, volume_src: Volume, name: String }
        -> JobOr<Volume>;
    VolumeChildDependency = "volume_child_dependency" { volume: Volume } -> bool;
    VolumeMask = "volume_mask" { access_group: AccessGroup, volume: Volume } -> ();
    VolumeUnmask = "volume_unmask" { access_group: AccessGroup, volume: Volume } -> ();
    VolumesAccessible = "volumes_accessible_by_access_group" { access_group: AccessGroup } -> Vec<Volume>;
    AccessGroupsGranted = "access_groups_granted_to_volume" { volume: Volume } -> Vec<AccessGroup>;
    AccessGroupCreate = "access_group_create" { name: String, init_id: String, init_type: InitiatorType, system: System }
        -> AccessGroup;
    AccessGroupDelete = "access_group_delete" { access_group: AccessGroup } -> ();
    AccessGroupInitiatorAdd = "access_group_initiator_add"
        { access_group: AccessGroup, init_id: String, init_type: InitiatorType } -> AccessGroup;
    AccessGroupInitiatorDelete = "access_group_initiator_delete"
        { access_group: AccessGroup, init_id: String, init_type: InitiatorType } -> AccessGroup;
}
