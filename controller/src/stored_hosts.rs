//! What is known of hosts that they do not report, as the bus keeps it: what one controller stores, all others follow.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::kv;
use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture};
use prost::Message;
use sanfleet_protocol::{HostId, ReportPublicKey, v1};
use tokio::{sync::Semaphore, time::sleep};

use crate::{bus::Bus, catalog::HostNotes, state::SharedCatalog};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Pause before the store is followed anew.
const PAUSE: Duration = Duration::from_secs(1);
/// So often somebody else may be quicker.
const TRIES: usize = 16;
/// So many keys are stored at once.
const AT_ONCE: usize = 16;

/// Why it was not kept.
#[derive(Debug, thiserror::Error)]
pub enum NotesError {
    #[error("what was said of host {host} could not be kept")]
    Store {
        host: HostId,
        #[source]
        source: Error,
    },
    #[error("what is said of host {host} changes all the time")]
    Contended { host: HostId },
}

/// Keeps what is said of hosts: the seam between runs and the bus.
pub trait NotesKeeper: Send + Sync {
    /// Nothing new is put on the host from now on.
    fn cordon<'a>(&'a self, host: &'a HostId) -> BoxFuture<'a, Result<(), NotesError>>;
}

#[derive(Clone)]
pub struct StoredHosts {
    bus: Bus,
    catalog: SharedCatalog,
    writers: Arc<Semaphore>,
}

impl StoredHosts {
    pub fn new(bus: Bus, catalog: SharedCatalog) -> Self {
        Self { bus, catalog, writers: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Makes all of it known, before anything is planned.
    pub async fn introduce(&self) -> anyhow::Result<()> {
        let store = self.bus.hosts().await?;
        if store.status().await?.values() == 0 {
            return Ok(());
        }
        // One stream of all of them: there is one for each host.
        let mut kept = store.watch_with_history(">").await?;
        while let Some(notes) = kept.try_next().await? {
            self.learn(&notes.key, &notes.value);
            if notes.delta == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Learns of what other controllers store.
    pub async fn follow(self) {
        loop {
            if let Err(error) = self.follow_once().await {
                tracing::warn!(%error, "what is said of hosts cannot be followed, trying again");
            }
            sleep(PAUSE).await;
        }
    }

    async fn follow_once(&self) -> Result<(), Error> {
        let mut changes = self.bus.hosts().await?.watch_with_history(">").await?;
        while let Some(change) = changes.next().await {
            let change = change?;
            self.learn(&change.key, &change.value);
        }
        Ok(())
    }

    fn learn(&self, name: &str, bytes: &[u8]) {
        let Ok(host) = name.parse::<HostId>() else { return };
        match read(bytes) {
            Ok(notes) => self.catalog.write().note(&host, notes),
            Err(error) => tracing::error!(%host, %error, "what was said of the host cannot be read"),
        }
    }

    /// Whoever reports in the host's name has this key, unless another was stored first. A fleet that starts shows all its keys at once:
    /// they are stored a few at a time.
    pub async fn know_by(&self, host: &HostId, key: &ReportPublicKey) -> Result<(), NotesError> {
        let _turn = self.writers.acquire().await;
        let first = |notes: HostNotes| HostNotes {
            report_key: notes.report_key.or_else(|| Some(key.clone())),
            ..notes
        };
        self.change(host, first).await
    }

    /// Changes what is said of a host, whoever else does so at the same time.
    pub async fn change(
        &self,
        host: &HostId,
        change: impl Fn(HostNotes) -> HostNotes,
    ) -> Result<(), NotesError> {
        let failed = |source: Error| NotesError::Store { host: host.clone(), source };
        let store = self.bus.hosts().await.map_err(|error| failed(error.into()))?;
        for _ in 0..TRIES {
            let entry = store.entry(host.as_str()).await.map_err(|error| failed(error.into()))?;
            let revision = entry.as_ref().map_or(0, |entry| entry.revision);
            let before = entry.map(|entry| read(&entry.value)).transpose().map_err(failed)?;
            let notes = change(before.unwrap_or_default());
            let bytes = notes.to_message().encode_to_vec();
            match store.update(host.as_str(), bytes.into(), revision).await {
                Ok(_) => {
                    self.catalog.write().note(host, notes);
                    return Ok(());
                }
                Err(error) if error.kind() == kv::UpdateErrorKind::WrongLastRevision => {}
                Err(error) => return Err(failed(error.into())),
            }
        }
        Err(NotesError::Contended { host: host.clone() })
    }
}

impl NotesKeeper for StoredHosts {
    fn cordon<'a>(&'a self, host: &'a HostId) -> BoxFuture<'a, Result<(), NotesError>> {
        self.change(host, |notes| HostNotes { cordoned: true, ..notes }).boxed()
    }
}

fn read(bytes: &[u8]) -> Result<HostNotes, Error> {
    Ok(HostNotes::from_message(&v1::HostNotes::decode(bytes)?)?)
}
