//! Webhooks: events sent over HTTP to those who cannot subscribe to the bus.
//!
//! Each webhook is a durable consumer of the stream of events, so that nothing is missed over restarts, and of several
//! controllers each event goes to one. A controller that lacks a webhook's secret leaves it to those that have it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_nats::jetstream::kv::Operation;
use futures::StreamExt;
use prost::Message;
use sanfleet_protocol::{EventFilter, IdError, Password, WebhookId, event_filter::FilterError, v1};
use tokio::{task::JoinHandle, time::sleep};

use crate::{
    bus::{Bus, BusError},
    http::{HttpClient, HttpUrl, UrlError},
    secrets::{StoreError, WebhookSecrets},
};

mod dead;
mod deliver;
mod health;
mod request;
mod store;

pub use dead::DeadLetters;
pub use health::{Figures, Health};
pub use request::{Delivery, NotTaken};
pub use store::Status;

use deliver::Deliverer;

/// Tries of one event, unless the operator says otherwise.
const TRIES: u32 = 10;
/// More could be asked for, and would take longer than events are kept.
const MOST_TRIES: u32 = 100;
const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

/// A parsed definition. It never holds the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    pub name: WebhookId,
    pub url: HttpUrl,
    pub filter: EventFilter,
    pub tries: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    #[error(transparent)]
    Name(#[from] IdError),
    #[error(transparent)]
    Url(#[from] UrlError),
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error("an event is tried once to {MOST_TRIES} times")]
    Tries,
}

/// Why the bus does not do what a webhook needs.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    #[error("a webhook is named {0} already")]
    Taken(WebhookId),
    #[error("no webhook is named {0}")]
    Unknown(WebhookId),
    #[error("this controller does not have the secret of webhook {0}")]
    NoSecret(WebhookId),
    #[error("the secret of webhook {name} cannot be had or kept")]
    Secret {
        name: WebhookId,
        #[source]
        source: StoreError,
    },
    #[error("the webhooks on the bus cannot be read or changed")]
    Bus(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl WebhookError {
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Bus(_) | Self::Secret { .. })
    }
}

impl From<BusError> for WebhookError {
    fn from(error: BusError) -> Self {
        Self::Bus(error.into())
    }
}

/// The webhooks of the fleet, as one controller sees them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Webhooks {
    bus: Bus,
    secrets: WebhookSecrets,
    client: HttpClient,
    known: Arc<Mutex<BTreeMap<WebhookId, Known>>>,
}

#[derive(Debug)]
struct Known {
    webhook: Webhook,
    health: Arc<Health>,
    /// None where the secret is not here.
    delivering: Option<JoinHandle<()>>,
}

impl Drop for Known {
    fn drop(&mut self) {
        // What was under way is sent again, by whoever asks for it next.
        if let Some(task) = &self.delivering {
            task.abort();
        }
    }
}

impl Webhook {
    pub fn parse(definition: &v1::Webhook) -> Result<Self, DefinitionError> {
        let tries = match definition.tries {
            0 => TRIES,
            tries @ 1..=MOST_TRIES => tries,
            _ => return Err(DefinitionError::Tries),
        };
        let filter = EventFilter::parse(&definition.types, &definition.about)?;
        Ok(Self { name: definition.name.parse()?, url: HttpUrl::parse(&definition.url)?, filter, tries })
    }

    pub fn definition(&self) -> v1::Webhook {
        v1::Webhook {
            name: self.name.to_string(),
            url: self.url.to_string(),
            types: self.filter.kinds().map(ToString::to_string).collect(),
            about: self.filter.objects().map(ToOwned::to_owned).collect(),
            tries: self.tries,
        }
    }
}

impl Webhooks {
    pub fn new(bus: Bus, secrets: WebhookSecrets, client: HttpClient) -> Self {
        Self { bus, secrets, client, known: Arc::default() }
    }

    /// Delivers for every webhook that there is, and learns of those that come and go.
    pub async fn follow(self) {
        loop {
            if let Err(error) = self.watch().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "webhooks cannot be followed, trying again"
                );
            }
            sleep(PAUSE).await;
        }
    }

    async fn watch(&self) -> Result<(), WebhookError> {
        let bucket = self.bus.webhooks().await?;
        let mut changes =
            bucket.watch_with_history(">").await.map_err(|error| WebhookError::Bus(error.into()))?;
        while let Some(change) = changes.next().await {
            let change = change.map_err(|error| WebhookError::Bus(error.into()))?;
            let Ok(name) = change.key.parse::<WebhookId>() else { continue };
            match change.operation {
                Operation::Put => self.learn(&name, &change.value),
                Operation::Delete | Operation::Purge => self.forget(&name),
            }
        }
        Ok(())
    }

    fn learn(&self, name: &WebhookId, value: &[u8]) {
        let definition = v1::Webhook::decode(value).unwrap_or_default();
        match Webhook::parse(&definition) {
            Ok(webhook) if webhook.name == *name => self.begin(webhook),
            Ok(_) => tracing::error!(%name, "stored webhook has another name"),
            Err(error) => tracing::error!(%name, %error, "stored webhook cannot be read"),
        }
    }

    /// Begins to deliver, unless that is so already.
    fn begin(&self, webhook: Webhook) {
        let mut known = self.known();
        let name = webhook.name.clone();
        let same = |known: &Known| known.webhook == webhook && known.delivering.is_some();
        if known.get(&name).is_some_and(same) {
            return;
        }
        let health = Arc::<Health>::default();
        let delivering = self.deliverer(&webhook, &health).map(|deliverer| tokio::spawn(deliverer.run()));
        known.insert(name, Known { webhook, health, delivering });
    }

    fn deliverer(&self, webhook: &Webhook, health: &Arc<Health>) -> Option<Deliverer> {
        match self.secret(&webhook.name) {
            Ok(secret) => Some(Deliverer {
                bus: self.bus.clone(),
                delivery: self.delivery(webhook, secret),
                webhook: webhook.clone(),
                health: Arc::clone(health),
            }),
            Err(error) => {
                tracing::warn!(webhook = %webhook.name, error = &error as &dyn std::error::Error, "left to other controllers");
                None
            }
        }
    }

    fn delivery(&self, webhook: &Webhook, secret: Password) -> Delivery {
        Delivery { client: self.client.clone(), url: webhook.url.clone(), secret }
    }

    fn secret(&self, name: &WebhookId) -> Result<Password, WebhookError> {
        let found = self.secrets.find(name);
        let found = found.map_err(|source| WebhookError::Secret { name: name.clone(), source })?;
        found.map(|(secret, _)| secret).ok_or_else(|| WebhookError::NoSecret(name.clone()))
    }

    fn forget(&self, name: &WebhookId) {
        if self.known().remove(name).is_some()
            && let Err(error) = self.secrets.forget(name)
        {
            tracing::warn!(webhook = %name, error = &error as &dyn std::error::Error, "its secret is still here");
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<WebhookId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> v1::Webhook {
        v1::Webhook {
            name: "chat".into(),
            url: "https://example.com/hook".into(),
            types: vec!["run.*".into()],
            about: vec!["db1".into()],
            tries: 0,
        }
    }

    #[test]
    fn a_definition_reads_back_as_it_was() {
        let webhook = Webhook::parse(&definition()).unwrap();
        assert_eq!(webhook.tries, TRIES);
        assert_eq!(Webhook::parse(&webhook.definition()).unwrap(), webhook);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for bad in [
            v1::Webhook { name: "a.b".into(), ..definition() },
            v1::Webhook { url: "ftp://example.com/".into(), ..definition() },
            v1::Webhook { types: vec!["run.>".into()], ..definition() },
            v1::Webhook { about: vec!["*".into()], ..definition() },
            v1::Webhook { tries: MOST_TRIES + 1, ..definition() },
        ] {
            assert!(Webhook::parse(&bad).is_err(), "{bad:?}");
        }
    }
}
