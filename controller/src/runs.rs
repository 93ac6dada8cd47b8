//! Runs: durable procedures. [`Runs`] starts them, follows them whoever carries them out, carries on those whose owner is
//! gone, and shows how far they are.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use futures::{StreamExt, future::BoxFuture};
use sanfleet_protocol::{
    ArrayId, ControllerId, HostId, MountPoint, RunId, VolumeId,
    v1::{self, RunState, RunVerb, journal_record::Entry as Record},
};
use tokio::{
    sync::Notify,
    time::{Instant, interval, timeout},
};
use uuid::Uuid;

pub mod adopt;
mod any;
pub mod backup_attach;
pub mod backup_detach;
pub mod clone_volume;
mod engine;
mod error;
mod estimate;
mod fan_out;
pub mod forget;
pub mod host_retire;
mod journal;
mod known;
mod minted;
mod outputs;
mod owners;
mod params;
mod parts;
mod procedure;
mod progress;
pub mod provision;
#[cfg(test)]
mod recorded;
mod register;
pub mod repair;
pub mod rollout;
mod seen;
mod show;
mod tell;
mod throttle;
pub mod volume_delete;
pub mod volume_detach;
pub mod volume_move;
pub mod volume_resize;
mod waves;

pub use adopt::Adopt;
pub use any::{AnyProcedure, name_of};
pub use backup_attach::{BackupAttach, Copying};
pub use backup_detach::BackupDetach;
pub use clone_volume::{CloneVolume, NewIdentity};
pub use host_retire::HostRetire;
pub use journal::{Appended, Entry, Journal, JournalError, NatsJournal, Seen};
pub use minted::{Fate, Minted, MintedVolumes};
pub use params::ParamsError;
pub use parts::{Placement, array_volume::ArrayVolume, attached::Attached};
pub use procedure::{Place, Procedure, Step, Undo, World};
pub use progress::{ControlRefused, Progress, Shape};
pub use provision::Provision;
pub use repair::Repair;
pub use rollout::{Rollout, Target, Template};
pub use seen::{OpenRun, RunsSeen, StuckRun};
pub use volume_delete::VolumeDelete;
pub use volume_detach::VolumeDetach;
pub use volume_move::VolumeMove;
pub use volume_resize::{Seen as SeenVolume, VolumeResize};
pub use waves::Limits;

use crate::{events::Events, failpoint::hold_at};
use engine::Engine;
use estimate::Estimates;
use known::{Known, arrays_of};
use owners::Owners;
use register::Register;
use tell::Untold;
use throttle::Throttle;

/// How often runs without an owner are looked for.
const LOOK: Duration = Duration::from_millis(250);

/// The runs of the fleet, as one controller sees them. Cheap to clone.
#[derive(Clone)]
pub struct Runs(Arc<Inner>);

struct Inner {
    controller: ControllerId,
    journal: Arc<dyn Journal>,
    events: Events,
    world: World,
    known: RwLock<Known>,
    owners: Mutex<Owners>,
    /// Those that this controller carries out.
    executing: Mutex<BTreeSet<RunId>>,
    throttle: Throttle,
    /// Those of them whose records others wrote, until they are claimed.
    taken_over: Mutex<BTreeSet<RunId>>,
    /// Rung with every record; whoever waits for one looks again, in the order in which they came.
    records: Notify,
}

/// Why a run does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("no run has the id {0}")]
    Unknown(RunId),
    #[error(transparent)]
    Refused(#[from] ControlRefused),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Runs {
    pub fn new(controller: ControllerId, journal: Arc<dyn Journal>, events: Events, world: World) -> Self {
        let owners = Mutex::new(Owners::new(controller.clone(), Instant::now()));
        Self(Arc::new(Inner {
            controller,
            journal,
            events,
            world,
            known: RwLock::default(),
            owners,
            executing: Mutex::default(),
            throttle: Throttle::default(),
            taken_over: Mutex::default(),
            records: Notify::new(),
        }))
    }

    /// Reads all journals, then follows them, and carries on every run that has no other owner.
    pub async fn recover(&self) {
        let mut seen = self.0.journal.follow();
        while let Some(Seen::Entry(entry)) = seen.next().await {
            self.0.learn(&entry);
        }
        let known = self.0.known();
        tracing::info!(runs = known.all().count(), unfinished = known.open().count(), "journals read");
        drop(known);
        let runs = self.clone();
        tokio::spawn(async move {
            while let Some(seen) = seen.next().await {
                if let Seen::Entry(entry) = seen {
                    runs.0.learn(&entry);
                }
            }
        });
        tokio::spawn(self.clone().look_after_runs_without_owner());
    }

    async fn look_after_runs_without_owner(self) {
        let mut ticks = interval(LOOK);
        let mut untold = Untold::at_start(&self.0.known(), (self.0.world.clock)());
        loop {
            ticks.tick().await;
            let now = Instant::now();
            self.tell_again(untold.due(&self.0.known(), &self.0.owners(), now, (self.0.world.clock)()));
            let without: Vec<Progress> = {
                let (known, owners, executing) = (self.0.known(), self.0.owners(), self.0.executing());
                let open = known.open().filter(|run| !executing.contains(&run.run));
                open.filter(|run| owners.may_claim(run.run, &run.owner, now)).cloned().collect()
            };
            for progress in without {
                tracing::info!(run = %progress.run, owner = progress.owner, "taking the run over");
                self.0.taken_over().insert(progress.run);
                self.carry_on(progress);
            }
        }
    }

    fn tell_again(&self, over: Vec<RunId>) {
        if over.is_empty() {
            return;
        }
        let runs = self.clone();
        tokio::spawn(async move {
            for run in over {
                runs.0.tell_again(run).await;
            }
        });
    }

    /// Notes that a controller said that it is there.
    pub fn heard(&self, controller: ControllerId) {
        self.0.owners().heard(controller, Instant::now());
    }

    /// Notes that a controller said goodbye.
    pub fn left(&self, controller: &ControllerId) {
        self.0.owners().left(controller, Instant::now());
    }

    /// The controllers that are there.
    pub fn controllers(&self) -> Vec<ControllerId> {
        let mut alive: Vec<ControllerId> = self.0.owners().alive(Instant::now()).cloned().collect();
        alive.sort();
        alive
    }

    /// Starts a run: it is in the journal when this returns, and nothing has been touched yet.
    pub async fn start(&self, run: RunId, procedure: &AnyProcedure) -> Result<(), JournalError> {
        self.begin(run, None, procedure).await
    }

    async fn begin(
        &self,
        run: RunId,
        whole: Option<RunId>,
        procedure: &AnyProcedure,
    ) -> Result<(), JournalError> {
        let parent = whole.map(|whole| whole.to_string()).unwrap_or_default();
        let created = v1::RunCreated { procedure: Some(procedure.into()), parent };
        let inner = &self.0;
        let (journal, controller) = (inner.journal.as_ref(), inner.controller.as_str());
        let Some((sequence, record)) =
            engine::create(journal, &inner.world, controller, run, created).await?
        else {
            return Ok(());
        };
        if let Some(progress) = Progress::begin(run, sequence, &record, any::shapes_of) {
            inner.take_in(&progress, &record).await;
            self.carry_on(progress);
        }
        Ok(())
    }

    /// Asks something of a run, whoever carries it out.
    pub async fn control(&self, run: RunId, verb: RunVerb, by: &str) -> Result<(), ControlError> {
        let controlled = v1::RunControlled { verb: verb.into(), by: by.to_owned() };
        let inner = &self.0;
        let record =
            engine::new_record(&inner.world, inner.controller.as_str(), Record::Controlled(controlled));
        let mut progress = inner.known().get(run).cloned().ok_or(ControlError::Unknown(run))?;
        loop {
            progress.allows(verb)?;
            match inner.journal.append(run, progress.last_sequence, &record).await? {
                Appended::At(sequence) => {
                    progress.apply(sequence, &record);
                    break;
                }
                Appended::Behind(entries) => {
                    let stored = entries.iter().any(|entry| entry.record.id == record.id);
                    entries.iter().for_each(|entry| progress.apply(entry.sequence, &entry.record));
                    if stored {
                        break;
                    }
                }
            }
        }
        inner.take_in(&progress, &record).await;
        if verb == RunVerb::Retry {
            // Who had it has long let go of it; whoever is quicker takes it.
            self.carry_on(progress);
        }
        Ok(())
    }

    fn carry_on(&self, progress: Progress) {
        let run = progress.run;
        if !self.0.executing().insert(run) {
            return;
        }
        let runs = self.clone();
        let arrays = &runs.0.world.arrays;
        let in_use: Vec<_> =
            arrays_of(&progress).iter().filter_map(|array| arrays.begin_use(array)).collect();
        tokio::spawn(async move {
            let _in_use = in_use;
            match runs.execute(progress).await {
                Ok(state) => tracing::info!(%run, state = state.as_str_name(), "run is over"),
                Err(error) => tracing::warn!(%run, %error, "this controller stops carrying the run on"),
            }
            runs.0.executing().remove(&run);
        });
    }

    async fn execute(&self, progress: Progress) -> Result<RunState, JournalError> {
        let inner = &self.0;
        let (journal, controller) = (inner.journal.as_ref(), inner.controller.as_str());
        let engine = Engine { journal, register: self, world: &inner.world, controller };
        match AnyProcedure::try_from(progress.procedure.as_ref()) {
            Ok(procedure) => {
                let _inside = match progress.whole {
                    Some(_) => Some(inner.throttle.enter(&procedure).await),
                    // Somebody waits for this one.
                    None => None,
                };
                let progress = self.taken_back_if_left_over(progress).await?;
                procedure.execute(&engine, progress).await
            }
            Err(error) => {
                tracing::error!(run = %progress.run, %error, "parameters in the journal cannot be read");
                Ok(progress.state)
            }
        }
    }

    /// Cancels a part that has touched nothing yet and that nobody waits for: its record was written by one who no longer owned the
    /// whole, and the whole is over. A part that the whole still waits for goes on, whoever began it.
    async fn taken_back_if_left_over(&self, progress: Progress) -> Result<Progress, JournalError> {
        let Some(whole) = progress.whole.filter(|_| progress.is_unbegun()) else { return Ok(progress) };
        // What became of the whole before the part's own record is known then.
        self.0.until(|known| (known.followed() >= progress.last_sequence).then_some(())).await;
        let has_ended = |whole: &Progress| whole.is_finished() || whole.cancelled;
        if !self.0.known().get(whole).is_some_and(has_ended) {
            return Ok(progress);
        }
        match self.control(progress.run, RunVerb::Cancel, "the run that it is a part of, which is over").await
        {
            Ok(()) | Err(ControlError::Refused(_) | ControlError::Unknown(_)) => {}
            Err(ControlError::Journal(error)) => return Err(error),
        }
        Ok(self.0.known().get(progress.run).cloned().unwrap_or(progress))
    }

    /// All runs that somebody asked for, the newest first.
    pub fn list(&self, limit: usize) -> Vec<v1::Run> {
        let known = self.0.known();
        let estimates = Estimates::of(&known);
        let asked_for = known.all().filter(|run| run.whole.is_none()).take(limit);
        asked_for.map(|run| show::show(&known, &estimates, run)).collect()
    }

    /// The runs that are parts of this one.
    pub fn parts(&self, whole: RunId) -> Vec<v1::Run> {
        let known = self.0.known();
        let estimates = Estimates::of(&known);
        known.parts(whole).map(|run| show::show(&known, &estimates, run)).collect()
    }

    /// Those that are not over, parts of others left out.
    pub fn unfinished(&self) -> Vec<v1::Run> {
        let known = self.0.known();
        let estimates = Estimates::of(&known);
        let open = known.open().filter(|run| run.whole.is_none());
        open.map(|run| show::show(&known, &estimates, run)).collect()
    }

    /// Waits until the run is known here, and no longer than this for one that may not exist.
    pub async fn wait_for(&self, run: RunId, at_most: Duration) {
        let known = self.0.until(|known| known.get(run).map(drop));
        // Whoever asks finds out which of the two it was.
        let _ = timeout(at_most, known).await;
    }

    /// The runs whose id begins or ends with this text.
    pub fn find(&self, text: &str) -> Vec<v1::Run> {
        let known = self.0.known();
        let estimates = Estimates::of(&known);
        known.find(text).map(|run| show::show(&known, &estimates, run)).collect()
    }

    /// What is attached now: made by a run that succeeded and not taken down by another.
    pub fn attachments(&self) -> Vec<v1::Attachment> {
        self.0.known().attachments().cloned().collect()
    }

    /// The unfinished run, if any, that is about to use or free this mount point.
    pub fn busy_with(&self, host: &HostId, mount_point: &MountPoint) -> Option<RunId> {
        self.0.known().busy_with(host, mount_point)
    }

    /// Who uses which place, in words: attachments, and runs that are not over.
    pub fn occupied(&self) -> BTreeMap<(HostId, MountPoint), String> {
        self.0.known().occupied()
    }

    /// Who uses this volume: attachments, and runs that are not over or stuck, each in words.
    pub fn using(&self, volume: &VolumeId) -> Vec<String> {
        self.0.known().using(volume, None)
    }

    /// What a run does.
    pub fn procedure(&self, run: RunId) -> Option<AnyProcedure> {
        AnyProcedure::try_from(self.0.known().get(run)?.procedure.as_ref()).ok()
    }

    /// All that accounts for what is on arrays and hosts, now.
    pub fn seen(&self) -> RunsSeen {
        seen::seen(&self.0.known())
    }

    /// The unfinished run, if any, that does just this.
    pub fn doing(&self, procedure: &AnyProcedure) -> Option<RunId> {
        self.0.known().doing(&procedure.into())
    }

    /// What needs this array still: runs that are not over or stuck, and attachments, each in words.
    pub fn needing(&self, array: &ArrayId) -> Vec<String> {
        self.0.known().needing(array)
    }

    pub fn mint() -> RunId {
        RunId::new(Uuid::now_v7())
    }
}

impl Inner {
    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_mut(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn owners(&self) -> MutexGuard<'_, Owners> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn executing(&self) -> MutexGuard<'_, BTreeSet<RunId>> {
        self.executing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks again with every record, until there is what is looked for.
    async fn until<T>(&self, find: impl Fn(&Known) -> Option<T>) -> T {
        loop {
            // Listening before looking: what is recorded in between is not missed.
            let mut rung = pin!(self.records.notified());
            rung.as_mut().enable();
            if let Some(found) = find(&self.known()) {
                return found;
            }
            rung.await;
        }
    }

    fn taken_over(&self) -> MutexGuard<'_, BTreeSet<RunId>> {
        self.taken_over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, entry: &Entry) {
        self.known_mut().learn(entry);
        // Of what was known before, it is news that it was followed.
        self.records.notify_waiters();
    }

    /// Takes in a record that this controller wrote, and tells it.
    async fn take_in(&self, progress: &Progress, record: &v1::JournalRecord) {
        if self.known_mut().put(progress.clone()) {
            self.records.notify_waiters();
        }
        if let Some(Record::Claimed(_)) = &record.entry
            && self.taken_over().remove(&progress.run)
        {
            // Nobody else writes into this journal from here on, and nothing of ours has been told yet: the order stays.
            self.tell_again(progress.run).await;
        }
        hold_at(match &record.entry {
            Some(Record::Finished(_)) => "controller.finished.untold",
            _ => "controller.record.untold",
        });
        self.tell(progress, record).await;
        if let Some(Record::StepDone(_) | Record::UndoDone(_) | Record::Finished(_)) = &record.entry {
            // What we changed on an array is looked at again at once, so that the catalog shows it.
            for array in arrays_of(progress) {
                self.world.arrays.look_again(&array);
            }
        }
    }
}

impl Register for Runs {
    fn recorded<'a>(&'a self, progress: &'a Progress, record: &'a v1::JournalRecord) -> BoxFuture<'a, ()> {
        Box::pin(self.0.take_in(progress, record))
    }

    fn latest(&self, run: RunId) -> Option<Progress> {
        self.0.known().get(run).cloned()
    }

    fn state(&self, run: RunId) -> Option<RunState> {
        Some(self.0.known().get(run)?.state)
    }

    fn using(&self, volume: &VolumeId, except: RunId) -> Vec<String> {
        self.0.known().using(volume, Some(except))
    }

    fn ended_parts(&self, whole: RunId) -> u64 {
        self.0.known().ended_parts(whole)
    }

    fn parts_moved(&self, whole: RunId, ended: u64, sequence: u64) -> BoxFuture<'_, u64> {
        let moved = move |known: &Known| {
            let now = known.ended_parts(whole);
            let asked = known.get(whole).is_some_and(|run| run.last_sequence > sequence);
            (now > ended || asked).then_some(now)
        };
        Box::pin(async move { self.0.until(moved).await })
    }

    fn moved(&self, run: RunId, after: u64) -> BoxFuture<'_, ()> {
        let moved = move |known: &Known| known.get(run).filter(|run| run.last_sequence > after).map(drop);
        Box::pin(async move { self.0.until(moved).await })
    }

    fn start_part<'a>(
        &'a self,
        whole: RunId,
        part: RunId,
        procedure: &'a AnyProcedure,
    ) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(self.begin(part, Some(whole), procedure))
    }

    fn ask(&self, run: RunId, verb: RunVerb) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Err(error) = self.control(run, verb, "the run that it is a part of").await {
                tracing::debug!(%run, %error, "not asked");
            }
        })
    }
}
