//! The journal of runs: records appended with the expected last sequence, so that of two executors one loses and stops.

use std::time::Duration;

use async_nats::jetstream::{
    self,
    consumer::{DeliverPolicy, pull},
    context::{PublishError, PublishErrorKind},
    message::PublishMessage,
    stream::LastRawMessageErrorKind,
};
use futures::{StreamExt, future::BoxFuture};
use prost::Message;
use sanfleet_protocol::{RunId, subject, v1::JournalRecord};
use tokio::time::sleep;

/// A record as it stands in the stream.
#[derive(Debug, Clone)]
pub struct Entry {
    pub run: RunId,
    pub sequence: u64,
    pub record: JournalRecord,
}

/// Why a record is not in the journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("another controller has taken over run {run}")]
    Superseded { run: RunId },
    #[error("the journal cannot be read")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

pub trait Journal: Send + Sync {
    /// Appends and returns the record's sequence. `expected` is the sequence of the run's last record, 0 for its first.
    /// Waits for as long as the journal cannot be reached: a run without a journal must not go on.
    fn append<'a>(
        &'a self,
        run: RunId,
        expected: u64,
        record: &'a JournalRecord,
    ) -> BoxFuture<'a, Result<u64, JournalError>>;

    /// All records of all runs, in order.
    fn read_all(&self) -> BoxFuture<'_, Result<Vec<Entry>, JournalError>>;
}

/// The journal in JetStream.
#[derive(Debug, Clone)]
pub struct NatsJournal {
    jetstream: jetstream::Context,
}

impl NatsJournal {
    pub fn new(jetstream: jetstream::Context) -> Self {
        Self { jetstream }
    }

    async fn append_until_stored(
        &self,
        run: RunId,
        expected: u64,
        record: &JournalRecord,
    ) -> Result<u64, JournalError> {
        let mut pause = Duration::from_millis(50);
        loop {
            match self.append_once(run, expected, record).await {
                Ok(sequence) => return Ok(sequence),
                Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => {
                    match self.newest(run).await {
                        // The acknowledgement of our own record was lost.
                        Ok(Some((sequence, id))) if id == record.id => return Ok(sequence),
                        Ok(_) => return Err(JournalError::Superseded { run }),
                        Err(error) => tracing::warn!(%run, %error, "cannot read the journal back"),
                    }
                }
                Err(error) => tracing::warn!(%run, %error, "journal unreachable, waiting for it"),
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    async fn append_once(
        &self,
        run: RunId,
        expected: u64,
        record: &JournalRecord,
    ) -> Result<u64, PublishError> {
        let message = PublishMessage::build()
            .payload(record.encode_to_vec().into())
            .expected_last_subject_sequence(expected);
        Ok(self.jetstream.send_publish(subject::run(&run), message).await?.await?.sequence)
    }

    /// Sequence and record id of the newest record of a run.
    async fn newest(
        &self,
        run: RunId,
    ) -> Result<Option<(u64, String)>, Box<dyn std::error::Error + Send + Sync>> {
        let stream = self.jetstream.get_stream_no_info(subject::RUNS_STREAM).await?;
        match stream.get_last_raw_message_by_subject(&subject::run(&run)).await {
            Ok(message) => Ok(Some((message.sequence, JournalRecord::decode(message.payload)?.id))),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn read(&self) -> Result<Vec<Entry>, Box<dyn std::error::Error + Send + Sync>> {
        let mut stream = self.jetstream.get_stream(subject::RUNS_STREAM).await?;
        let mut entries = Vec::new();
        if stream.info().await?.state.messages == 0 {
            return Ok(entries);
        }
        let consumer = stream
            .create_consumer(pull::OrderedConfig { deliver_policy: DeliverPolicy::All, ..Default::default() })
            .await?;
        let mut messages = consumer.messages().await?;
        while let Some(message) = messages.next().await {
            let message = message?;
            let info = message.info()?;
            let (sequence, pending) = (info.stream_sequence, info.pending);
            let run = subject::run_id(&message.subject)?;
            match JournalRecord::decode(message.payload.clone()) {
                Ok(record) => entries.push(Entry { run, sequence, record }),
                Err(error) => tracing::error!(%run, sequence, %error, "journal record cannot be read"),
            }
            if pending == 0 {
                break;
            }
        }
        Ok(entries)
    }
}

impl Journal for NatsJournal {
    fn append<'a>(
        &'a self,
        run: RunId,
        expected: u64,
        record: &'a JournalRecord,
    ) -> BoxFuture<'a, Result<u64, JournalError>> {
        Box::pin(self.append_until_stored(run, expected, record))
    }

    fn read_all(&self) -> BoxFuture<'_, Result<Vec<Entry>, JournalError>> {
        Box::pin(async { self.read().await.map_err(JournalError::Unreadable) })
    }
}
