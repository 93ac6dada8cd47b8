//! The engine against a procedure whose world is a set of names: a step puts its name in, its undo takes it out.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::future::BoxFuture;
use sanfleet_protocol::{HostId, v1::command::Action};

use super::{super::procedure::StepError, *};
use crate::{
    agents::{AgentError, Agents, Order},
    arrays::{Arrays, Passwords},
    runs::{
        journal::Entry as Stored,
        procedure::{Step, boxed},
    },
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
    here.params.0.done.lock().unwrap().insert(here.step);
    here.params.fail(&here.params.0.act_fails, here.step)?;
    Ok(None)
}

async fn take_out(here: Here<'_, Scripted>) -> Result<(), StepError> {
    here.params.fail(&here.params.0.undo_fails, here.step)?;
    here.params.0.done.lock().unwrap().remove(here.step);
    Ok(())
}

const PATIENCE: Patience = Patience { attempts: 3, within: Duration::from_secs(60) };

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

    fn title(&self) -> String {
        String::new()
    }
}

const UNDO: Undo<Scripted> = Undo::By { act: |here| boxed(take_out(here)), says: "take it out" };

/// A journal in memory. After `room` records it stops, as if the executor had been killed just then.
#[derive(Default)]
struct MemoryJournal {
    entries: Mutex<Vec<Stored>>,
    room: Mutex<Option<usize>>,
}

impl Journal for MemoryJournal {
    fn append<'a>(
        &'a self,
        run: RunId,
        expected: u64,
        record: &'a v1::JournalRecord,
    ) -> BoxFuture<'a, Result<u64, JournalError>> {
        Box::pin(async move {
            let mut entries = self.entries.lock().unwrap();
            let last = entries.last().map_or(0, |entry| entry.sequence);
            if last != expected {
                return Err(JournalError::Superseded { run });
            }
            if let Some(room) = self.room.lock().unwrap().as_mut() {
                match room.checked_sub(1) {
                    Some(left) => *room = left,
                    None => return Err(JournalError::Unreadable("killed".into())),
                }
            }
            entries.push(Stored { run, sequence: last + 1, record: record.clone() });
            Ok(last + 1)
        })
    }

    fn read_all(&self) -> BoxFuture<'_, Result<Vec<Stored>, JournalError>> {
        Box::pin(async { Ok(self.entries.lock().unwrap().clone()) })
    }
}

struct Deaf;

impl Observer for Deaf {
    async fn recorded(&self, _: &Progress, _: &v1::JournalRecord) {}
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

struct Rig {
    journal: MemoryJournal,
    script: Arc<Script>,
}

impl Rig {
    fn new(script: Script) -> Self {
        Self { journal: MemoryJournal::default(), script: Arc::new(script) }
    }

    async fn create(&self) {
        let procedure = v1::run_created::Procedure::BackupDetach(v1::BackupDetachParams::default());
        let created = v1::RunCreated { procedure: Some(procedure) };
        create(&self.journal, "c1", RunId::new(Uuid::from_u128(1)), created).await.unwrap();
    }

    fn progress(&self) -> Progress {
        let entries = self.journal.entries.lock().unwrap().clone();
        let (first, rest) = entries.split_first().unwrap();
        let mut progress =
            Progress::begin(first.run, first.sequence, &first.record, |_| shapes::<Scripted>()).unwrap();
        rest.iter().for_each(|entry| progress.apply(entry.sequence, &entry.record));
        progress
    }

    async fn execute_from(&self, progress: Progress) -> Result<RunState, JournalError> {
        let world =
            World { agents: Arc::new(NoAgents), arrays: Arrays::new(PathBuf::new(), Passwords::default()) };
        let engine = Engine { journal: &self.journal, observer: &Deaf, world: &world, controller: "c1" };
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
