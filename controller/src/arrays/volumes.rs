//! Volumes of an array: found by identity, copied, deleted. Each is check → act → verify.

use std::time::Duration;

use sanfleet_driver::{Changes, ErrorNumber, Provisioning, ReplicateType, Search, Volume, VolumeKey};
use sanfleet_protocol::VolumeId;

use super::{ArrayError, ArrayHandle, handle::CALL};

/// How long an array may take to make a volume or a copy for which nobody is held still.
pub const MAKE: Duration = Duration::from_secs(600);

impl ArrayHandle {
    /// Sees whether there is an array that answers.
    pub async fn ask(&self) -> Result<(), ArrayError> {
        self.call("asking whether it answers", |session| {
            Box::pin(async move { session.systems().await.map(drop) })
        })
        .await
    }

    /// What changed since then, answered when something did or the time is over.
    pub(super) async fn changes(&self, since: Option<String>, wait_ms: u32) -> Result<Changes, ArrayError> {
        self.call("waiting for changes", |session| {
            Box::pin(async move { session.changes(since.as_deref(), wait_ms).await })
        })
        .await
    }

    pub(super) async fn volumes(&self) -> Result<Vec<Volume>, ArrayError> {
        self.call("listing volumes", |session| Box::pin(async move { session.volumes(None).await })).await
    }

    pub async fn find_volume_named(&self, name: &str) -> Result<Option<Volume>, ArrayError> {
        Ok(self.volumes().await?.into_iter().find(|volume| volume.name == name))
    }

    /// The volume with this key, if it still is the one with this identity; another in its place is an error.
    pub async fn find_volume(&self, key: &str, wanted: &VolumeId) -> Result<Option<Volume>, ArrayError> {
        let wanted_key = VolumeKey::new(key);
        let found = self
            .call("looking a volume up", |session| Box::pin(async move { session.volume(&wanted_key).await }))
            .await?;
        let Some(volume) = found else { return Ok(None) };
        match volume.volume_id() {
            Some(found) if found == *wanted => Ok(Some(volume)),
            found => Err(ArrayError::WrongVolume {
                array: self.name().clone(),
                volume: key.to_owned(),
                wanted: wanted.clone(),
                found: found.map_or_else(|| "without an id".to_owned(), |id| id.to_string()),
            }),
        }
    }

    pub async fn volume_must_be(&self, key: &str, wanted: &VolumeId) -> Result<Volume, ArrayError> {
        self.find_volume(key, wanted).await?.ok_or_else(|| ArrayError::NotVerified {
            array: self.name().clone(),
            what: format!("volume {key} ({wanted}) is gone"),
        })
    }

    /// A space-efficient copy where the array thinks best, whole when this returns. `within` bounds it all.
    /// One call to the driver and no more: this is what an application is held still for.
    pub async fn replicate(
        &self,
        source: &Volume,
        name: &str,
        within: Duration,
    ) -> Result<Volume, ArrayError> {
        let (source, name) = (source.clone(), name.to_owned());
        self.call("cloning a volume", |session| {
            Box::pin(async move {
                let mut session = session.within(within);
                let outcome = session.volume_replicate(None, ReplicateType::CLONE, &source, &name).await?;
                session.finish(outcome, within).await
            })
        })
        .await
    }

    /// A new volume, whole when this returns. Its content is what the array gives a new volume.
    ///
    /// # Errors
    /// [`ErrorNumber::NameConflict`] when there is a volume of that name.
    pub async fn create_volume(
        &self,
        pool: &str,
        name: &str,
        size_bytes: u64,
        provisioning: Provisioning,
    ) -> Result<Volume, ArrayError> {
        let (pool, name) = (pool.to_owned(), name.to_owned());
        let made = self
            .call("making a volume", |session| {
                Box::pin(async move {
                    let found = session.pools(Some(&Search::new("id", &pool))).await?;
                    // Some plug-ins answer a search they do not know with everything.
                    let Some(pool) = found.into_iter().find(|known| known.id.as_str() == pool) else {
                        return Ok(None);
                    };
                    let mut session = session.within(MAKE);
                    let outcome = session.volume_create(&pool, &name, size_bytes, provisioning).await?;
                    session.finish(outcome, MAKE).await.map(Some)
                })
            })
            .await?;
        made.ok_or_else(|| ArrayError::NotVerified {
            array: self.name().clone(),
            what: "the pool that was chosen is gone".to_owned(),
        })
    }

    pub async fn delete_volume_named(&self, name: &str) -> Result<(), ArrayError> {
        let Some(volume) = self.find_volume_named(name).await? else { return Ok(()) };
        self.delete(volume).await
    }

    /// Deletes the volume if it still is the one with this identity. One that is gone is fine.
    pub async fn delete_volume(&self, key: &str, wanted: &VolumeId) -> Result<(), ArrayError> {
        let Some(volume) = self.find_volume(key, wanted).await? else { return Ok(()) };
        self.delete(volume).await
    }

    async fn delete(&self, volume: Volume) -> Result<(), ArrayError> {
        let key = volume.id.clone();
        let deleted = self
            .call("deleting a volume", |session| {
                Box::pin(async move {
                    let job = session.volume_delete(&volume).await?;
                    session.finish(job, CALL).await
                })
            })
            .await;
        match deleted {
            Err(error) if error.by_array().map(|e| e.number) == Some(ErrorNumber::NotFoundVolume) => {}
            other => other?,
        }
        match self.volumes().await?.iter().any(|volume| volume.id == key) {
            true => Err(ArrayError::NotVerified {
                array: self.name().clone(),
                what: format!("volume {key} is still listed after it was deleted"),
            }),
            false => Ok(()),
        }
    }
}
