//! What is kept of webhooks: definitions in a bucket, a consumer each on the stream of events, and the secret in a file.

use std::time::Duration;

use async_nats::{
    HeaderMap,
    jetstream::{
        consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull},
        kv,
    },
};
use bytes::Bytes;
use hyper::StatusCode;
use prost::Message;
use sanfleet_protocol::{Password, WebhookId, subject, v1};
use uuid::Uuid;

use super::{
    DeadLetters, Figures, NotTaken, Webhook, WebhookError, Webhooks, deliver::AT_ONCE, request::LIMIT,
};
use crate::{bus::Bus, clock::now_unix_ms};

/// How long the bus waits for word of an event before it gives it out again: longer than a try may take.
const WORD: Duration = LIMIT.saturating_mul(4);

/// A webhook as it is listed.
#[derive(Debug)]
pub struct Status {
    pub webhook: Webhook,
    /// None where this controller does not deliver for it.
    pub figures: Option<Figures>,
    pub waiting: u64,
    pub under_way: u64,
    pub dead: u64,
}

fn consumer_name(webhook: &WebhookId) -> String {
    format!("webhook-{webhook}")
}

/// The webhook's place in the stream of events; it begins with what comes after its making.
pub async fn consumer(bus: &Bus, webhook: &Webhook) -> Result<PullConsumer, WebhookError> {
    let name = consumer_name(&webhook.name);
    let config = pull::Config {
        durable_name: Some(name.clone()),
        deliver_policy: DeliverPolicy::New,
        ack_policy: AckPolicy::Explicit,
        ack_wait: WORD,
        max_ack_pending: AT_ONCE.into(),
        filter_subjects: webhook.filter.subjects(),
        ..Default::default()
    };
    let stream = bus.jetstream.get_stream_no_info(subject::EVENTS_STREAM).await;
    let stream = stream.map_err(|error| WebhookError::Bus(error.into()))?;
    let made = stream.get_or_create_consumer(&name, config).await;
    made.map_err(|error| WebhookError::Bus(error.into()))
}

impl Webhooks {
    /// Makes a webhook known to all controllers. Of two who add the same name at once, one wins.
    pub async fn add(&self, webhook: Webhook, secret: Option<Password>) -> Result<(), WebhookError> {
        let name = webhook.name.clone();
        let bucket = self.bus.webhooks().await?;
        let bus = |error: kv::EntryError| WebhookError::Bus(error.into());
        if bucket.get(name.as_str()).await.map_err(bus)?.is_some() {
            return Err(WebhookError::Taken(name));
        }
        match &secret {
            Some(secret) => {
                let kept = self.secrets.keep(&name, secret);
                kept.map_err(|source| WebhookError::Secret { name: name.clone(), source })?;
            }
            None => drop(self.secret(&name)?),
        }
        consumer(&self.bus, &webhook).await?;
        let value = webhook.definition().encode_to_vec();
        match bucket.create(name.as_str(), value.into()).await {
            Ok(_) => self.begin(webhook),
            Err(error) if error.kind() == kv::CreateErrorKind::AlreadyExists => {
                return Err(WebhookError::Taken(name));
            }
            Err(error) => return Err(WebhookError::Bus(error.into())),
        }
        Ok(())
    }

    /// Forgets a webhook with all that waits for it and all that was put aside.
    pub async fn remove(&self, name: &WebhookId) -> Result<(), WebhookError> {
        self.find(name).await?;
        let bucket = self.bus.webhooks().await?;
        bucket.delete(name.as_str()).await.map_err(|error| WebhookError::Bus(error.into()))?;
        self.forget(name);
        let stream = self.bus.jetstream.get_stream_no_info(subject::EVENTS_STREAM).await;
        let stream = stream.map_err(|error| WebhookError::Bus(error.into()))?;
        if let Err(error) = stream.delete_consumer(&consumer_name(name)).await {
            tracing::warn!(webhook = %name, error = &error as &dyn std::error::Error, "its consumer is still there");
        }
        DeadLetters::of(&self.bus, name).await?.remove_all().await
    }

    /// As it is stored, whether or not this controller has heard of it yet.
    pub async fn find(&self, name: &WebhookId) -> Result<Webhook, WebhookError> {
        let stored = self.bus.webhooks().await?.get(name.as_str()).await;
        let stored = stored.map_err(|error| WebhookError::Bus(error.into()))?;
        let definition = v1::Webhook::decode(stored.unwrap_or_default()).unwrap_or_default();
        Webhook::parse(&definition).map_err(|_| WebhookError::Unknown(name.clone()))
    }

    pub async fn list(&self) -> Result<Vec<Status>, WebhookError> {
        let known: Vec<(Webhook, Option<Figures>)> = {
            let known = self.known();
            let figures = |one: &super::Known| one.delivering.as_ref().map(|_| one.health.figures());
            known.values().map(|one| (one.webhook.clone(), figures(one))).collect()
        };
        let mut all = Vec::new();
        for (webhook, figures) in known {
            all.push(self.status(webhook, figures).await?);
        }
        Ok(all)
    }

    async fn status(&self, webhook: Webhook, figures: Option<Figures>) -> Result<Status, WebhookError> {
        let mut consumer = consumer(&self.bus, &webhook).await?;
        let info = consumer.info().await.map_err(|error| WebhookError::Bus(error.into()))?;
        let (waiting, under_way) =
            (info.num_pending, u64::try_from(info.num_ack_pending).unwrap_or_default());
        let dead = DeadLetters::of(&self.bus, &webhook.name).await?.count().await?;
        Ok(Status { webhook, figures, waiting, under_way, dead })
    }

    pub async fn dead(&self, webhook: &WebhookId, limit: usize) -> Result<Vec<v1::DeadLetter>, WebhookError> {
        DeadLetters::of(&self.bus, webhook).await?.list(limit).await
    }

    /// Sends an event that never happened, once.
    pub async fn test(&self, webhook: &Webhook) -> Result<Result<StatusCode, NotTaken>, WebhookError> {
        let delivery = self.delivery(webhook, self.secret(&webhook.name)?);
        let now = now_unix_ms();
        let time = jiff::Timestamp::from_millisecond(now).unwrap_or_default().to_string();
        let id = Uuid::now_v7().to_string();
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("ce-specversion", "1.0"),
            ("ce-id", &id),
            ("ce-source", "/sanfleet"),
            ("ce-type", "webhook.test"),
            ("ce-subject", webhook.name.as_str()),
            ("ce-time", &time),
            ("ce-datacontenttype", "application/json"),
        ] {
            headers.insert(name, value);
        }
        Ok(delivery.send(&headers, Bytes::from_static(b"{}"), now).await)
    }
}
