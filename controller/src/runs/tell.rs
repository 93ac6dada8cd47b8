//! What is told of runs: each record as it is written, and once more where its writer may have died before it was told.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    time::Duration,
};

use sanfleet_protocol::{
    ControllerId, RunId,
    v1::{JournalRecord, RunState, journal_record::Entry as Record},
};
use tokio::time::{Instant, sleep};

use super::{
    Inner, any,
    any::AnyProcedure,
    known::{Known, attachments},
    owners::Owners,
    progress::Progress,
};
use crate::events::{self, EventKind, Outgoing};

/// What is older was told or never will be: far less than the stream keeps events for.
const TOLD_AGAIN_MS: i64 = 24 * 3600 * 1000;
const PAUSE: Duration = Duration::from_secs(1);

/// What a record means to others. `progress` is how far the run had come with it.
pub fn events_of(progress: &Progress, record: &JournalRecord) -> Vec<Outgoing> {
    let mut told: Vec<Outgoing> = events::of_record(progress, record).into_iter().collect();
    if progress.state == RunState::Succeeded
        && matches!(record.entry, Some(Record::Finished(_)))
        && let Ok(procedure) = AnyProcedure::try_from(progress.procedure.as_ref())
    {
        let gone = procedure.removes().into_iter().cloned();
        told.extend(gone.map(|gone| events::of_attachment(EventKind::AttachmentRemoved, record, gone)));
        let ready = attachments(&procedure, progress).into_iter().map(|(_, ready)| ready);
        told.extend(ready.map(|ready| events::of_attachment(EventKind::AttachmentReady, record, ready)));
    }
    told
}

impl Inner {
    pub(super) async fn tell(&self, progress: &Progress, record: &JournalRecord) {
        for event in events_of(progress, record) {
            self.events.tell(event).await;
        }
    }

    /// Tells every record of a run that others wrote and whose event is not stored, in their order.
    pub(super) async fn tell_again(&self, run: RunId) {
        let since = (self.world.clock)().saturating_sub(TOLD_AGAIN_MS);
        let mut stored: BTreeMap<String, HashSet<String>> = BTreeMap::new();
        let mut progress: Option<Progress> = None;
        for entry in self.journal_of(run).await {
            match &mut progress {
                Some(progress) => progress.apply(entry.sequence, &entry.record),
                None => progress = Progress::begin(run, entry.sequence, &entry.record, any::shapes_of),
            }
            let Some(progress) = progress.as_ref().filter(|_| entry.record.at_unix_ms > since) else {
                continue;
            };
            for event in events_of(progress, &entry.record) {
                if !stored.contains_key(&event.about) {
                    stored.insert(event.about.clone(), self.events.stored_about(&event.about).await);
                }
                if stored.get(&event.about).is_some_and(|stored| !stored.contains(&event.id)) {
                    tracing::info!(%run, kind = %event.kind, "telling what was not told");
                    self.events.tell(event).await;
                }
            }
        }
    }

    async fn journal_of(&self, run: RunId) -> Vec<super::Entry> {
        loop {
            match self.journal.read(run).await {
                Ok(entries) => return entries,
                Err(error) => tracing::warn!(%run, %error, "the journal cannot be read, trying again"),
            }
            sleep(PAUSE).await;
        }
    }
}

/// Runs that are over, whose last records may not have been told: nobody claims them any more.
#[derive(Debug)]
pub struct Untold {
    runs: BTreeMap<RunId, String>,
    alive: BTreeSet<ControllerId>,
}

impl Untold {
    /// When a controller starts, that is so for every run of late.
    pub fn at_start(known: &Known, now_unix_ms: i64) -> Self {
        let runs = over_since(known, now_unix_ms).map(|run| (run.run, run.owner.clone()));
        Self { runs: runs.collect(), alive: BTreeSet::new() }
    }

    /// Those whose owner is gone, each once. A controller that is there tells its own.
    pub fn due(&mut self, known: &Known, owners: &Owners, now: Instant, now_unix_ms: i64) -> Vec<RunId> {
        let alive: BTreeSet<ControllerId> = owners.alive(now).cloned().collect();
        let left: Vec<&ControllerId> = self.alive.difference(&alive).collect();
        if !left.is_empty() {
            let theirs = over_since(known, now_unix_ms)
                .filter(|run| left.iter().any(|owner| owner.as_str() == run.owner));
            self.runs.extend(theirs.map(|run| (run.run, run.owner.clone())));
        }
        let (due, later): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut self.runs)
            .into_iter()
            .partition(|(run, owner)| owners.may_claim(*run, owner, now));
        // Who was heard meanwhile is there, and has told or will tell.
        let is_there = |owner: &String| alive.iter().any(|controller| controller.as_str() == owner);
        self.runs = later.into_iter().filter(|(_, owner)| !is_there(owner)).collect();
        self.alive = alive;
        due.into_keys().collect()
    }
}

fn over_since(known: &Known, now_unix_ms: i64) -> impl Iterator<Item = &Progress> {
    let since = now_unix_ms.saturating_sub(TOLD_AGAIN_MS);
    known.all().filter(move |run| run.is_finished() && run.last_at_unix_ms > since)
}
