//! Events that a webhook did not take: put aside with the reason, listed, and sent again.

use std::time::Duration;

use async_nats::{
    HeaderMap, HeaderValue,
    jetstream::{
        message::StreamMessage,
        stream::{LastRawMessageErrorKind, Stream},
    },
};
use bytes::Bytes;
use sanfleet_protocol::{WebhookId, subject, v1};
use tokio::time::Instant;

use super::{Webhook, WebhookError, Webhooks};
use crate::{bus::Bus, clock::now_unix_ms};

const REASON: &str = "sanfleet-reason";
const TRIES: &str = "sanfleet-tries";

/// An event that is to be put aside.
#[derive(Debug)]
pub struct Letter {
    /// Where it is in the stream of events.
    pub sequence: u64,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub reason: String,
    pub tries: u32,
}

/// What came of sending dead letters again.
#[derive(Debug, Default)]
pub struct Retried {
    pub delivered: u32,
    pub error: String,
    pub left: u64,
}

/// The dead letters of one webhook.
#[derive(Debug)]
pub struct DeadLetters {
    stream: Stream,
    subject: String,
}

/// Done twice, it is there once.
pub async fn put_aside(bus: &Bus, webhook: &WebhookId, letter: Letter) -> Result<(), WebhookError> {
    let Letter { sequence, headers, body, reason, tries } = letter;
    let mut kept = HeaderMap::new();
    for (name, values) in headers.iter().filter(|(name, _)| name.to_string().starts_with("ce-")) {
        values.first().into_iter().for_each(|value| kept.insert(name.clone(), value.clone()));
    }
    let id = format!("{webhook}/{sequence}");
    kept.insert(async_nats::header::NATS_MESSAGE_ID, id.as_str());
    kept.insert(REASON, reason.replace(['\r', '\n'], " ").as_str());
    kept.insert(TRIES, HeaderValue::from(tries));
    let sent = bus.jetstream.publish_with_headers(subject::dead(webhook), kept, body).await;
    let stored = sent.map_err(|error| WebhookError::Bus(error.into()))?.await;
    stored.map(drop).map_err(|error| WebhookError::Bus(error.into()))
}

impl DeadLetters {
    pub async fn of(bus: &Bus, webhook: &WebhookId) -> Result<Self, WebhookError> {
        let stream = bus.jetstream.get_stream(subject::DEAD_STREAM).await;
        let stream = stream.map_err(|error| WebhookError::Bus(error.into()))?;
        Ok(Self { stream, subject: subject::dead(webhook) })
    }

    pub async fn count(&self) -> Result<u64, WebhookError> {
        use futures::TryStreamExt;
        let counts = self.stream.info_with_subjects(&self.subject).await;
        let counts = counts.map_err(|error| WebhookError::Bus(error.into()))?;
        let counts: Vec<(String, usize)> =
            counts.try_collect().await.map_err(|error| WebhookError::Bus(error.into()))?;
        Ok(counts.into_iter().map(|(_, count)| u64::try_from(count).unwrap_or(u64::MAX)).sum())
    }

    /// The oldest after this place in the stream.
    async fn next(&self, after: u64) -> Result<Option<StreamMessage>, WebhookError> {
        match self.stream.get_first_raw_message_by_subject(&self.subject, after.saturating_add(1)).await {
            Ok(letter) => Ok(Some(letter)),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(WebhookError::Bus(error.into())),
        }
    }

    /// At most so many, the oldest first.
    pub async fn list(&self, limit: usize) -> Result<Vec<v1::DeadLetter>, WebhookError> {
        let (mut letters, mut after) = (Vec::new(), 0);
        while letters.len() < limit
            && let Some(letter) = self.next(after).await?
        {
            after = letter.sequence;
            letters.push(shown(&letter));
        }
        Ok(letters)
    }

    async fn remove(&self, letter: &StreamMessage) -> Result<(), WebhookError> {
        let removed = self.stream.delete_message(letter.sequence).await;
        removed.map(drop).map_err(|error| WebhookError::Bus(error.into()))
    }

    pub async fn remove_all(&self) -> Result<(), WebhookError> {
        let purged = self.stream.purge().filter(&self.subject).await;
        purged.map(drop).map_err(|error| WebhookError::Bus(error.into()))
    }
}

fn shown(letter: &StreamMessage) -> v1::DeadLetter {
    let header =
        |name: &str| letter.headers.get(name).map(HeaderValue::as_str).unwrap_or_default().to_owned();
    v1::DeadLetter {
        id: header("ce-id"),
        r#type: header("ce-type"),
        about: header("ce-subject"),
        sequence: header("ce-sequence").parse().unwrap_or_default(),
        reason: header(REASON),
        tries: header(TRIES).parse().unwrap_or_default(),
        put_aside_at_unix_ms: i64::try_from(letter.time.unix_timestamp_nanos() / 1_000_000)
            .unwrap_or_default(),
    }
}

impl Webhooks {
    /// Sends dead letters again, each once, until one is not taken or the time is up. A letter that is taken is gone.
    pub async fn retry(&self, webhook: &Webhook, within: Duration) -> Result<Retried, WebhookError> {
        let delivery = self.delivery(webhook, self.secret(&webhook.name)?);
        let letters = DeadLetters::of(&self.bus, &webhook.name).await?;
        let (mut retried, end) = (Retried::default(), Instant::now() + within);
        while Instant::now() < end
            && let Some(letter) = letters.next(0).await?
        {
            let sending = delivery.send(&letter.headers, letter.payload.clone(), now_unix_ms());
            match tokio::time::timeout_at(end, sending).await {
                Ok(Ok(_)) => letters.remove(&letter).await?,
                Ok(Err(why)) => {
                    retried.error = sanfleet_protocol::limits::full_text(&why);
                    break;
                }
                Err(_) => break,
            }
            retried.delivered = retried.delivered.saturating_add(1);
        }
        retried.left = letters.count().await?;
        Ok(retried)
    }
}
