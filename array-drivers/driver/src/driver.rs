//! What a driver of ours implements.

use std::time::Duration;

use crate::{
    capability::Capabilities,
    error::LsmError,
    job::{JobOr, JobStatus},
    model::{
        AccessGroup, InitiatorType, JobId, Pool, Provisioning, ReplicateType, System, TargetPort, Volume,
    },
    search::Search,
};

/// What a driver says of itself, before it has seen an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginInfo {
    pub description: String,
    pub version: String,
}

type Answer<T> = Result<T, LsmError>;

/// One array, or the door to several, seen through the protocol. A method left out answers NO_SUPPORT.
///
/// Synchronous, for a plug-in process serves one client and one call at a time. Records come from the client whole; only
/// their ids (and `plugin_data`) are to be believed. The lists take a search so that a driver can ask its array for less; it
/// may ignore it, for whoever serves the driver picks again from what it returns.
pub trait ArrayDriver {
    fn plugin_info(&self) -> PluginInfo;

    /// Opens the session. `timeout` is how long the client is ready to wait for a call. The password is for the array alone:
    /// never write it anywhere.
    fn plugin_register(&mut self, uri: &str, password: Option<&str>, timeout: Duration) -> Answer<()>;

    /// Closes the session. Called too when the client goes without a word.
    fn plugin_unregister(&mut self) -> Answer<()> {
        Ok(())
    }

    fn time_out_set(&mut self, _timeout: Duration) -> Answer<()> {
        Err(LsmError::no_support())
    }

    fn time_out_get(&mut self) -> Answer<Duration> {
        Err(LsmError::no_support())
    }

    fn capabilities(&mut self, _system: &System) -> Answer<Capabilities> {
        Err(LsmError::no_support())
    }

    fn job_status(&mut self, _job: &JobId) -> Answer<JobStatus> {
        Err(LsmError::no_support())
    }

    fn job_free(&mut self, _job: &JobId) -> Answer<()> {
        Err(LsmError::no_support())
    }

    fn systems(&mut self) -> Answer<Vec<System>> {
        Err(LsmError::no_support())
    }

    fn pools(&mut self, _search: Option<&Search>) -> Answer<Vec<Pool>> {
        Err(LsmError::no_support())
    }

    fn volumes(&mut self, _search: Option<&Search>) -> Answer<Vec<Volume>> {
        Err(LsmError::no_support())
    }

    fn target_ports(&mut self, _search: Option<&Search>) -> Answer<Vec<TargetPort>> {
        Err(LsmError::no_support())
    }

    fn access_groups(&mut self, _search: Option<&Search>) -> Answer<Vec<AccessGroup>> {
        Err(LsmError::no_support())
    }

    /// The size may be rounded up; the volume tells what it became.
    fn volume_create(
        &mut self,
        _pool: &Pool,
        _name: &str,
        _size_bytes: u64,
        _provisioning: Provisioning,
    ) -> Answer<JobOr<Volume>> {
        Err(LsmError::no_support())
    }

    fn volume_delete(&mut self, _volume: &Volume) -> Answer<Option<JobId>> {
        Err(LsmError::no_support())
    }

    /// Without a pool the copy goes where its source is.
    fn volume_replicate(
        &mut self,
        _pool: Option<&Pool>,
        _kind: ReplicateType,
        _source: &Volume,
        _name: &str,
    ) -> Answer<JobOr<Volume>> {
        Err(LsmError::no_support())
    }

    fn volume_child_dependency(&mut self, _volume: &Volume) -> Answer<bool> {
        Err(LsmError::no_support())
    }

    fn volume_mask(&mut self, _group: &AccessGroup, _volume: &Volume) -> Answer<()> {
        Err(LsmError::no_support())
    }

    fn volume_unmask(&mut self, _group: &AccessGroup, _volume: &Volume) -> Answer<()> {
        Err(LsmError::no_support())
    }

    fn volumes_accessible_by_access_group(&mut self, _group: &AccessGroup) -> Answer<Vec<Volume>> {
        Err(LsmError::no_support())
    }

    fn access_groups_granted_to_volume(&mut self, _volume: &Volume) -> Answer<Vec<AccessGroup>> {
        Err(LsmError::no_support())
    }

    fn access_group_create(
        &mut self,
        _name: &str,
        _initiator: &str,
        _kind: InitiatorType,
        _system: &System,
    ) -> Answer<AccessGroup> {
        Err(LsmError::no_support())
    }

    fn access_group_delete(&mut self, _group: &AccessGroup) -> Answer<()> {
        Err(LsmError::no_support())
    }

    fn access_group_initiator_add(
        &mut self,
        _group: &AccessGroup,
        _initiator: &str,
        _kind: InitiatorType,
    ) -> Answer<AccessGroup> {
        Err(LsmError::no_support())
    }

    fn access_group_initiator_delete(
        &mut self,
        _group: &AccessGroup,
        _initiator: &str,
        _kind: InitiatorType,
    ) -> Answer<AccessGroup> {
        Err(LsmError::no_support())
    }
}
