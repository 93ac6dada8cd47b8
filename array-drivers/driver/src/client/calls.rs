//! The calls, typed. Each takes whole records, as the protocol does, and is bound by the session's deadline.

use std::time::Duration;

use super::{ClientError, Session};
use crate::{
    call,
    capability::Capabilities,
    driver::PluginInfo,
    job::{JobOr, JobStatus},
    model::{
        AccessGroup, InitiatorType, JobId, Pool, Provisioning, ReplicateType, System, TargetPort, Volume,
        VolumeKey,
    },
    search::Search,
};

type Answer<T> = Result<T, ClientError>;

impl Session {
    pub async fn plugin_info(&mut self) -> Answer<PluginInfo> {
        let (description, version) = self.call(call::PluginInfo {}).await?;
        Ok(PluginInfo { description, version })
    }

    /// Tells the driver another time limit. Our own deadline stays.
    pub async fn time_out_set(&mut self, limit: Duration) -> Answer<()> {
        self.call(call::TimeOutSet { ms: u32::try_from(limit.as_millis()).unwrap_or(u32::MAX) }).await
    }

    pub async fn time_out_get(&mut self) -> Answer<Duration> {
        Ok(Duration::from_millis(self.call(call::TimeOutGet {}).await?.into()))
    }

    pub async fn capabilities(&mut self, system: &System) -> Answer<Capabilities> {
        self.call(call::GetCapabilities { system: system.clone() }).await
    }

    pub async fn job_status(&mut self, job: &JobId) -> Answer<JobStatus> {
        self.call(call::GetJobStatus { job_id: job.clone() }).await
    }

    pub async fn job_free(&mut self, job: &JobId) -> Answer<()> {
        self.call(call::JobFree { job_id: job.clone() }).await
    }

    pub async fn systems(&mut self) -> Answer<Vec<System>> {
        self.call(call::Systems {}).await
    }

    pub async fn pools(&mut self, search: Option<&Search>) -> Answer<Vec<Pool>> {
        let (search_key, search_value) = parameters(search);
        self.call(call::Pools { search_key, search_value }).await
    }

    pub async fn volumes(&mut self, search: Option<&Search>) -> Answer<Vec<Volume>> {
        let (search_key, search_value) = parameters(search);
        self.call(call::Volumes { search_key, search_value }).await
    }

    /// The volume as it is now, or none when the array has it no longer.
    pub async fn volume(&mut self, key: &VolumeKey) -> Answer<Option<Volume>> {
        let found = self.volumes(Some(&Search::new("id", key.as_str()))).await?;
        // Some plug-ins answer a search they do not know with everything.
        Ok(found.into_iter().find(|volume| volume.id == *key))
    }

    pub async fn target_ports(&mut self, search: Option<&Search>) -> Answer<Vec<TargetPort>> {
        let (search_key, search_value) = parameters(search);
        self.call(call::TargetPorts { search_key, search_value }).await
    }

    pub async fn access_groups(&mut self, search: Option<&Search>) -> Answer<Vec<AccessGroup>> {
        let (search_key, search_value) = parameters(search);
        self.call(call::AccessGroups { search_key, search_value }).await
    }

    /// Makes a volume of at least `size_bytes`.
    pub async fn volume_create(
        &mut self,
        pool: &Pool,
        name: &str,
        size_bytes: u64,
        provisioning: Provisioning,
    ) -> Answer<JobOr<Volume>> {
        let volume_name = name.to_owned();
        self.call(call::VolumeCreate { pool: pool.clone(), volume_name, size_bytes, provisioning }).await
    }

    pub async fn volume_delete(&mut self, volume: &Volume) -> Answer<Option<JobId>> {
        self.call(call::VolumeDelete { volume: volume.clone() }).await
    }

    /// Copies a volume as it is at one point in time. Without a pool the copy goes where its source is.
    pub async fn volume_replicate(
        &mut self,
        pool: Option<&Pool>,
        kind: ReplicateType,
        source: &Volume,
        name: &str,
    ) -> Answer<JobOr<Volume>> {
        self.call(replicate_call(pool, kind, source, name)).await
    }

    pub async fn volume_child_dependency(&mut self, volume: &Volume) -> Answer<bool> {
        self.call(call::VolumeChildDependency { volume: volume.clone() }).await
    }

    pub async fn volume_mask(&mut self, group: &AccessGroup, volume: &Volume) -> Answer<()> {
        self.call(call::VolumeMask { access_group: group.clone(), volume: volume.clone() }).await
    }

    pub async fn volume_unmask(&mut self, group: &AccessGroup, volume: &Volume) -> Answer<()> {
        self.call(call::VolumeUnmask { access_group: group.clone(), volume: volume.clone() }).await
    }

    pub async fn volumes_accessible_by_access_group(&mut self, group: &AccessGroup) -> Answer<Vec<Volume>> {
        self.call(call::VolumesAccessible { access_group: group.clone() }).await
    }

    pub async fn access_groups_granted_to_volume(&mut self, volume: &Volume) -> Answer<Vec<AccessGroup>> {
        self.call(call::AccessGroupsGranted { volume: volume.clone() }).await
    }

    /// Makes a group with its first initiator.
    pub async fn access_group_create(
        &mut self,
        name: &str,
        initiator: &str,
        kind: InitiatorType,
        system: &System,
    ) -> Answer<AccessGroup> {
        let (name, init_id) = (name.to_owned(), initiator.to_owned());
        self.call(call::AccessGroupCreate { name, init_id, init_type: kind, system: system.clone() }).await
    }

    pub async fn access_group_delete(&mut self, group: &AccessGroup) -> Answer<()> {
        self.call(call::AccessGroupDelete { access_group: group.clone() }).await
    }

    pub async fn access_group_initiator_add(
        &mut self,
        group: &AccessGroup,
        initiator: &str,
        kind: InitiatorType,
    ) -> Answer<AccessGroup> {
        let (access_group, init_id) = (group.clone(), initiator.to_owned());
        self.call(call::AccessGroupInitiatorAdd { access_group, init_id, init_type: kind }).await
    }

    pub async fn access_group_initiator_delete(
        &mut self,
        group: &AccessGroup,
        initiator: &str,
        kind: InitiatorType,
    ) -> Answer<AccessGroup> {
        let (access_group, init_id) = (group.clone(), initiator.to_owned());
        self.call(call::AccessGroupInitiatorDelete { access_group, init_id, init_type: kind }).await
    }
}

pub(super) fn replicate_call(
    pool: Option<&Pool>,
    kind: ReplicateType,
    source: &Volume,
    name: &str,
) -> call::VolumeReplicate {
    let name = name.to_owned();
    call::VolumeReplicate { pool: pool.cloned(), rep_type: kind, volume_src: source.clone(), name }
}

fn parameters(search: Option<&Search>) -> (Option<String>, Option<String>) {
    search.map(|search| (search.key.clone(), search.value.clone())).unzip()
}
