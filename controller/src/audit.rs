//! The record of who asked for what, what was decided, and what became of it.
//!
//! A request that changes something is written down before it is looked at; when that cannot be done, the request is refused. The
//! record is a chain ([`sanfleet_protocol::audit`]) that all controllers write together. This module removes and changes
//! nothing, and keeps no password.

use std::{sync::Arc, time::Duration};

use prost::Message as _;
use sanfleet_protocol::{
    BusUser, ControllerId,
    audit::{self, Broken, Link},
    limits::{AUDIT_REQUEST_BYTES, legible},
    sign::CommandKey,
    v1::{self, audit_record::Entry},
};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};

mod store;
mod tell;

pub use store::{Appended, AuditStore, NatsStore, Silent, Stored};
pub use tell::Telling;

use crate::clock::Clock;

/// Other controllers write as well; somebody always gets through, and after so many turns it should have been us.
const TRIES: u32 = 64;
/// How long a store that does not answer is waited for: whoever asks is waiting too.
const PATIENCE: Duration = Duration::from_secs(7);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Why something could not be written down.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("the audit cannot be reached")]
    Silent(#[from] Silent),
    #[error("the last record of the audit cannot be read")]
    Broken(#[from] Broken),
    #[error("others kept writing to the audit")]
    Crowded,
}

/// What was asked, by its record's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked(u64);

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Audit {
    store: Arc<dyn AuditStore>,
    key: CommandKey,
    controller: ControllerId,
    clock: Clock,
    /// Where the next record goes, as far as we know. Held while one is written.
    end: Arc<Mutex<Option<End>>>,
}

/// The last record, and its sequence in the store.
#[derive(Debug, Clone, Copy)]
struct End {
    link: Option<Link>,
    sequence: u64,
}

impl Audit {
    pub fn new(store: Arc<dyn AuditStore>, key: CommandKey, controller: ControllerId, clock: Clock) -> Self {
        Self { store, key, controller, clock, end: Arc::default() }
    }

    /// Before anything is done about it. Of a long request the beginning is kept: a record that is too large to be read again would be
    /// the last one.
    pub async fn asked(&self, by: &BusUser, operation: &str, request: &str) -> Result<Asked, AuditError> {
        let (operation, request) = (operation.to_owned(), shortened(request));
        let asked = v1::AuditAsked { by: by.to_string(), operation, request };
        Ok(Asked(self.write(Entry::Asked(asked)).await?))
    }

    /// What came of it at once.
    pub async fn decided(
        &self,
        asked: Asked,
        run: String,
        refused: Option<v1::ApiError>,
    ) -> Result<(), AuditError> {
        let refused = refused.map(|refused| v1::ApiError {
            message: legible(&refused.message),
            hint: legible(&refused.hint),
            ..refused
        });
        self.write(Entry::Decided(v1::AuditDecided { asked: asked.0, run, refused })).await.map(drop)
    }

    /// What came of it in the end.
    pub async fn ended(&self, ended: v1::AuditEnded) -> Result<(), AuditError> {
        let ended = v1::AuditEnded { error: legible(&ended.error), ..ended };
        self.write(Entry::Ended(ended)).await.map(drop)
    }

    async fn write(&self, entry: Entry) -> Result<u64, AuditError> {
        let record = v1::AuditRecord {
            at_unix_ms: (self.clock)(),
            controller: self.controller.to_string(),
            entry: Some(entry),
            ..Default::default()
        };
        // Who waits for others waits no longer than they do.
        let (mut sent, mut pause, until) = (None, FIRST_PAUSE, Instant::now() + PATIENCE);
        let mut known = self.end.lock().await;
        for _ in 0..TRIES {
            match self.write_once(&mut known, &record, &mut sent).await {
                Ok(Some(number)) => return Ok(number),
                Ok(None) => {}
                // A cluster that has lost a server has no leader for a while.
                Err(AuditError::Silent(_)) if Instant::now() + pause < until => {
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
        Err(AuditError::Crowded)
    }

    /// `None` when somebody else was first. `sent`: what may have been stored, though nobody said so.
    async fn write_once(
        &self,
        known: &mut Option<End>,
        record: &v1::AuditRecord,
        sent: &mut Option<(Vec<u8>, Link)>,
    ) -> Result<Option<u64>, AuditError> {
        // Whatever goes wrong, the end is looked for afresh the next time.
        let end = match known.take() {
            Some(end) => end,
            None => {
                let last = self.store.last().await?;
                if let (Some(Stored { record, sequence }), Some((bytes, link))) = (&last, &*sent)
                    && record == bytes
                {
                    *known = Some(End { link: Some(*link), sequence: *sequence });
                    return Ok(Some(link.number));
                }
                End::after(last)?
            }
        };
        let (signed, link) = audit::next(end.link, record.clone(), &self.key);
        let bytes = signed.encode_to_vec();
        *sent = Some((bytes.clone(), link));
        match self.store.append(bytes, end.sequence).await? {
            Appended::Moved => Ok(None),
            Appended::At(sequence) => {
                *known = Some(End { link: Some(link), sequence });
                Ok(Some(link.number))
            }
        }
    }
}

/// Not longer than the audit keeps, and cut between characters.
fn shortened(request: &str) -> String {
    if request.len() <= AUDIT_REQUEST_BYTES {
        return request.to_owned();
    }
    let end = (0..=AUDIT_REQUEST_BYTES).rev().find(|end| request.is_char_boundary(*end)).unwrap_or_default();
    format!("{}…", request.get(..end).unwrap_or_default())
}

impl End {
    fn after(last: Option<Stored>) -> Result<Self, Broken> {
        Ok(match last {
            None => Self { link: None, sequence: 0 },
            Some(Stored { record, sequence }) => Self { link: Some(audit::link_of(&record)?), sequence },
        })
    }
}

#[cfg(test)]
mod tests;
