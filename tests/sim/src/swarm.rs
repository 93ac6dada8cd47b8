//! A fleet of a seed's own: what is asked of it, and what goes wrong, by chance. First it must be safe, always; then all is healed,
//! and it must come to an end, with nothing left that nobody accounts for. The same seed is the same run to the last record.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use prost::Message;
use sanfleet_controller::runs::{AnyProcedure, Entry, name_of};
use sanfleet_protocol::{
    RunId,
    v1::{RunState, RunVerb, journal_record::Entry as Record},
};
use tokio::time::{Instant, sleep};

mod demands;
mod mishaps;

use demands::Demands;
use mishaps::Mishaps;

use crate::{
    Controller, Fleet, Life, ModelJournal, Plan,
    journal::describe,
    oracle::{self, Snapshot},
    rng::Rng,
};

pub const FLEET: Plan = Plan { hosts: 200, arrays: 3 };
/// So much is asked of a fleet, each within so long after the one before.
const ORDERS: std::ops::Range<u64> = 12..24;
const NEXT_MS: std::ops::Range<u64> = 0..8_000;
/// After everything was healed, every run is over within this.
const OVER_WITHIN: Duration = Duration::from_secs(600);
/// Followers of the journal are this far behind at most.
const SETTLED: Duration = Duration::from_secs(10);

/// How a seed went.
#[derive(Debug)]
pub struct Outcome {
    pub seed: u64,
    pub endings: BTreeMap<&'static str, u32>,
    /// How often each procedure that was asked for has succeeded, by its name.
    pub succeeded: BTreeMap<&'static str, u32>,
    /// How often something went wrong.
    pub mishaps: u32,
    /// Of all records of the journal.
    pub hash: u64,
    /// The records, a line each.
    pub journal: Vec<String>,
    /// What must not be, in words.
    pub wrong: Vec<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {} mishaps, {:?}", self.seed, self.mishaps, self.endings)?;
        if self.wrong.is_empty() {
            return Ok(());
        }
        write!(f, "\n{}\nagain: cargo xtask sim --seed {}", self.wrong.join("\n"), self.seed)
    }
}

pub fn play(seed: u64) -> Outcome {
    Fleet::simulate(FLEET, async |fleet| Game::begin(fleet, seed).await.play().await)
}

struct Game {
    seed: u64,
    fleet: Arc<Fleet>,
    rng: Rng,
    demands: Demands,
    mishaps: Arc<Mishaps>,
    origin: Snapshot,
}

impl Game {
    async fn begin(fleet: Arc<Fleet>, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let demands = Demands::prepare(&fleet, Rng::new(rng.draw()));
        let origin = Snapshot::of(&fleet);
        for n in 1..=rng.within(2..4) {
            fleet.start_controller(&format!("c{n}")).await;
        }
        let mishaps = Mishaps::new(&fleet, origin.clone(), Rng::new(rng.draw()));
        fleet.set_nemesis(Arc::clone(&mishaps) as _);
        Self { seed, fleet, rng, demands, mishaps, origin }
    }

    async fn play(mut self) -> Outcome {
        for n in 1..=self.rng.within(ORDERS) {
            sleep(self.rng.millis(NEXT_MS)).await;
            self.order(n);
            self.interfere().await;
        }
        sleep(self.rng.millis(NEXT_MS)).await;
        self.heal().await;
        let mut wrong = self.mishaps.violations();
        wrong.extend(self.come_to_an_end().await);
        wrong.extend(self.leftovers().await);
        wrong.extend(self.mishaps.violations());
        wrong.dedup();
        let mishaps = self.mishaps.struck();
        let (endings, succeeded) = (endings(&self.fleet.journal), succeeded(&self.fleet.journal));
        let hash = hash(&self.fleet.journal);
        let journal = told(&self.fleet.journal);
        Outcome { seed: self.seed, endings, succeeded, mishaps, hash, journal, wrong }
    }

    fn a_controller(&mut self) -> Option<Arc<Controller>> {
        let controllers = self.fleet.controllers();
        self.rng.of(&controllers).cloned()
    }

    fn order(&mut self, n: u64) {
        let Some(controller) = self.a_controller() else { return };
        if let Some(procedure) = self.demands.next(&controller, n) {
            controller.begin(Fleet::run_id(n), procedure);
        }
    }

    /// Somebody asks something of a run that is under way.
    async fn interfere(&mut self) {
        if !self.rng.chance(2_000) {
            return;
        }
        let Some(controller) = self.a_controller() else { return };
        let open: Vec<RunId> =
            controller.runs.unfinished().iter().filter_map(|run| run.id.parse().ok()).collect();
        let verb = *self.rng.of(&[RunVerb::Pause, RunVerb::Resume, RunVerb::Cancel]).unwrap();
        if let Some(run) = self.rng.of(&open).copied() {
            // It may be over by now; and a controller that is stopped never answers.
            tokio::spawn(async move { controller.runs.control(run, verb, "ops").await });
        }
    }

    async fn heal(&self) {
        self.mishaps.heal();
        // Until the last that was away is back by itself.
        sleep(Duration::from_secs(20)).await;
        self.fleet.bus.set_down(false);
        self.fleet.start_agents();
        for controller in self.fleet.all_controllers() {
            controller.link.set_life(Life::Running);
            self.fleet.bus.set_cut(&controller.name, false);
        }
    }

    /// Everything that was asked for is over in time, what was paused is resumed, and what has stopped goes on when it is asked to.
    async fn come_to_an_end(&self) -> Vec<String> {
        let ends = Instant::now() + OVER_WITHIN;
        loop {
            let open = self.open();
            if open.is_empty() {
                return Vec::new();
            }
            if Instant::now() > ends {
                return open.iter().map(|(run, state)| format!("run {run} is still {state:?}")).collect();
            }
            for (run, state) in open {
                self.ask_to_go_on(run, state).await;
            }
            sleep(Duration::from_secs(5)).await;
        }
    }

    /// Runs that have not come to their end, and how far they have come.
    fn open(&self) -> Vec<(RunId, Option<RunState>)> {
        let entries = self.fleet.journal.entries();
        let runs: BTreeSet<RunId> = entries.iter().map(|entry| entry.run).collect();
        let states = runs.into_iter().map(|run| (run, self.fleet.journal.outcome(run)));
        let is_open = |state: &Option<RunState>| {
            !matches!(state, Some(RunState::Succeeded | RunState::Undone | RunState::Partial))
        };
        // A rollout that was cancelled has failed, and what its parts did is accounted for by them.
        let is_rollout = |run: RunId| {
            let procedure = self.fleet.controllers().first().and_then(|one| one.runs.procedure(run));
            matches!(procedure, Some(AnyProcedure::Rollout(_)))
        };
        states
            .filter(|(run, state)| is_open(state) && !(*state == Some(RunState::Failed) && is_rollout(*run)))
            .collect()
    }

    async fn ask_to_go_on(&self, run: RunId, state: Option<RunState>) {
        let Some(controller) = self.fleet.controllers().pop() else { return };
        let verb = match state {
            Some(_) => RunVerb::Retry,
            None => RunVerb::Resume,
        };
        // Refused where nothing has to be asked.
        let _ = controller.runs.control(run, verb, "ops").await;
    }

    async fn leftovers(&self) -> Vec<String> {
        sleep(SETTLED).await;
        self.mishaps.look(&self.fleet, "at the end");
        let Some(controller) = self.fleet.controllers().pop() else { return vec!["no controller".into()] };
        let attachments = controller.runs.attachments();
        let wanted = self.origin.clone().after_runs(&self.fleet).with(&self.fleet, &attachments);
        let mut wrong = Snapshot::of(&self.fleet).differences(&wanted);
        wrong.extend(oracle::torn_copies(&self.fleet, &attachments));
        wrong.extend(oracle::sizes_that_differ(&self.fleet));
        wrong
    }
}

fn endings(journal: &ModelJournal) -> BTreeMap<&'static str, u32> {
    let runs: BTreeSet<RunId> = journal.entries().iter().map(|entry| entry.run).collect();
    let mut endings = BTreeMap::new();
    for run in runs {
        let state =
            journal.outcome(run).map_or("open", |state| state.as_str_name().trim_start_matches("RUN_STATE_"));
        *endings.entry(state).or_default() += 1;
    }
    endings
}

fn succeeded(journal: &ModelJournal) -> BTreeMap<&'static str, u32> {
    let mut succeeded = BTreeMap::new();
    for entry in journal.entries() {
        let Some(Record::Created(created)) = &entry.record.entry else { continue };
        let name = created.procedure.as_ref().map_or("", name_of);
        let has = journal.outcome(entry.run) == Some(RunState::Succeeded);
        *succeeded.entry(name).or_default() += u32::from(has);
    }
    succeeded
}

fn told(journal: &ModelJournal) -> Vec<String> {
    let entries = journal.entries();
    let begun = entries.first().map_or(0, |entry| entry.record.at_unix_ms);
    let line = |entry: &Entry| {
        let (record, after) = (&entry.record, entry.record.at_unix_ms - begun);
        let (run, at, by, what) = (entry.run.short(), entry.sequence, &record.controller, describe(record));
        format!("{after:>7} ms {at:>5} {run} {by}: {what}")
    };
    entries.iter().map(line).collect()
}

/// FNV-1a over all records; the ids of records are by chance, and mean nothing.
fn hash(journal: &ModelJournal) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for mut entry in journal.entries() {
        entry.record.id.clear();
        let run = entry.run.uuid().into_bytes();
        for byte in run.into_iter().chain(entry.record.encode_to_vec()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}
