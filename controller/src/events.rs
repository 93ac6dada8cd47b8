//! What happens, told to whoever subscribes: CloudEvents 1.0 in the NATS binding (attributes as `ce-*` headers), with
//! [`v1::EventData`] as proto3 JSON in the body.
//!
//! Events inform; nothing in the product acts on one. Each goes through JetStream with its id as the message id, so that
//! sending it twice stores it once, and is sent again until it is stored.

use std::time::Duration;

use async_nats::{HeaderMap, jetstream};
use sanfleet_protocol::{
    ArrayId, HostId, subject,
    v1::{self, RunVerb, StepState, event_data::Event, journal_record::Entry},
};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{
    catalog::{Catalog, Change},
    clock::now_unix_ms,
    matching::{DeviceKey, MatchChange},
    runs::{Progress, name_of},
};

/// Events that may wait for the bus. When it is full, those who make events wait.
const QUEUE: usize = 8192;
/// Publications whose acknowledgement is waited for at one time.
const IN_FLIGHT: usize = 256;

/// Where events go in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Events {
    sender: mpsc::Sender<Outgoing>,
}

#[derive(Debug)]
struct Outgoing {
    id: String,
    kind: &'static str,
    /// The object it is about: one token of the subject.
    about: String,
    at_unix_ms: i64,
    data: Event,
}

/// The other end: publishes until all senders are gone.
#[derive(Debug)]
pub struct Publisher {
    receiver: mpsc::Receiver<Outgoing>,
    jetstream: jetstream::Context,
    source: String,
}

pub fn channel(jetstream: jetstream::Context, controller: &str) -> (Events, Publisher) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    (
        Events { sender },
        Publisher { receiver, jetstream, source: format!("/sanfleet/controller/{controller}") },
    )
}

impl Events {
    /// Where nobody is to be told anything.
    pub fn nowhere() -> Self {
        let (sender, mut unheard) = mpsc::channel(QUEUE);
        tokio::spawn(async move { while unheard.recv().await.is_some() {} });
        Self { sender }
    }

    /// Says what a report, a heartbeat or a listing changed. The catalog is asked for the ids behind a match.
    pub async fn changed(&self, changes: Vec<Change>, id_of: impl Fn(&MatchChange) -> String) {
        for change in changes {
            let (kind, about, data) = describe(change, &id_of);
            self.send(Uuid::now_v7().to_string(), kind, about, now_unix_ms(), data).await;
        }
    }

    /// Says what a journal record means. Its id is the record's, so that a record told twice is one event.
    pub async fn run_recorded(&self, progress: &Progress, record: &v1::JournalRecord) {
        if let Some((kind, data)) = describe_record(progress, record) {
            let about = progress.run.to_string();
            self.send(record.id.clone(), kind, about, record.at_unix_ms, data).await;
        }
    }

    pub async fn attachment(&self, kind: &'static str, record: &str, attachment: v1::Attachment) {
        let about = attachment.id.clone();
        self.send(format!("{record}/attachment"), kind, about, now_unix_ms(), Event::Attachment(attachment))
            .await;
    }

    async fn send(&self, id: String, kind: &'static str, about: String, at_unix_ms: i64, data: Event) {
        let outgoing = Outgoing { id, kind, about, at_unix_ms, data };
        if self.sender.send(outgoing).await.is_err() {
            tracing::warn!(kind, "event dropped: the controller is stopping");
        }
    }
}

fn describe(change: Change, id_of: &impl Fn(&MatchChange) -> String) -> (&'static str, String, Event) {
    let presence = |host: &HostId, online| Event::Host(v1::HostPresence { host: host.to_string(), online });
    let device = |host: &HostId, device: v1::BlockDevice| {
        Event::Device(v1::DeviceChange {
            host: host.to_string(),
            device: device.name,
            size_bytes: device.size_bytes,
            volume_ids: device.volume_ids,
        })
    };
    let health = |array: &ArrayId, reachable, error| {
        Event::Array(v1::ArrayHealth { array: array.to_string(), reachable, error })
    };
    match change {
        Change::HostOnline(host) => ("host.online", host.to_string(), presence(&host, true)),
        Change::HostOffline(host) => ("host.offline", host.to_string(), presence(&host, false)),
        Change::DeviceAppeared(host, what) => ("device.appeared", host.to_string(), device(&host, what)),
        Change::DeviceGone(host, what) => ("device.gone", host.to_string(), device(&host, what)),
        Change::ArrayReachable(array) => {
            ("array.reachable", array.to_string(), health(&array, true, String::new()))
        }
        Change::ArrayUnreachable(array, error) => {
            ("array.unreachable", array.to_string(), health(&array, false, error))
        }
        Change::Match(change) => {
            let id = id_of(&change);
            let (kind, device, volume) = match change {
                MatchChange::Matched { device, volume, .. } => ("volume.matched", device, volume),
                MatchChange::Unmatched { device, volume } => ("volume.unmatched", device, volume),
            };
            let DeviceKey { host, device } = device;
            let data = v1::VolumeMatch {
                host: host.to_string(),
                device,
                array: volume.array.to_string(),
                volume: volume.volume.to_string(),
                volume_id: id,
            };
            (kind, data.host.clone(), Event::Match(data))
        }
    }
}

/// The id to show with a change of a match: the one it was found by, or what the catalog still knows.
pub fn id_of(catalog: &Catalog, change: &MatchChange) -> String {
    match change {
        MatchChange::Matched { id, .. } => id.to_string(),
        MatchChange::Unmatched { volume, .. } => {
            let known = catalog.volume(volume).and_then(|volume| volume.id.as_ref());
            known.map(ToString::to_string).unwrap_or_default()
        }
    }
}

fn describe_record(progress: &Progress, record: &v1::JournalRecord) -> Option<(&'static str, Event)> {
    let run = progress.run.to_string();
    let change = |kind: &'static str, step: &str, state: StepState, error: &str, duration_us: u64| {
        let (run, step, error) = (run.clone(), step.to_owned(), error.to_owned());
        Some((kind, Event::Step(v1::StepChange { run, step, state: state.into(), error, duration_us })))
    };
    let whole = |kind: &'static str, error: &str| {
        let procedure = name_of(&progress.procedure).to_owned();
        let (run, error) = (run.clone(), error.to_owned());
        Some((kind, Event::Run(v1::RunChange { run, procedure, state: progress.state.into(), error })))
    };
    match record.entry.as_ref()? {
        Entry::Created(_) => whole("run.started", ""),
        Entry::Finished(finished) => whole("run.finished", &finished.error),
        Entry::Claimed(_) => None,
        Entry::Controlled(asked) => match asked.verb() {
            RunVerb::Pause => whole("run.paused", ""),
            RunVerb::Resume => whole("run.resumed", ""),
            RunVerb::Cancel => whole("run.cancelled", &progress.error),
            RunVerb::Retry => whole("run.retried", ""),
            RunVerb::Unspecified => None,
        },
        Entry::StepStarted(step) => change("step.started", &step.step, StepState::Running, "", 0),
        Entry::StepDone(step) => change("step.finished", &step.step, StepState::Done, "", step.duration_us),
        Entry::StepFailed(step) => change("step.failed", &step.step, StepState::Failed, &step.error, 0),
        Entry::UndoStarted(step) => change("undo.started", &step.step, StepState::Undoing, "", 0),
        Entry::UndoDone(step) => change("undo.finished", &step.step, StepState::Undone, "", step.duration_us),
        Entry::UndoFailed(step) => change("undo.failed", &step.step, StepState::UndoFailed, &step.error, 0),
    }
}

impl Publisher {
    pub async fn run(mut self) {
        let mut batch = Vec::with_capacity(IN_FLIGHT);
        while self.receiver.recv_many(&mut batch, IN_FLIGHT).await > 0 {
            let mut unsent: Vec<&Outgoing> = batch.iter().collect();
            let mut pause = Duration::from_millis(100);
            loop {
                unsent = self.publish(unsent).await;
                if unsent.is_empty() {
                    break;
                }
                tracing::warn!(events = unsent.len(), "events not stored, trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
            }
            batch.clear();
        }
    }

    /// Publishes in order, then collects the acknowledgements. Returns those that got none.
    async fn publish<'a>(&self, events: Vec<&'a Outgoing>) -> Vec<&'a Outgoing> {
        let mut sent = Vec::with_capacity(events.len());
        for event in events {
            let subject = subject::event(event.kind, &event.about);
            let data = v1::EventData { event: Some(event.data.clone()) };
            let body = serde_json::to_vec(&data).unwrap_or_default();
            let headers = self.headers(event);
            sent.push((event, self.jetstream.publish_with_headers(subject, headers, body.into()).await));
        }
        let mut unsent = Vec::new();
        for (event, acknowledgement) in sent {
            let stored = match acknowledgement {
                Ok(acknowledgement) => acknowledgement.await.is_ok(),
                Err(_) => false,
            };
            if !stored {
                unsent.push(event);
            }
        }
        unsent
    }

    fn headers(&self, event: &Outgoing) -> HeaderMap {
        let time = jiff::Timestamp::from_millisecond(event.at_unix_ms).unwrap_or_default();
        let mut headers = HeaderMap::new();
        headers.insert(async_nats::header::NATS_MESSAGE_ID, event.id.as_str());
        headers.insert("ce-specversion", "1.0");
        headers.insert("ce-id", event.id.as_str());
        headers.insert("ce-source", self.source.as_str());
        headers.insert("ce-type", event.kind);
        headers.insert("ce-subject", event.about.as_str());
        headers.insert("ce-time", time.to_string().as_str());
        headers.insert("ce-datacontenttype", "application/json");
        headers
    }
}
