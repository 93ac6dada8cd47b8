//! How the audit learns that a run is over: the event that says so passes through here, and is written down before it is stored. An
//! event that is told once more because its teller died may be written down twice; none goes missing.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use futures::future::BoxFuture;
use sanfleet_protocol::v1::{self, event_data::Event};

use super::Audit;
use crate::events::{
    EventKind, Outgoing,
    log::{Appended, Kept, Log, Silent},
};

/// So many events are remembered that may be stored at a second try.
const REMEMBERED: usize = 256;

/// A log of events that the audit listens to.
#[derive(Debug)]
pub struct Telling {
    log: Arc<dyn Log>,
    audit: Audit,
    /// The ids of events that were written down, the newest last.
    heard: Mutex<VecDeque<String>>,
}

impl Telling {
    pub fn new(log: Arc<dyn Log>, audit: Audit) -> Self {
        Self { log, audit, heard: Mutex::default() }
    }

    async fn hear(&self, event: &Outgoing) {
        let Some(ended) = end_of(event).filter(|_| self.is_new(&event.id)) else { return };
        if let Err(error) = self.audit.ended(ended).await {
            tracing::error!(run = %event.about, %error, "the end of a run is missing in the audit");
        }
    }

    fn is_new(&self, id: &str) -> bool {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = heard.iter().all(|known| known != id);
        if is_new {
            heard.push_back(id.to_owned());
            while heard.len() > REMEMBERED {
                heard.pop_front();
            }
        }
        is_new
    }
}

/// Of whole runs alone: a part is one of thousands, and the whole says what became of them.
fn end_of(event: &Outgoing) -> Option<v1::AuditEnded> {
    match event.data() {
        Event::Run(change) if event.kind == EventKind::RunFinished && change.whole.is_empty() => {
            let (run, error) = (change.run.clone(), change.error.clone());
            Some(v1::AuditEnded { run, state: change.state, error })
        }
        _ => None,
    }
}

impl Log for Telling {
    fn append<'a>(
        &'a self,
        event: &'a Outgoing,
        number: u64,
        expected: u64,
    ) -> BoxFuture<'a, Result<Appended, Silent>> {
        Box::pin(async move {
            self.hear(event).await;
            self.log.append(event, number, expected).await
        })
    }

    fn newest<'a>(&'a self, about: &'a str) -> BoxFuture<'a, Result<Option<Kept>, Silent>> {
        self.log.newest(about)
    }

    fn next<'a>(&'a self, about: &'a str, after: u64) -> BoxFuture<'a, Result<Option<Kept>, Silent>> {
        self.log.next(about, after)
    }
}
