//! What happens, told to whoever subscribes: CloudEvents 1.0 in the NATS binding (attributes as `ce-*` headers), with
//! [`v1::EventData`] as proto3 JSON in the body. `docs/events.md` is for those who subscribe.
//!
//! Events inform; nothing in the product acts on one. Each goes through JetStream with its id as the message id, takes the
//! next number of the object that it is about, and is sent again until it is stored: once, whichever controllers tell it.

use std::{collections::HashSet, sync::Arc};

use async_nats::jetstream;
use sanfleet_protocol::{
    AttachmentId,
    v1::{self, event_data::Event},
};
use tokio::sync::mpsc;

use crate::{
    audit::{Audit, Telling},
    catalog::{Catalog, Change},
    clock::now_unix_ms,
    matching::MatchChange,
    runs::Progress,
};

mod describe;
mod id;
mod kind;
pub(crate) mod log;
mod number;
mod publisher;
mod standing;

pub use kind::EventKind;
pub use publisher::Publisher;
pub use standing::{Stand, Stander, Standing};

use log::{Log, NatsLog, Nowhere};

/// Events that may wait for the bus. When it is full, those who make events wait.
const QUEUE: usize = 8192;

/// Where events go in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Events {
    sender: mpsc::Sender<Outgoing>,
    log: Arc<dyn Log>,
}

/// An event that is not stored yet.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub id: String,
    pub kind: EventKind,
    /// The object it is about: the last token of the subject.
    pub about: String,
    at_unix_ms: i64,
    data: Event,
    teller: Teller,
}

impl Outgoing {
    pub fn data(&self) -> &Event {
        &self.data
    }
}

/// Which of several controllers that see the same tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Teller {
    /// Each of them, under the same id.
    Anyone,
    /// Each sees it at another moment, so that there is no common id: only the first of those that are there.
    First,
}

/// The two ends: events go in at the one, and are stored at the other until all senders are gone.
pub fn channel(
    jetstream: jetstream::Context,
    controller: &str,
    stand: Stand,
    audit: Audit,
) -> (Events, Publisher) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let log: Arc<dyn Log> = Arc::new(NatsLog::new(jetstream, controller));
    let log: Arc<dyn Log> = Arc::new(Telling::new(log, audit));
    (Events { sender, log: Arc::clone(&log) }, Publisher::new(receiver, log, stand))
}

impl Events {
    /// Where nobody is to be told anything.
    pub fn nowhere() -> Self {
        let (sender, mut unheard) = mpsc::channel(QUEUE);
        tokio::spawn(async move { while unheard.recv().await.is_some() {} });
        Self { sender, log: Arc::new(Nowhere) }
    }

    /// Says what a report, a heartbeat or a listing changed. The catalog is asked for the ids behind a match.
    pub async fn changed(&self, changes: Vec<Change>, id_of: impl Fn(&MatchChange) -> String) {
        for change in changes {
            self.tell(describe::change(change, &id_of, now_unix_ms())).await;
        }
    }

    /// Passes an event on to be stored.
    pub async fn tell(&self, event: Outgoing) {
        let kind = event.kind;
        if self.sender.send(event).await.is_err() {
            tracing::warn!(%kind, "event dropped: the controller is stopping");
        }
    }

    /// The ids of all stored events about an object. Waits for as long as the bus does not say.
    pub async fn stored_about(&self, about: &str) -> HashSet<String> {
        number::stored_after(self.log.as_ref(), about, 0).await.into_iter().map(|kept| kept.id).collect()
    }

    /// Says that something does not fit, or does again.
    pub async fn finding(&self, kind: EventKind, finding: v1::Finding) {
        self.tell(describe::finding(kind, finding, now_unix_ms())).await;
    }
}

/// What a journal record means to others. Its id is the record's, so that a record told twice is one event.
pub fn of_record(progress: &Progress, record: &v1::JournalRecord) -> Option<Outgoing> {
    let (kind, data) = describe::record(progress, record)?;
    let (id, about) = (record.id.clone(), progress.run.to_string());
    Some(Outgoing { id, kind, about, at_unix_ms: record.at_unix_ms, data, teller: Teller::Anyone })
}

/// What became of an attachment with this journal record. The first of a run has the record's id, as it had before there were others.
pub fn of_attachment(kind: EventKind, record: &v1::JournalRecord, attachment: v1::Attachment) -> Outgoing {
    let about = attachment.id.clone();
    let is_further = about.parse().is_ok_and(|id: AttachmentId| !id.is_first());
    let id = match is_further {
        true => format!("{}/attachment/{about}", record.id),
        false => format!("{}/attachment", record.id),
    };
    let data = Event::Attachment(attachment);
    Outgoing { id, kind, about, at_unix_ms: record.at_unix_ms, data, teller: Teller::Anyone }
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
