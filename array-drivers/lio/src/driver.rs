//! The array behind the driver trait: which call goes where.

use std::time::Duration;

use sanfleet_driver::{
    AccessGroup, ArrayDriver, Capability, InitiatorType, JobId, JobOr, LsmError, Mapping, Page, PluginInfo,
    Pool, Provisioning, ReplicateType, Search, System, TargetPort, Volume, array_driver,
};

use crate::{
    DESCRIPTION,
    array::{Answer, Array},
    machine::RealMachine,
    options::Options,
};

/// One session with a machine.
#[derive(Default)]
pub struct LioDriver {
    /// Nothing before the session is registered.
    array: Option<Array>,
}

impl LioDriver {
    fn ask<T>(&mut self, question: impl FnOnce(&mut Array) -> Answer<T>) -> Answer<T> {
        self.array.as_mut().map_or_else(|| Err(LsmError::no_support()), question)
    }
}

#[array_driver]
impl ArrayDriver for LioDriver {
    fn plugin_info(&self) -> PluginInfo {
        PluginInfo { description: DESCRIPTION.into(), version: env!("CARGO_PKG_VERSION").into() }
    }

    /// Who may log in is ssh's business: there is no password.
    fn plugin_register(&mut self, uri: &str, _password: Option<&str>, timeout: Duration) -> Answer<()> {
        let options = Options::from_uri(uri)?;
        let machine = RealMachine::new(options.place, options.group, timeout)?;
        self.array = Some(Array::open(Box::new(machine), options.portals, timeout)?);
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

    fn time_out_set(&mut self, timeout: Duration) -> Answer<()> {
        self.ask(|array| {
            array.set_patience(timeout);
            Ok(())
        })
    }

    fn time_out_get(&mut self) -> Answer<Duration> {
        self.ask(|array| Ok(array.patience()))
    }

    fn systems(&mut self) -> Answer<Vec<System>> {
        self.ask(|array| Ok(vec![array.system()?]))
    }

    fn pools(&mut self, _search: Option<&Search>) -> Answer<Vec<Pool>> {
        self.ask(Array::pools)
    }

    fn target_ports(&mut self, _search: Option<&Search>) -> Answer<Vec<TargetPort>> {
        self.ask(Array::target_ports)
    }

    // Volumes.

    fn volumes(&mut self, search: Option<&Search>) -> Answer<Vec<Volume>> {
        self.ask(|array| array.volumes(search))
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

    fn iscsi_chap_auth(
        &mut self,
        initiator: &str,
        in_user: Option<&str>,
        in_password: Option<&str>,
        out_user: Option<&str>,
        out_password: Option<&str>,
    ) -> Answer<()> {
        self.ask(|array| array.chap(initiator, [in_user, in_password], [out_user, out_password]))
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
}
