//! The journal of runs: records appended with the expected last sequence, so that of two executors one loses and stops.

use std::time::Duration;

use async_nats::jetstream::{
    self,
    consumer::{DeliverPolicy, pull},
    context::{PublishError, PublishErrorKind},
    message::PublishMessage,
    stream::{LastRawMessageErrorKind, Stream},
};
use futures::{StreamExt, future::BoxFuture, stream::BoxStream};
use prost::Message;
use sanfleet_protocol::{RunId, subject, v1::JournalRecord};
use tokio::{sync::mpsc, time::sleep};

/// A record as it stands in the stream.
#[derive(Debug, Clone)]
pub struct Entry {
    pub run: RunId,
    pub sequence: u64,
    pub record: JournalRecord,
}

/// What an attempt to append came to.
#[derive(Debug)]
pub enum Appended {
    At(u64),
    /// The run has moved: these came after the record that was expected to be its last. The own record is among them when it
    /// was stored and only its acknowledgement was lost.
    Behind(Vec<Entry>),
}

/// What following the journal yields.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "nearly all are entries, and each is handed on once")]
pub enum Seen {
    Entry(Box<Entry>),
    /// All that was there when following began has been seen.
    CaughtUp,
}

/// Why a record is not in the journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("another controller has taken over run {run}")]
    Superseded { run: RunId },
    #[error("run {run} is forgotten: its journal was removed")]
    Forgotten { run: RunId },
    #[error("the journal cannot be read")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

pub trait Journal: Send + Sync {
    /// Appends one record. `expected` is the sequence of the run's last record, 0 for its first.
    /// Waits for as long as the journal cannot be reached: a run without a journal must not go on.
    fn append<'a>(
        &'a self,
        run: RunId,
        expected: u64,
        record: &'a JournalRecord,
    ) -> BoxFuture<'a, Result<Appended, JournalError>>;

    /// All records of one run.
    fn read(&self, run: RunId) -> BoxFuture<'_, Result<Vec<Entry>, JournalError>>;

    /// Removes all records of a run, the last of which says so: see [`forget`](super::forget). Removed twice, it is removed.
    fn remove(&self, run: RunId) -> BoxFuture<'_, Result<(), JournalError>>;

    /// All records of all runs, in order, and then each as it is written, by whomever. Ends only with its reader.
    fn follow(&self) -> BoxStream<'static, Seen>;
}

/// The journal in JetStream.
#[derive(Debug, Clone)]
pub struct NatsJournal {
    jetstream: jetstream::Context,
}

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Records that wait for a slow reader.
const AHEAD: usize = 1024;
/// So often is nothing found where something was before it is believed.
const SURELY_NOTHING: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl NatsJournal {
    pub fn new(jetstream: jetstream::Context) -> Self {
        Self { jetstream }
    }

    async fn append_until_known(
        &self,
        run: RunId,
        expected: u64,
        record: &JournalRecord,
    ) -> Result<Appended, JournalError> {
        let (mut pause, mut nothing) = (FIRST_PAUSE, 0);
        loop {
            match self.append_once(run, expected, record).await {
                Ok(sequence) => return Ok(Appended::At(sequence)),
                Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => {
                    match self.read_after(run, expected).await {
                        // What was its last record is gone, and so are all. A server that has just begun to lead may not know
                        // better yet.
                        Ok(entries) if entries.is_empty() && nothing == SURELY_NOTHING => {
                            return Err(JournalError::Forgotten { run });
                        }
                        Ok(entries) if entries.is_empty() => nothing += 1,
                        Ok(entries) => return Ok(Appended::Behind(entries)),
                        Err(error) => tracing::warn!(%run, %error, "cannot read the journal back"),
                    }
                }
                Err(error) => tracing::warn!(%run, %error, "journal unreachable, waiting for it"),
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
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

    /// The records of a run after this sequence.
    async fn read_after(&self, run: RunId, mut sequence: u64) -> Result<Vec<Entry>, Error> {
        let stream = self.jetstream.get_stream_no_info(subject::RUNS_STREAM).await?;
        let mut entries = Vec::new();
        loop {
            match stream.get_first_raw_message_by_subject(&subject::run(&run), sequence + 1).await {
                Ok(message) => {
                    sequence = message.sequence;
                    let record = JournalRecord::decode(message.payload)?;
                    entries.push(Entry { run, sequence, record });
                }
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => return Ok(entries),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Hands everything after `sequence` on, until the reader has gone or the stream breaks.
    async fn pass_on(
        &self,
        sequence: &mut u64,
        caught_up: &mut bool,
        reader: &mpsc::Sender<Seen>,
    ) -> Result<(), Error> {
        let stream = self.jetstream.get_stream_no_info(subject::RUNS_STREAM).await?;
        let consumer = consumer(&stream, *sequence).await?;
        // Not told by the stream's last sequence: what had that one may have been removed.
        if consumer.cached_info().num_pending == 0 && !std::mem::replace(caught_up, true) {
            reader.send(Seen::CaughtUp).await?;
        }
        let mut messages = consumer.messages().await?;
        while let Some(message) = messages.next().await {
            let message = message?;
            let info = message.info()?;
            let (at, pending) = (info.stream_sequence, info.pending);
            *sequence = at;
            if let Some(entry) = read(&message.subject, *sequence, &message.payload) {
                reader.send(Seen::Entry(Box::new(entry))).await?;
            }
            if pending == 0 && !std::mem::replace(caught_up, true) {
                reader.send(Seen::CaughtUp).await?;
            }
        }
        Ok(())
    }

    async fn follow_on(self, reader: mpsc::Sender<Seen>) {
        let (mut sequence, mut caught_up, mut pause) = (0, false, FIRST_PAUSE);
        while !reader.is_closed() {
            let before = sequence;
            if let Err(error) = self.pass_on(&mut sequence, &mut caught_up, &reader).await {
                tracing::warn!(%error, "the journal cannot be followed, trying again");
            }
            pause = if sequence > before { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            sleep(pause).await;
        }
    }
}

async fn consumer(
    stream: &Stream<()>,
    after: u64,
) -> Result<jetstream::consumer::Consumer<pull::OrderedConfig>, Error> {
    let deliver_policy = DeliverPolicy::ByStartSequence { start_sequence: after + 1 };
    Ok(stream.create_consumer(pull::OrderedConfig { deliver_policy, ..Default::default() }).await?)
}

/// What is no record of a run is passed over: it must not keep all others from being read.
fn read(subject: &str, sequence: u64, payload: &[u8]) -> Option<Entry> {
    let run = match subject::run_id(subject) {
        Ok(run) => run,
        Err(error) => {
            tracing::error!(sequence, %error, "a journal of no run");
            return None;
        }
    };
    match JournalRecord::decode(payload) {
        Ok(record) => Some(Entry { run, sequence, record }),
        Err(error) => {
            tracing::error!(%run, sequence, %error, "journal record cannot be read");
            None
        }
    }
}

impl Journal for NatsJournal {
    fn append<'a>(
        &'a self,
        run: RunId,
        expected: u64,
        record: &'a JournalRecord,
    ) -> BoxFuture<'a, Result<Appended, JournalError>> {
        Box::pin(self.append_until_known(run, expected, record))
    }

    fn read(&self, run: RunId) -> BoxFuture<'_, Result<Vec<Entry>, JournalError>> {
        Box::pin(async move { self.read_after(run, 0).await.map_err(JournalError::Unreadable) })
    }

    fn remove(&self, run: RunId) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(async move {
            let unreadable = |error: Error| JournalError::Unreadable(error);
            let stream = self.jetstream.get_stream_no_info(subject::RUNS_STREAM).await;
            let stream = stream.map_err(|error| unreadable(error.into()))?;
            let removed = stream.purge().filter(subject::run(&run)).await;
            removed.map(drop).map_err(|error| unreadable(error.into()))
        })
    }

    fn follow(&self) -> BoxStream<'static, Seen> {
        let (reader, seen) = mpsc::channel(AHEAD);
        tokio::spawn(self.clone().follow_on(reader));
        futures::stream::unfold(seen, |mut seen| async move { Some((seen.recv().await?, seen)) }).boxed()
    }
}
