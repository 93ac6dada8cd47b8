//! Where events are stored: the seam between numbering and JetStream.

use async_nats::{
    HeaderMap, HeaderValue,
    jetstream::{
        self,
        context::{PublishError, PublishErrorKind},
        message::{OutboundMessage, StreamMessage},
        stream::LastRawMessageErrorKind,
    },
};
use futures::future::BoxFuture;
use sanfleet_protocol::{subject, v1};

use super::Outgoing;

/// CloudEvents' `sequence` extension, as the NATS binding writes it.
pub const SEQUENCE: &str = "ce-sequence";
/// Checks [`NATS_EXPECTED_LAST_SUBJECT_SEQUENCE`](async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE) over all subjects of
/// this filter (nats-server 2.12, ADR-50).
const EXPECTED_OVER: &str = "Nats-Expected-Last-Subject-Sequence-Subject";

/// The newest event about an object: where it is in the stream, and which of the object's events it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// The stream's, 0 for none.
    pub sequence: u64,
    /// The object's, 0 for none.
    pub number: u64,
}

/// A stored event, as far as numbering cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub id: String,
    pub place: Place,
}

/// What an attempt to store came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    At(u64),
    /// An event of this id is stored already.
    Duplicate,
    /// The object's newest event is another than was expected.
    Moved,
}

/// The stream cannot be reached, or did not say whether it stored the event.
#[derive(Debug, thiserror::Error)]
#[error("the stream of events did not answer")]
pub struct Silent(#[source] pub Box<dyn std::error::Error + Send + Sync>);

pub trait Log: std::fmt::Debug + Send + Sync {
    /// Stores an event with this number, if the newest one about its object is at this sequence of the stream.
    fn append<'a>(
        &'a self,
        event: &'a Outgoing,
        number: u64,
        expected: u64,
    ) -> BoxFuture<'a, Result<Appended, Silent>>;

    /// The newest event about an object.
    fn newest<'a>(&'a self, about: &'a str) -> BoxFuture<'a, Result<Option<Kept>, Silent>>;

    /// The first event about an object after this sequence of the stream.
    fn next<'a>(&'a self, about: &'a str, after: u64) -> BoxFuture<'a, Result<Option<Kept>, Silent>>;
}

/// Keeps nothing and knows of nothing.
#[derive(Debug)]
pub struct Nowhere;

impl Log for Nowhere {
    fn append<'a>(&'a self, _: &'a Outgoing, number: u64, _: u64) -> BoxFuture<'a, Result<Appended, Silent>> {
        Box::pin(async move { Ok(Appended::At(number)) })
    }

    fn newest<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Kept>, Silent>> {
        Box::pin(async { Ok(None) })
    }

    fn next<'a>(&'a self, _: &'a str, _: u64) -> BoxFuture<'a, Result<Option<Kept>, Silent>> {
        Box::pin(async { Ok(None) })
    }
}

/// The stream in JetStream.
#[derive(Debug)]
pub struct NatsLog {
    jetstream: jetstream::Context,
    source: String,
}

impl NatsLog {
    pub fn new(jetstream: jetstream::Context, controller: &str) -> Self {
        Self { jetstream, source: format!("/sanfleet/controller/{controller}") }
    }

    fn message(&self, event: &Outgoing, number: u64, expected: u64) -> OutboundMessage {
        let mut headers = self.attributes(event);
        headers.insert(SEQUENCE, HeaderValue::from(number));
        headers.insert(async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, HeaderValue::from(expected));
        headers.insert(EXPECTED_OVER, subject::events_about(&event.about));
        let data = v1::EventData { event: Some(event.data.clone()) };
        let body = serde_json::to_vec(&data).unwrap_or_default();
        let subject = subject::event(event.kind.as_str(), &event.about);
        OutboundMessage::new(subject.into(), body.into(), Some(headers))
    }

    fn attributes(&self, event: &Outgoing) -> HeaderMap {
        let time = jiff::Timestamp::from_millisecond(event.at_unix_ms).unwrap_or_default();
        let mut headers = HeaderMap::new();
        headers.insert(async_nats::header::NATS_MESSAGE_ID, event.id.as_str());
        headers.insert("ce-specversion", "1.0");
        headers.insert("ce-id", event.id.as_str());
        headers.insert("ce-source", self.source.as_str());
        headers.insert("ce-type", event.kind.as_str());
        headers.insert("ce-subject", event.about.as_str());
        headers.insert("ce-time", time.to_string().as_str());
        headers.insert("ce-datacontenttype", "application/json");
        headers
    }

    async fn send(&self, message: OutboundMessage) -> Result<Appended, PublishError> {
        let OutboundMessage { subject, payload, headers } = message;
        let sent = self.jetstream.publish_with_headers(subject, headers.unwrap_or_default(), payload).await?;
        let stored = sent.await?;
        Ok(if stored.duplicate { Appended::Duplicate } else { Appended::At(stored.sequence) })
    }

    /// Asked of the stream's leader: what another server has may be older.
    async fn read(&self, about: &str, after: Option<u64>) -> Result<Option<Kept>, Silent> {
        let stream = self.jetstream.get_stream_no_info(subject::EVENTS_STREAM).await;
        let stream = stream.map_err(|error| Silent(error.into()))?;
        let subject = subject::events_about(about);
        let found = match after {
            Some(after) => stream.get_first_raw_message_by_subject(&subject, after.saturating_add(1)).await,
            None => stream.get_last_raw_message_by_subject(&subject).await,
        };
        match found {
            Ok(message) => Ok(Some(kept(&message))),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(Silent(error.into())),
        }
    }
}

/// What an earlier version stored has no number and counts as the object's zeroth.
fn kept(message: &StreamMessage) -> Kept {
    let header = |name: &str| message.headers.get(name).map(HeaderValue::as_str).unwrap_or_default();
    let number = header(SEQUENCE).parse().unwrap_or_default();
    Kept { id: header("ce-id").to_owned(), place: Place { sequence: message.sequence, number } }
}

impl Log for NatsLog {
    fn append<'a>(
        &'a self,
        event: &'a Outgoing,
        number: u64,
        expected: u64,
    ) -> BoxFuture<'a, Result<Appended, Silent>> {
        Box::pin(async move {
            match self.send(self.message(event, number, expected)).await {
                Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(Appended::Moved),
                sent => sent.map_err(|error| Silent(error.into())),
            }
        })
    }

    fn newest<'a>(&'a self, about: &'a str) -> BoxFuture<'a, Result<Option<Kept>, Silent>> {
        Box::pin(self.read(about, None))
    }

    fn next<'a>(&'a self, about: &'a str, after: u64) -> BoxFuture<'a, Result<Option<Kept>, Silent>> {
        Box::pin(self.read(about, Some(after)))
    }
}
