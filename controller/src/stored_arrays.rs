//! The arrays that operators added, as the bus keeps them: what one controller stores or removes, all others follow.

use std::time::Duration;

use async_nats::jetstream::kv::Operation;
use futures::{StreamExt, TryStreamExt};
use sanfleet_protocol::ArrayId;
use tokio::time::sleep;

use crate::{
    arrays::{ArrayDefinition, Looker},
    bus::Bus,
};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Pause before the store is followed anew.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub struct StoredArrays {
    pub bus: Bus,
    pub looker: Looker,
}

impl StoredArrays {
    /// Makes all of them known: before any run goes on, and without keeping the others waiting for one that does not answer.
    pub async fn introduce(&self) -> anyhow::Result<()> {
        let store = self.bus.arrays().await?;
        let names: Vec<String> = store.keys().await?.try_collect().await?;
        for name in names {
            if let Some(uri) = store.get(&name).await? {
                self.learn(&name, &uri);
            }
        }
        Ok(())
    }

    /// Learns of those that other controllers add and remove.
    pub async fn follow(self) {
        loop {
            if let Err(error) = self.follow_once().await {
                tracing::warn!(%error, "the stored arrays cannot be followed, trying again");
            }
            sleep(PAUSE).await;
        }
    }

    async fn follow_once(&self) -> Result<(), Error> {
        let store = self.bus.arrays().await?;
        let mut changes = store.watch_with_history(">").await?;
        while let Some(change) = changes.next().await {
            let change = change?;
            match change.operation {
                Operation::Put => self.learn(&change.key, &change.value),
                Operation::Delete | Operation::Purge => self.forget(&change.key).await,
            }
        }
        Ok(())
    }

    /// One that is known already is left as it is.
    fn learn(&self, name: &str, uri: &[u8]) {
        let definition = match ArrayDefinition::parse(name, &String::from_utf8_lossy(uri)) {
            Ok(definition) => definition,
            Err(error) => return tracing::error!(name, %error, "stored array cannot be read"),
        };
        if !self.looker.introduce(definition.clone()) {
            return;
        }
        let looker = self.looker.clone();
        tokio::spawn(async move {
            if let Err(error) = looker.follow(definition).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "array not reachable at first");
            }
        });
    }

    /// An array that a run of this controller still works on stays until the run is over; the run's end finds it gone.
    async fn forget(&self, name: &str) {
        let Ok(name) = name.parse::<ArrayId>() else { return };
        match self.looker.arrays.remove(&name) {
            Ok(()) => self.looker.forget(&name).await,
            Err(why) => tracing::debug!(%name, %why, "removed elsewhere"),
        }
    }
}
