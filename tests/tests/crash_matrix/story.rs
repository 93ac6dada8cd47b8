//! One run of one procedure, with something that goes wrong at one place.

use std::{
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use sanfleet_driver::{ErrorNumber, LsmError, client::Passage};
use sanfleet_protocol::{
    RunId, VolumeId,
    v1::{JournalRecord, RunState, RunVerb, journal_record::Entry as Record},
};
use sanfleet_sim::{
    Controller, Crossing, Fleet, Life, Nemesis, Plan, Seam,
    oracle::{self, Snapshot},
    orders,
};
use tokio::time::{sleep, timeout};

use crate::case::{Before, Case, case_of, run};

const FLEET: Plan = Plan { hosts: 3, arrays: 1 };
/// Everything is over within this, of simulated time, once what was broken is whole again.
const OVER_WITHIN: Duration = Duration::from_secs(600);
/// So long is whatever was killed or cut off gone.
const GONE_FOR: Duration = Duration::from_secs(8);
/// Followers of the journal are this far behind at most.
const SETTLED: Duration = Duration::from_secs(2);

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// And starts again.
    ControllerKilled,
    /// And another one takes over.
    ControllerReplaced,
    /// It stands still, and another one takes over.
    OwnerStopped,
    /// All that stand still go on, and come first.
    OwnersWoken,
    /// It stands still, and another one takes the run over and back.
    OwnerStoppedAndCancelled,
    AgentsKilled,
    /// With the guards that hold applications still.
    HostsStruck,
    SessionsLost,
    BusLost,
    /// It fails for good: trying again does not help.
    Refused,
    /// It fails this once.
    RefusedOnce,
    /// From here on the bus delivers every command twice.
    DeliveredTwice,
    /// Somebody asks for this.
    Asked(RunVerb),
}

/// The `at`th crossing of the run, and what goes wrong there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blow {
    pub at: usize,
    pub fault: Fault,
}

/// How a story ended.
#[derive(Debug)]
pub struct Ending {
    /// None when it was never begun.
    pub state: Option<RunState>,
    pub attached: usize,
    /// Where the run went, in order, up to its end.
    pub way: Vec<Crossing>,
    /// What was wrong with the world.
    pub wrong: Vec<String>,
    /// The reasons that the run gives for its failures.
    pub evidence: Vec<String>,
}

struct Blows {
    fleet: Weak<Fleet>,
    blows: Vec<Blow>,
    crossed: AtomicUsize,
    way: Mutex<Vec<Crossing>>,
    origin: Snapshot,
    /// What was seen that must never be.
    violations: Mutex<Vec<String>>,
}

impl Nemesis for Blows {
    fn cross<'a>(&'a self, crossing: &'a Crossing) -> BoxFuture<'a, Passage> {
        let at = self.crossed.fetch_add(1, Ordering::Relaxed);
        self.way.lock().unwrap().push(crossing.clone());
        let blow = self.blows.iter().find(|blow| blow.at == at).copied();
        Box::pin(async move {
            let fleet = self.fleet.upgrade().unwrap();
            if crossing.has_changed_who_sees() {
                self.violations.lock().unwrap().extend(oracle::violations(&fleet, &self.origin));
            }
            match blow.map(|blow| blow.fault) {
                Some(Fault::Asked(verb)) => ask(&fleet, verb).await,
                Some(Fault::OwnersWoken) => {
                    wake(&fleet);
                    sleep(Duration::from_millis(10)).await;
                    Passage::Open
                }
                Some(fault) => strike(&fleet, fault, crossing),
                None => Passage::Open,
            }
        })
    }
}

/// Does it, and sees to it that what was broken is whole again after a while.
fn strike(fleet: &Arc<Fleet>, fault: Fault, crossing: &Crossing) -> Passage {
    let healing = Arc::clone(fleet);
    let struck = || fleet.controllers().into_iter().find(|one| one.name == crossing.controller);
    match fault {
        Fault::ControllerKilled | Fault::ControllerReplaced => {
            if let Some(controller) = struck() {
                controller.kill();
            }
            let name =
                if fault == Fault::ControllerKilled { crossing.controller.to_string() } else { "c2".into() };
            tokio::spawn(async move {
                sleep(Duration::from_secs(1)).await;
                healing.start_controller(&name).await;
            });
            Passage::Open
        }
        Fault::OwnerStopped | Fault::OwnerStoppedAndCancelled => {
            if let Some(controller) = struck() {
                controller.link.set_life(Life::Frozen);
            }
            tokio::spawn(async move {
                let other = healing.start_controller("c2").await;
                if fault == Fault::OwnerStoppedAndCancelled {
                    // Refused when the run is not known, or over.
                    let _ = other.runs.control(run(), RunVerb::Cancel, "ops").await;
                }
            });
            Passage::Open
        }
        Fault::AgentsKilled | Fault::HostsStruck => {
            match fault {
                Fault::HostsStruck => fleet.hosts.values().for_each(|host| host.kill_agent_and_guards()),
                _ => fleet.kill_agents(),
            }
            tokio::spawn(async move {
                sleep(GONE_FOR).await;
                healing.start_agents();
            });
            lost_if(crossing.seam == Seam::Agent)
        }
        Fault::SessionsLost => {
            fleet.lose_sessions();
            lost_if(crossing.seam == Seam::Array)
        }
        Fault::BusLost => {
            fleet.bus.set_down(true);
            tokio::spawn(async move {
                sleep(GONE_FOR).await;
                healing.bus.set_down(false);
            });
            Passage::Open
        }
        Fault::Refused => Passage::Refused(LsmError::new(ErrorNumber::PermissionDenied, "no, never")),
        Fault::RefusedOnce => Passage::Refused(LsmError::new(ErrorNumber::Timeout, "not now")),
        Fault::DeliveredTwice => {
            fleet.deliver_twice();
            Passage::Open
        }
        Fault::Asked(_) | Fault::OwnersWoken => Passage::Open,
    }
}

/// What is asked is in the journal before the run goes on. A run that is not known yet, or is over, cannot be asked.
async fn ask(fleet: &Fleet, verb: RunVerb) -> Passage {
    if let Some(controller) = fleet.controllers().first() {
        let _ = controller.runs.control(run(), verb, "ops").await;
    }
    Passage::Open
}

fn lost_if(lost: bool) -> Passage {
    if lost { Passage::Lost } else { Passage::Open }
}

/// Tells the story of a case to its end, whatever goes wrong.
pub fn tell(case: &Case, blows: &[Blow]) -> Ending {
    tell_and(case, blows, async |_, _| {})
}

/// The same, with something done when the run is over.
pub fn tell_and(
    case: &Case,
    blows: &[Blow],
    then: impl AsyncFnOnce(&Arc<Fleet>, Option<RunState>),
) -> Ending {
    Fleet::simulate(FLEET, async |fleet| {
        let [source, other] = ["/data", "/log"].map(|at| fleet.an_array().add_source(fleet.host(1), at));
        (case.by_hand)(&fleet);
        let origin = Snapshot::of(&fleet);
        let first = fleet.start_controller("c1").await;
        let before = Before { fleet: &fleet, controller: &first, source, other };
        let procedure = (case.parameters)(before).await;
        assert!(case.name.starts_with(case_of(&procedure)), "the case is another procedure's");

        let nemesis = Arc::new(Blows {
            fleet: Arc::downgrade(&fleet),
            blows: blows.to_vec(),
            crossed: AtomicUsize::new(0),
            way: Mutex::default(),
            origin: origin.clone(),
            violations: Mutex::default(),
        });
        fleet.set_nemesis(Arc::clone(&nemesis) as Arc<dyn Nemesis>);
        first.begin(run(), procedure);
        let state = over(&fleet).await;
        let way = nemesis.way.lock().unwrap().clone();
        then(&fleet, state).await;
        let mut ending = end(&fleet, &origin, way).await;
        ending.wrong.append(&mut nemesis.violations.lock().unwrap());
        ending
    })
}

/// How the run ended; none when it was never begun.
pub async fn over(fleet: &Fleet) -> Option<RunState> {
    sleep(GONE_FOR + SETTLED).await;
    if fleet.journal.of(run()).is_empty() {
        return None;
    }
    let over = timeout(OVER_WITHIN, fleet.journal.over(run())).await;
    let last = || fleet.journal.of(run()).last().map(|entry| format!("{:?}", entry.record.entry));
    Some(over.unwrap_or_else(|_| panic!("the run is not over; its last record: {:?}", last())))
}

/// Asks for the run again until it is over once more.
pub async fn retry(fleet: &Arc<Fleet>) -> Option<RunState> {
    let controller = living(fleet);
    controller.runs.control(run(), RunVerb::Retry, "ops").await.unwrap();
    over(fleet).await
}

/// Takes down all that is attached, what was attached last first; and what is left of it all the same.
pub async fn take_all_down(fleet: &Arc<Fleet>) -> Vec<String> {
    let (controller, mut wrong) = (living(fleet), Vec::new());
    let attachments = controller.runs.attachments();
    for (n, attachment) in (100..).zip(attachments.iter().rev()) {
        controller.begin(Fleet::run_id(n), orders::take_down(attachment.clone()));
        let state = fleet.journal.over(Fleet::run_id(n)).await;
        if state != RunState::Succeeded {
            wrong.push(format!("taking {} down ended {}", attachment.volume_name, state.as_str_name()));
        }
    }
    let left = Snapshot::of(fleet);
    for id in attachments.iter().map(|one| one.volume_id.parse::<VolumeId>().unwrap()) {
        wrong.extend(left.masks.iter().filter(|(_, of, _)| *of == id).map(|left| format!("{left:?}")));
        wrong.extend(left.devices.iter().filter(|(_, of)| *of == id).map(|left| format!("{left:?}")));
        wrong.extend(left.mounts.iter().filter(|(_, _, of, _)| *of == id).map(|left| format!("{left:?}")));
    }
    wrong
}

/// The runs that are parts of the one that is looked at.
pub fn parts(fleet: &Fleet) -> Vec<RunId> {
    let is_part = |record: &JournalRecord| match &record.entry {
        Some(Record::Created(created)) => created.parent == run().to_string(),
        _ => false,
    };
    let entries = fleet.journal.entries().into_iter();
    entries.filter(|entry| is_part(&entry.record)).map(|entry| entry.run).collect()
}

/// Lets all controllers that stand still go on.
pub fn wake(fleet: &Fleet) {
    for controller in fleet.all_controllers() {
        controller.link.set_life(Life::Running);
    }
}

fn living(fleet: &Fleet) -> Arc<Controller> {
    fleet.controllers().pop().expect("a controller runs")
}

async fn end(fleet: &Arc<Fleet>, origin: &Snapshot, way: Vec<Crossing>) -> Ending {
    sleep(SETTLED).await;
    fleet.start_agents();
    let runs = living(fleet).runs.clone();
    let (attachments, state) = (runs.attachments(), fleet.journal.outcome(run()));
    let wanted = origin.clone().after_runs(fleet).with(fleet, &attachments);
    let mut wrong = Snapshot::of(fleet).differences(&wanted);
    wrong.extend(oracle::torn_copies(fleet, &attachments));
    wrong.extend(oracle::sizes_that_differ(fleet));
    let shown = runs.find(&run().to_string()).into_iter().next();
    let evidence = shown.iter().flat_map(|shown| &shown.troubles).map(|trouble| trouble.error.clone());
    Ending { state, attached: attachments.len(), way, wrong, evidence: evidence.collect() }
}

/// Where a run goes when nothing goes wrong.
pub fn way(case: &Case) -> Vec<Crossing> {
    tell(case, &[]).way
}

/// The places in a way that are on this side.
pub fn places(way: &[Crossing], of: impl Fn(&Crossing) -> bool) -> Vec<usize> {
    way.iter().enumerate().filter(|(_, crossing)| of(crossing)).map(|(at, _)| at).collect()
}

/// Both sides of every crossing.
pub fn everywhere(_: &Crossing) -> bool {
    true
}
