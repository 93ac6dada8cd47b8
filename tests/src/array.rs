//! The simulated array, as its administrator sees it: through its driver, not through sanfleet.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use sanfleet_driver::{
    AccessGroup, InitiatorType, Provisioning, ReplicateType, Volume,
    client::{Options, Session},
};
use sanfleet_protocol::VolumeId;

const CALL: Duration = Duration::from_secs(20);

#[derive(Debug, Clone)]
pub struct SimArray {
    program: PathBuf,
    pub fabric: PathBuf,
    pub uri: String,
}

impl SimArray {
    /// State below `folder`; the volumes' files and the fabric below `store`.
    pub fn new(program: &Path, folder: &Path, store: &Path, pool_bytes: u64) -> Self {
        let (data, fabric) = (store.join("volumes"), store.join("fabric"));
        let state = folder.join("array.sqlite");
        let uri = format!(
            "sim://?statefile={}&data={}&fabric={}&pool_bytes={pool_bytes}",
            state.display(),
            data.display(),
            fabric.display(),
        );
        Self { program: program.to_owned(), fabric, uri }
    }

    pub async fn session(&self) -> anyhow::Result<Session> {
        let session = Session::connect_executable(&self.program, &self.uri, None, Options::default()).await;
        session.context("cannot start the array's driver")
    }

    /// Makes a volume and masks it to one initiator, as an administrator would by hand.
    pub async fn provision(&self, name: &str, size_bytes: u64, initiator: &str) -> anyhow::Result<VolumeId> {
        let mut session = self.session().await?;
        let volume = made(&mut session, name, size_bytes).await?;
        let group = self.group(&mut session, initiator).await?;
        session.volume_mask(&group, &volume).await?;
        session.close().await?;
        volume.volume_id().context("volume has no id")
    }

    /// Shows a volume to an initiator through a group of this name, as an administrator would by hand. The group is made where
    /// there is none.
    pub async fn show(&self, volume: &str, group: &str, initiator: &str) -> anyhow::Result<()> {
        let mut session = self.session().await?;
        let volumes = session.volumes(None).await?;
        let volume = volumes.iter().find(|known| known.name == volume).context("there is no such volume")?;
        let groups = session.access_groups(None).await?;
        let group = match groups.into_iter().find(|known| known.name == group) {
            Some(known) => known,
            None => {
                let systems = session.systems().await?;
                let system = systems.first().context("array has no system")?;
                session.access_group_create(group, initiator, InitiatorType::ISCSI, system).await?
            }
        };
        session.volume_mask(&group, volume).await?;
        session.close().await?;
        Ok(())
    }

    /// A new volume that nobody sees.
    pub async fn create(&self, name: &str, size_bytes: u64) -> anyhow::Result<VolumeId> {
        let mut session = self.session().await?;
        let volume = made(&mut session, name, size_bytes).await?;
        session.close().await?;
        volume.volume_id().context("volume has no id")
    }

    /// A copy of a volume that nobody sees.
    pub async fn copy(&self, source: &str, name: &str) -> anyhow::Result<()> {
        let mut session = self.session().await?;
        let volumes = session.volumes(None).await?;
        let source = volumes.iter().find(|known| known.name == source).context("there is no such volume")?;
        let outcome = session.volume_replicate(None, ReplicateType::CLONE, source, name).await?;
        session.finish(outcome, CALL).await?;
        session.close().await?;
        Ok(())
    }

    async fn group(&self, session: &mut Session, initiator: &str) -> anyhow::Result<AccessGroup> {
        let groups = session.access_groups(None).await?;
        if let Some(group) = groups.into_iter().find(|group| group.init_ids.iter().any(|id| id == initiator))
        {
            return Ok(group);
        }
        let systems = session.systems().await?;
        let system = systems.first().context("array has no system")?;
        let name = format!("by-hand-{}", initiator.rsplit(':').next().unwrap_or(initiator));
        Ok(session.access_group_create(&name, initiator, InitiatorType::ISCSI, system).await?)
    }

    pub async fn volumes(&self) -> anyhow::Result<Vec<Volume>> {
        let mut session = self.session().await?;
        let volumes = session.volumes(None).await?;
        session.close().await?;
        Ok(volumes)
    }

    /// Every mapping: the group's name and the volume's.
    pub async fn mappings(&self) -> anyhow::Result<Vec<(String, String)>> {
        let mut session = self.session().await?;
        let mut mappings = Vec::new();
        for group in session.access_groups(None).await? {
            for volume in session.volumes_accessible_by_access_group(&group).await? {
                mappings.push((group.name.clone(), volume.name));
            }
        }
        session.close().await?;
        Ok(mappings)
    }

    pub async fn access_groups(&self) -> anyhow::Result<Vec<String>> {
        let mut session = self.session().await?;
        let groups = session.access_groups(None).await?;
        session.close().await?;
        Ok(groups.into_iter().map(|group| group.name).collect())
    }
}

async fn made(session: &mut Session, name: &str, size_bytes: u64) -> anyhow::Result<Volume> {
    let pools = session.pools(None).await?;
    let pool = pools.iter().find(|pool| pool.name == "lsm_test_aggr").context("array has no such pool")?;
    let outcome = session.volume_create(pool, name, size_bytes, Provisioning::THIN).await?;
    Ok(session.finish(outcome, CALL).await?)
}
