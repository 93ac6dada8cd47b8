//! The journal in memory: the model of the one in JetStream, held by the same tests.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{
    future::BoxFuture,
    stream::{BoxStream, StreamExt, unfold},
};
use sanfleet_controller::runs::{Appended, Entry, Journal, JournalError, Seen};
use sanfleet_driver::client::Passage;
use sanfleet_protocol::{
    RunId,
    v1::{JournalRecord, RunState, journal_record::Entry as Record},
};
use tokio::time::sleep;

use crate::{
    bell::Bell,
    link::{Link, Seam, Side},
};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What the server keeps. Its clones are the same.
#[derive(Debug, Clone)]
pub struct ModelJournal(Arc<Store>);

#[derive(Debug)]
struct Store {
    entries: Mutex<Vec<Entry>>,
    /// Runs whose records nobody reads any more.
    removed: Mutex<BTreeSet<RunId>>,
    longer: Bell,
}

/// One controller's way to it.
pub struct Client {
    journal: ModelJournal,
    link: Arc<Link>,
}

impl Default for ModelJournal {
    fn default() -> Self {
        let (entries, removed) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Store { entries, removed, longer: Bell::default() }))
    }
}

impl ModelJournal {
    pub fn client(&self, link: Arc<Link>) -> Client {
        Client { journal: self.clone(), link }
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.locked().clone()
    }

    pub fn of(&self, run: RunId) -> Vec<Entry> {
        self.locked().iter().filter(|entry| entry.run == run).cloned().collect()
    }

    /// How the run is over, unless somebody has asked for it again.
    pub fn outcome(&self, run: RunId) -> Option<RunState> {
        let entries = self.locked();
        let last = entries.iter().rev().filter(|entry| entry.run == run).find_map(|entry| {
            match &entry.record.entry {
                Some(Record::Finished(finished)) => Some(Some(finished.state())),
                Some(Record::Claimed(_)) => None,
                _ => Some(None),
            }
        });
        last.flatten()
    }

    /// Waits until the run is over.
    pub async fn over(&self, run: RunId) -> RunState {
        self.0.longer.until(|| self.outcome(run)).await
    }

    fn append(&self, run: RunId, expected: u64, record: &JournalRecord) -> Appended {
        let mut entries = self.locked();
        let newer: Vec<Entry> =
            entries.iter().filter(|entry| entry.run == run && entry.sequence > expected).cloned().collect();
        let last = entries.iter().rev().find(|entry| entry.run == run).map_or(0, |entry| entry.sequence);
        if last != expected {
            return Appended::Behind(newer);
        }
        let sequence = entries.len() as u64 + 1;
        entries.push(Entry { run, sequence, record: record.clone() });
        self.0.longer.ring();
        Appended::At(sequence)
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_removed(&self, run: RunId) -> bool {
        self.0.removed.lock().unwrap_or_else(PoisonError::into_inner).contains(&run)
    }
}

impl Client {
    /// As the real one: it asks again until it knows, for what it sent may have been stored all the same.
    async fn append_until_known(&self, run: RunId, expected: u64, record: &JournalRecord) -> Appended {
        let (what, mut pause) = (describe(record), FIRST_PAUSE);
        loop {
            if self.link.cross(Seam::Journal, &what, Side::Before).await == Passage::Open {
                let appended = self.journal.append(run, expected, record);
                if self.link.cross(Seam::Journal, &what, Side::After).await == Passage::Open {
                    return appended;
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Where a reader is, and how much there was when it began.
struct Reader {
    journal: ModelJournal,
    link: Arc<Link>,
    next: usize,
    caught_up_at: Option<usize>,
}

impl Reader {
    async fn read(mut self) -> Option<(Seen, Self)> {
        loop {
            if self.caught_up_at.is_some_and(|length| self.next >= length) {
                self.caught_up_at = None;
                return Some((Seen::CaughtUp, self));
            }
            let entry = self.journal.0.longer.until(|| self.journal.locked().get(self.next).cloned()).await;
            self.link.lives().await;
            self.link.bus.reached(&self.link.controller).await;
            self.next += 1;
            if !self.journal.is_removed(entry.run) {
                return Some((Seen::Entry(Box::new(entry)), self));
            }
        }
    }
}

impl Journal for Client {
    fn append<'a>(
        &'a self,
        run: RunId,
        expected: u64,
        record: &'a JournalRecord,
    ) -> BoxFuture<'a, Result<Appended, JournalError>> {
        Box::pin(async move {
            match self.journal.is_removed(run) {
                true => Err(JournalError::Forgotten { run }),
                false => Ok(self.append_until_known(run, expected, record).await),
            }
        })
    }

    fn read(&self, run: RunId) -> BoxFuture<'_, Result<Vec<Entry>, JournalError>> {
        let of_run = if self.journal.is_removed(run) { Vec::new() } else { self.journal.of(run) };
        Box::pin(async move { Ok(of_run) })
    }

    fn remove(&self, run: RunId) -> BoxFuture<'_, Result<(), JournalError>> {
        self.journal.0.removed.lock().unwrap_or_else(PoisonError::into_inner).insert(run);
        Box::pin(async { Ok(()) })
    }

    fn follow(&self) -> BoxStream<'static, Seen> {
        let (journal, link) = (self.journal.clone(), Arc::clone(&self.link));
        let caught_up_at = Some(journal.locked().len());
        unfold(Reader { journal, link, next: 0, caught_up_at }, Reader::read).boxed()
    }
}

/// A record in few words.
pub fn describe(record: &JournalRecord) -> String {
    match &record.entry {
        None => "nothing".to_owned(),
        Some(Record::Created(_)) => "created".to_owned(),
        Some(Record::Claimed(_)) => "claimed".to_owned(),
        Some(Record::Controlled(entry)) => format!("controlled {}", entry.verb().as_str_name()),
        Some(Record::StepStarted(entry)) => format!("step_started {}", entry.step),
        Some(Record::StepDone(entry)) => format!("step_done {}", entry.step),
        Some(Record::StepFailed(entry)) => format!("step_failed {}: {}", entry.step, entry.error),
        Some(Record::UndoStarted(entry)) => format!("undo_started {}", entry.step),
        Some(Record::UndoDone(entry)) => format!("undo_done {}", entry.step),
        Some(Record::UndoFailed(entry)) => format!("undo_failed {}: {}", entry.step, entry.error),
        Some(Record::Finished(entry)) => format!("finished {}", entry.state().as_str_name()),
    }
}
