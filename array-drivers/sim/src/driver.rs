//! The array behind the driver trait: which call goes where.

use std::{path::PathBuf, time::Duration};

use sanfleet_driver::{
    AccessGroup, ArrayDriver, Capability, InitiatorType, JobId, JobOr, JobStatus, LsmError, PluginInfo, Pool,
    Provisioning, ReplicateType, Search, System, TargetPort, Volume, array_driver,
};

use crate::{
    DESCRIPTION,
    array::Array,
    error::{Result as SimResult, SimError},
    options::Options,
};

/// One session with the simulated array.
#[derive(Debug, Default)]
pub struct SimDriver {
    /// Nothing before the session is registered.
    array: Option<Array>,
}

type Answer<T> = Result<T, LsmError>;

impl SimDriver {
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
        self.array = Some(Array::open(&options, timeout).map_err(|error: SimError| LsmError::from(error))?);
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
            Capability::VOLUME_REPLICATE_COPY,
            Capability::ACCESS_GROUP_CREATE_WWPN,
            Capability::ACCESS_GROUP_CREATE_ISCSI_IQN,
            Capability::ACCESS_GROUP_INITIATOR_ADD_WWPN,
            Capability::ACCESS_GROUP_INITIATOR_ADD_ISCSI_IQN,
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
        self.ask(|array| array.pools())
    }

    fn volumes(&mut self, _search: Option<&Search>) -> Answer<Vec<Volume>> {
        self.ask(|array| array.volumes())
    }

    fn target_ports(&mut self, _search: Option<&Search>) -> Answer<Vec<TargetPort>> {
        self.ask(|array| Ok(array.target_ports()))
    }

    fn access_groups(&mut self, _search: Option<&Search>) -> Answer<Vec<AccessGroup>> {
        self.ask(|array| array.access_groups())
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
}
