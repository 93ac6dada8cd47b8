//! The engine against a procedure whose world is a set of names: a step puts its name in, its undo takes it out.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::{
    future::BoxFuture,
    stream::{BoxStream, StreamExt},
};
use sanfleet_protocol::{
    ArrayId, HostId, VolumeId,
    v1::{RunVerb, command::Action},
};

use super::*;
use crate::{
    agents::{AgentError, Agents, Order},
    arrays::Arrays,
    clock::now_unix_ms,
    lease::Lease,
    runs::{
        AnyProcedure, ParamsError,
        journal::{Entry as Stored, Seen},
        procedure::{Place, Step, boxed},
    },
    secrets::Passwords,
    state::SharedCatalog,
    stored_hosts::{NotesError, NotesKeeper},
};

/// What the steps do, and what goes wrong with them.
#[derive(Default)]
struct Script {
    done: Mutex<BTreeSet<&'static str>>,
    /// Step → how often its act fails (after its effect), and whether trying again may help.
    act_fails: BTreeMap<&'static str, (usize, bool)>,
    undo_fails: BTreeMap<&'static str, (usize, bool)>,
    acts: Mutex<Vec<&'static str>>,
    failures: AtomicUsize,
    /// Steps whose first try never comes back.
    hangs: BTreeSet<&'static str>,
}

struct Scripted(Arc<Script>);

impl Scripted {
    fn fail(&self, table: &BTreeMap<&'static str, (usize, bool)>, step: &str) -> Result<(), StepError> {
        let Some((times, retryable)) = table.get(step) else { return Ok(()) };
        if self.0.failures.fetch_add(1, Ordering::Relaxed) >= *times {
            return Ok(());
        }
        Err(if *retryable {
            StepError::NotVerified("not yet".into())
        } else {
            StepError::Refused("no".into())
        })
    }
}

async fn put(here: Here<'_, Scripted>) -> Result<Option<v1::step_output::Output>, StepError> {
    here.params.0.acts.lock().unwrap().push(here.step);
    if here.params.0.hangs.contains(here.step) && here.attempt == 1 {
        std::future::pending::<()>().await;
    }
    here.params.0.done.lock().unwrap().insert(here.step);
    here.params.fail(&here.params.0.act_fails, here.step)?;
    Ok(None)
}

async fn take_out(here: Here<'_, Scripted>) -> Result<(), StepError> {
    here.params.fail(&here.params.0.undo_fails, here.step)?;
    here.params.0.done.lock().unwrap().remove(here.step);
    Ok(())
}

const PATIENCE: Patience =
    Patience { attempts: 3, within: Duration::from_secs(60), silence: Duration::from_secs(10) };

impl Procedure for Scripted {
    const NAME: &'static str = "scripted";
    const STEPS: &'static [Step<Self>] = &[
        Step {
            name: "look",
            act: |here| {
                boxed(async move { here.params.fail(&here.params.0.act_fails, here.step).map(|()| None) })
            },
            undo: Undo::None("it only looks"),
            patience: PATIENCE,
        },
        Step { name: "one", act: |here| boxed(put(here)), undo: UNDO, patience: PATIENCE },
        Step { name: "two", act: |here| boxed(put(here)), undo: UNDO, patience: PATIENCE },
        Step { name: "three", act: |here| boxed(put(here)), undo: UNDO, patience: PATIENCE },
    ];

    type Message = ();

    fn to_message(&self) {}

    fn from_message(_: &()) -> Result<Self, ParamsError> {
        Err(ParamsError::Missing { field: "script" })
    }

    fn title(&self) -> String {
        String::new()
    }

    fn array(&self) -> Option<ArrayId> {
        None
    }

    fn places(&self) -> Vec<Place> {
        Vec::new()
    }

    fn volumes(&self) -> Vec<VolumeId> {
        Vec::new()
    }
}

const UNDO: Undo<Scripted> = Undo::By { act: |here| boxed(take_out(here)), says: "take it out" };

/// A journal in memory. After `room` records it stops, as if the executor had been killed just then.
#[derive(Default)]
struct MemoryJournal {
    entries: Mutex<Vec<Stored>>,
    room: Mutex<Option<usize>>,
    /// Records that others write right after this many.
    others: Mutex<Vec<(usize, Entry)>>,
}

impl MemoryJournal {
    fn push(&self, entries: &mut Vec<Stored>, run: RunId, record: v1::JournalRecord) -> u64 {
        let sequence = entries.last().map_or(0, |entry| entry.sequence) + 1;
        entries.push(Stored { run, sequence, record });
        let now: Vec<Entry> = {
            let mut others = self.others.lock().unwrap();
            let (now, later) = others.drain(..).partition(|(after, _)| *after == entries.len());
            *others = later;
            now.into_iter().map(|(_, entry): (usize, Entry)| entry).collect()
        };
        for (n, entry) in now.into_iter().enumerate() {
            let record = v1::JournalRecord {
                id: format!("other {n} {sequence}"),
                controller: "c2".into(),
                at_unix_ms: now_unix_ms(),
                entry: Some(entry),
                ..Default::default()
            };
            self.push(entries, run, record);
        }
        sequence
    }
}

impl Journal for MemoryJournal {
    fn append<'a>(
        &'a self,
        run: RunId,
        expected: u64,
        record: &'a v1::JournalRecord,
    ) -> BoxFuture<'a, Result<Appended, JournalError>> {
        Box::pin(async move {
            let mut entries = self.entries.lock().unwrap();
            let last = entries.last().map_or(0, |entry| entry.sequence);
            if last != expected {
                let newer = entries.iter().filter(|entry| entry.sequence > expected);
                return Ok(Appended::Behind(newer.cloned().collect()));
            }
            if let Some(room) = self.room.lock().unwrap().as_mut() {
                match room.checked_sub(1) {
                    Some(left) => *room = left,
                    None => return Err(JournalError::Unreadable("killed".into())),
                }
            }
            Ok(Appended::At(self.push(&mut entries, run, record.clone())))
        })
    }

    fn read(&self, _: RunId) -> BoxFuture<'_, Result<Vec<Stored>, JournalError>> {
        Box::pin(async { Ok(self.entries.lock().unwrap().clone()) })
    }

    fn remove(&self, _: RunId) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(async {
            self.entries.lock().unwrap().clear();
            Ok(())
        })
    }

    fn follow(&self) -> BoxStream<'static, Seen> {
        futures::stream::pending().boxed()
    }
}

/// What follows the one run of these tests: the journal itself.
impl Register for MemoryJournal {
    fn recorded<'a>(&'a self, _: &'a Progress, _: &'a v1::JournalRecord) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    fn latest(&self, _: RunId) -> Option<Progress> {
        Some(fold(&self.entries.lock().unwrap()))
    }

    fn moved(&self, _: RunId, after: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            while self.entries.lock().unwrap().last().is_none_or(|last| last.sequence <= after) {
                sleep(Duration::from_millis(10)).await;
            }
        })
    }

    fn state(&self, run: RunId) -> Option<RunState> {
        Some(self.latest(run)?.state)
    }

    fn using(&self, _: &VolumeId, _: RunId) -> Vec<String> {
        Vec::new()
    }

    fn ended_parts(&self, _: RunId) -> u64 {
        0
    }

    fn parts_moved(&self, _: RunId, _: u64, _: u64) -> BoxFuture<'_, u64> {
        unreachable!("the script has no parts")
    }

    fn start_part<'a>(
        &'a self,
        _: RunId,
        _: RunId,
        _: &'a AnyProcedure,
    ) -> BoxFuture<'a, Result<(), JournalError>> {
        unreachable!("the script has no parts")
    }

    fn ask(&self, _: RunId, _: RunVerb) -> BoxFuture<'_, ()> {
        unreachable!("the script has no parts")
    }
}

fn fold(entries: &[Stored]) -> Progress {
    let (first, rest) = entries.split_first().unwrap();
    let mut progress =
        Progress::begin(first.run, first.sequence, &first.record, |_| shapes::<Scripted>()).unwrap();
    rest.iter().for_each(|entry| progress.apply(entry.sequence, &entry.record));
    progress
}

struct NoAgents;

impl Agents for NoAgents {
    fn command<'a>(
        &'a self,
        host: &'a HostId,
        _: Order,
        _: Action,
        _: Duration,
    ) -> BoxFuture<'a, Result<v1::CommandDone, AgentError>> {
        Box::pin(async { Err(AgentError::Offline { host: host.clone() }) })
    }
}

struct NoNotes;

impl NotesKeeper for NoNotes {
    fn cordon<'a>(&'a self, host: &'a HostId) -> BoxFuture<'a, Result<(), NotesError>> {
        Box::pin(async { Err(NotesError::Contended { host: host.clone() }) })
    }
}

struct Rig {
    journal: MemoryJournal,
    script: Arc<Script>,
    world: World,
}

impl Rig {
    fn new(script: Script) -> Self {
        let world = World {
            agents: Arc::new(NoAgents),
            arrays: Arrays::new(
                PathBuf::new(),
                Passwords::of_arrays(Path::new("/nonexistent"), BTreeMap::new()),
            ),
            catalog: SharedCatalog::default(),
            notes: Arc::new(NoNotes),
            lease: Lease::endless(),
            clock: now_unix_ms,
        };
        Self { journal: MemoryJournal::default(), script: Arc::new(script), world }
    }

    async fn create(&self) {
        let procedure = v1::run_created::Procedure::BackupDetach(v1::BackupDetachParams::default());
        let created = v1::RunCreated { procedure: Some(procedure), parent: String::new() };
        let run = RunId::new(Uuid::from_u128(1));
        create(&self.journal, &self.world, "c1", run, created).await.unwrap().unwrap();
    }

    /// After so many records of the journal somebody else writes this one.
    fn then(self, after: usize, entry: Entry) -> Self {
        self.journal.others.lock().unwrap().push((after, entry));
        self
    }

    /// Somebody else writes this record, now.
    fn then_now(self, entry: Entry) -> Self {
        let after = self.journal.entries.lock().unwrap().len();
        let record = new_record(&self.world, "c2", entry);
        let run = self.progress().run;
        self.journal.push(&mut self.journal.entries.lock().unwrap(), run, record);
        assert_eq!(self.journal.entries.lock().unwrap().len(), after + 1);
        self
    }

    fn progress(&self) -> Progress {
        fold(&self.journal.entries.lock().unwrap())
    }

    async fn execute_from(&self, progress: Progress) -> Result<RunState, JournalError> {
        let (journal, register) = (&self.journal, &self.journal);
        let engine = Engine { journal, register, world: &self.world, controller: "c1" };
        engine.execute(&Scripted(Arc::clone(&self.script)), progress).await
    }

    async fn execute(&self) -> Result<RunState, JournalError> {
        self.execute_from(self.progress()).await
    }

    fn left(&self) -> Vec<&'static str> {
        self.script.done.lock().unwrap().iter().copied().collect()
    }
}

fn failing(step: &'static str, times: usize, retryable: bool) -> Script {
    Script { act_fails: BTreeMap::from([(step, (times, retryable))]), ..Script::default() }
}

#[tokio::test(start_paused = true)]
async fn a_run_without_trouble_succeeds() {
    let rig = Rig::new(Script::default());
    rig.create().await;
    assert_eq!(rig.execute().await.unwrap(), RunState::Succeeded);
    assert_eq!(rig.left(), ["one", "three", "two"]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_may_pass_is_tried_again_and_one_that_may_not_is_undone() {
    let rig = Rig::new(failing("two", 2, true));
    rig.create().await;
    assert_eq!(rig.execute().await.unwrap(), RunState::Succeeded);

    for step in ["look", "one", "two", "three"] {
        let rig = Rig::new(failing(step, 1, false));
        rig.create().await;
        assert_eq!(rig.execute().await.unwrap(), RunState::Undone, "{step}");
        assert!(rig.left().is_empty(), "{step} left {:?}", rig.left());
        assert!(rig.progress().error.starts_with(step), "{}", rig.progress().error);
    }
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_fails_for_good_leaves_the_run_stuck_and_touches_nothing_before_it() {
    let mut script = failing("three", 1, false);
    script.undo_fails.insert("two", (99, false));
    let rig = Rig::new(script);
    rig.create().await;
    assert_eq!(rig.execute().await.unwrap(), RunState::Stuck);
    assert_eq!(rig.left(), ["one", "two"]);
}

/// Killed before every single record, and carried on by a new executor: it ends all the same, with nothing done by halves.
#[tokio::test(start_paused = true)]
async fn a_run_killed_at_any_record_ends_as_it_would_have_ended() {
    type Make = fn() -> Script;
    let scripts: [(Make, RunState, usize); 2] =
        [(Script::default, RunState::Succeeded, 3), (|| failing("three", 1, false), RunState::Undone, 0)];
    for (script, wanted, left) in scripts {
        for room in 0.. {
            let rig = Rig::new(script());
            rig.create().await;
            *rig.journal.room.lock().unwrap() = Some(room);
            let whole = rig.execute().await.is_ok();
            *rig.journal.room.lock().unwrap() = None;
            let state = if whole { rig.progress().state } else { rig.execute().await.unwrap() };
            // A failure that was lost with its record does not happen again in the second life.
            if state == wanted {
                assert_eq!(rig.left().len(), left, "killed at record {room}");
            } else {
                assert_eq!((state, rig.left().len()), (RunState::Succeeded, 3), "killed at record {room}");
            }
            if whole {
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_executors_the_older_one_stops_before_it_acts() {
    let rig = Rig::new(Script::default());
    rig.create().await;
    let stale = rig.progress();
    *rig.journal.room.lock().unwrap() = Some(4);
    assert!(rig.execute().await.is_err());
    *rig.journal.room.lock().unwrap() = None;
    let acts = rig.script.acts.lock().unwrap().len();
    assert!(matches!(rig.execute_from(stale).await, Err(JournalError::Superseded { .. })));
    assert_eq!(rig.script.acts.lock().unwrap().len(), acts, "the older one acted");
    assert_eq!(rig.execute().await.unwrap(), RunState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_nobody_carried_on_for_long_is_taken_back() {
    let rig = Rig::new(Script::default());
    rig.create().await;
    *rig.journal.room.lock().unwrap() = Some(6);
    assert!(rig.execute().await.is_err());
    *rig.journal.room.lock().unwrap() = None;
    let mut progress = rig.progress();
    progress.last_at_unix_ms -= STALE_AFTER_MS + 1;
    assert_eq!(rig.execute_from(progress).await.unwrap(), RunState::Undone);
    assert!(rig.left().is_empty());
}

fn asked(verb: RunVerb) -> Entry {
    Entry::Controlled(v1::RunControlled { verb: verb.into(), by: "ops".into() })
}

/// Cancelled at any moment, the run is taken back whole; and of a run that is over nothing is taken.
#[tokio::test(start_paused = true)]
async fn a_run_cancelled_after_any_record_is_undone() {
    for after in 1..=9 {
        let rig = Rig::new(Script::default()).then(after, asked(RunVerb::Cancel));
        rig.create().await;
        assert_eq!(rig.execute().await.unwrap(), RunState::Undone, "after record {after}");
        assert!(rig.left().is_empty(), "after record {after} there is {:?}", rig.left());
        assert_eq!(rig.progress().error, "cancelled by ops");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_would_fail_again_and_again_heeds_a_cancel_at_once() {
    let rig = Rig::new(failing("one", 3, true)).then(5, asked(RunVerb::Cancel));
    rig.create().await;
    assert_eq!(rig.execute().await.unwrap(), RunState::Undone);
    assert_eq!(rig.script.acts.lock().unwrap().as_slice(), ["one"], "it was tried again");
}

#[tokio::test(start_paused = true)]
async fn a_paused_run_begins_nothing_until_it_is_resumed() {
    let rig = Rig::new(Script::default()).then(5, asked(RunVerb::Pause));
    rig.create().await;
    let executed = tokio::time::timeout(Duration::from_secs(3_600), rig.execute()).await;
    assert!(executed.is_err(), "it went on");
    assert_eq!(rig.left(), ["one"]);
    let resumed = rig.then_now(asked(RunVerb::Resume));
    assert_eq!(resumed.execute().await.unwrap(), RunState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_stuck_run_that_is_retried_is_taken_back_when_its_undo_can() {
    let mut script = failing("three", 1, false);
    script.undo_fails.insert("two", (2, false));
    let rig = Rig::new(script);
    rig.create().await;
    assert_eq!(rig.execute().await.unwrap(), RunState::Stuck);
    assert_eq!(rig.progress().troubles.len(), 2);
    let rig = rig.then_now(asked(RunVerb::Retry));
    assert_eq!(rig.execute().await.unwrap(), RunState::Undone);
    assert!(rig.left().is_empty());
}

/// Another executor claims the run after any record: the first stops before its next act.
#[tokio::test(start_paused = true)]
async fn an_executor_whose_run_was_claimed_by_another_acts_no_more() {
    for after in 2..=9 {
        let rig = Rig::new(Script::default()).then(after, Entry::Claimed(v1::RunClaimed {}));
        rig.create().await;
        assert!(matches!(rig.execute().await, Err(JournalError::Superseded { .. })), "after record {after}");
        let acts = rig.script.acts.lock().unwrap().len();
        assert!(acts <= after.saturating_sub(3) / 2, "{acts} acts after record {after}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_goes_on_no_more_is_tried_again() {
    let rig = Rig::new(Script { hangs: BTreeSet::from(["two"]), ..Script::default() });
    rig.create().await;
    let begun = Instant::now();
    assert_eq!(rig.execute().await.unwrap(), RunState::Succeeded);
    assert!(begun.elapsed() >= PATIENCE.silence && begun.elapsed() < PATIENCE.silence * 2);
    assert_eq!(rig.progress().troubles.len(), 1);
    assert!(rig.progress().troubles[0].error.contains("no progress"), "{:?}", rig.progress().troubles);
}
