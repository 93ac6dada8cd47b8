//! A fleet of a seed's own: what is asked of it, and what goes wrong, by chance. First it must be safe, always; then all is healed,
//! and it must come to an end, with nothing left that nobody accounts for. The same seed is the same run to the last record.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use prost::Message;
use sanfleet_controller::{
    plan::backup_detach::with_its_own,
    runs::{AnyProcedure, BackupAttach, Entry, Procedure},
};
use sanfleet_protocol::{
    RunId,
    v1::{RunState, RunVerb},
};
use tokio::time::{Instant, sleep};

mod mishaps;

use mishaps::Mishaps;

use crate::{
    Controller, Fleet, Life, ModelJournal, Plan, Source,
    host::{HOOKED, Host},
    journal::describe,
    oracle::{self, Snapshot},
    orders,
    rng::Rng,
};

pub const FLEET: Plan = Plan { hosts: 200, arrays: 3 };
/// Applications on each array.
const SOURCES: u32 = 2;
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
    /// Two volumes of each application, on two arrays.
    sources: Vec<[Arc<Source>; 2]>,
    mishaps: Arc<Mishaps>,
    origin: Snapshot,
    /// Runs whose attachment somebody has asked to take down.
    detached: BTreeSet<String>,
}

impl Game {
    async fn begin(fleet: Arc<Fleet>, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut sources = Vec::new();
        let next = fleet.arrays.values().cycle().skip(1);
        for (n, (array, other)) in (0..).zip(fleet.arrays.values().zip(next)) {
            let hosts = (1..=SOURCES).map(|one| n * SOURCES + one);
            for host in hosts.map(|host| fleet.host(host)) {
                sources.push([array.add_source(host, HOOKED), other.add_source(host, "/log")]);
            }
        }
        let origin = Snapshot::of(&fleet);
        for n in 1..=rng.within(2..4) {
            fleet.start_controller(&format!("c{n}")).await;
        }
        let mishaps = Mishaps::new(&fleet, origin.clone(), Rng::new(rng.draw()));
        fleet.set_nemesis(Arc::clone(&mishaps) as _);
        Self { seed, fleet, rng, sources, mishaps, origin, detached: BTreeSet::new() }
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
        let endings = endings(&self.fleet.journal);
        let hash = hash(&self.fleet.journal);
        let journal = told(&self.fleet.journal);
        Outcome { seed: self.seed, endings, mishaps, hash, journal, wrong }
    }

    fn a_controller(&mut self) -> Option<Arc<Controller>> {
        let controllers = self.fleet.controllers();
        self.rng.of(&controllers).cloned()
    }

    fn a_host(&mut self) -> Arc<Host> {
        let first_free = u64::from(SOURCES * FLEET.arrays) + 1;
        let host = self.rng.within(first_free..u64::from(FLEET.hosts) + 1);
        Arc::clone(self.fleet.host(u32::try_from(host).unwrap()))
    }

    fn order(&mut self, n: u64) {
        let Some(controller) = self.a_controller() else { return };
        if let Some(procedure) = self.procedure(&controller, n) {
            controller.begin(Fleet::run_id(n), procedure);
        }
    }

    fn procedure(&mut self, controller: &Controller, n: u64) -> Option<AnyProcedure> {
        let [source, other] = self.rng.of(&self.sources)?.clone();
        let (host, at, name) = (self.a_host(), format!("/mnt/{n}"), format!("run{n}"));
        Some(match self.rng.within(0..10) {
            0..3 => orders::attach(&source, &host, &at, &name),
            3 => orders::attach_both(&source, &other, &host, &at, &name),
            4 => orders::provision(&source, &host, &at, &name),
            5 => orders::clone(&source, &host, &at, &name),
            // Of a rollout two owners may begin two tries for one host: nothing fences a part's first record. Not shown here until
            // something does.
            6 if !self.mishaps.may_change_owners() => {
                let hosts: Vec<Arc<Host>> = (0..self.rng.within(2..5)).map(|_| self.a_host()).collect();
                let mut hosts: Vec<&Host> = hosts.iter().map(Arc::as_ref).collect();
                hosts.sort_by(|one, other| one.id.cmp(&other.id));
                hosts.dedup_by(|one, other| one.id == other.id);
                orders::roll_out(&source, &hosts, &at, &name)
            }
            _ => {
                let attachments = controller.runs.attachments();
                let mut backups = attachments.iter().filter(|one| one.procedure == BackupAttach::NAME);
                let backup = backups.find(|one| !self.detached.contains(&one.id))?;
                let with_it = with_its_own(&attachments, backup).into_iter().map(|one| one.id);
                self.detached.extend(with_it);
                orders::detach(&attachments, backup)
            }
        })
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
        let wanted = self.origin.clone().with(&self.fleet, &attachments);
        let mut wrong = Snapshot::of(&self.fleet).differences(&wanted);
        wrong.extend(oracle::torn_copies(&self.fleet, &attachments));
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
