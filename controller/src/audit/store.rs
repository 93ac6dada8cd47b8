//! Where the audit is kept: a stream that lets nothing be removed.

use async_nats::{
    HeaderMap, HeaderValue,
    header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE,
    jetstream::{self, context::PublishErrorKind, stream::LastRawMessageErrorKind},
};
use futures::future::BoxFuture;
use sanfleet_protocol::subject;

/// The store did not say, or said no.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Silent(#[from] Box<dyn std::error::Error + Send + Sync>);

/// A record as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub record: Vec<u8>,
    pub sequence: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    At(u64),
    /// Somebody else was first; nothing was stored.
    Moved,
}

/// The seam: JetStream, or a list in memory.
pub trait AuditStore: std::fmt::Debug + Send + Sync {
    fn last(&self) -> BoxFuture<'_, Result<Option<Stored>, Silent>>;

    /// Only where `expected` is the sequence of the last one; 0 where there is none.
    fn append(&self, record: Vec<u8>, expected: u64) -> BoxFuture<'_, Result<Appended, Silent>>;
}

/// The stream in JetStream.
#[derive(Debug)]
pub struct NatsStore {
    jetstream: jetstream::Context,
}

impl NatsStore {
    pub fn new(jetstream: jetstream::Context) -> Self {
        Self { jetstream }
    }

    async fn read_last(&self) -> Result<Option<Stored>, Silent> {
        let stream = self.jetstream.get_stream_no_info(subject::AUDIT_STREAM).await;
        let stream = stream.map_err(|error| Silent(error.into()))?;
        match stream.get_last_raw_message_by_subject(subject::AUDIT).await {
            Ok(message) => Ok(Some(Stored { record: message.payload.to_vec(), sequence: message.sequence })),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(Silent(error.into())),
        }
    }

    async fn send(&self, record: Vec<u8>, expected: u64) -> Result<Appended, Silent> {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, HeaderValue::from(expected));
        let sent = self.jetstream.publish_with_headers(subject::AUDIT, headers, record.into()).await;
        let stored = match sent {
            Ok(sent) => sent.await,
            Err(error) => Err(error),
        };
        match stored {
            Ok(stored) => Ok(Appended::At(stored.sequence)),
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(Appended::Moved),
            Err(error) => Err(Silent(error.into())),
        }
    }
}

impl AuditStore for NatsStore {
    fn last(&self) -> BoxFuture<'_, Result<Option<Stored>, Silent>> {
        Box::pin(self.read_last())
    }

    fn append(&self, record: Vec<u8>, expected: u64) -> BoxFuture<'_, Result<Appended, Silent>> {
        Box::pin(self.send(record, expected))
    }
}
