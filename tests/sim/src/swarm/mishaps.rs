//! What goes wrong in a seed's fleet, by chance, at any crossing.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use sanfleet_driver::{ErrorNumber, LsmError, client::Passage};
use tokio::time::sleep;

use crate::{
    Fleet,
    link::{Crossing, Life, Nemesis, Seam, Side},
    oracle::{self, Snapshot},
    rng::Rng,
};

/// Between two machines, and within one.
const LATENCY_MS: Range<u64> = 0..6;
/// A call that takes its time; shorter than what there is between a permit's end and a takeover.
const SLOW_MS: Range<u64> = 100..1_000;
/// How long what was killed or cut off stays away.
const AWAY_MS: Range<u64> = 500..15_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mishap {
    Slow,
    Lost,
    RefusedOnce,
    Refused,
    AgentKilled,
    HostStruck,
    ControllerKilled,
    ControllerStopped,
    ControllerCut,
    BusDown,
    SessionsLost,
}

const ALL: [Mishap; 11] = [
    Mishap::Slow,
    Mishap::Lost,
    Mishap::RefusedOnce,
    Mishap::Refused,
    Mishap::AgentKilled,
    Mishap::HostStruck,
    Mishap::ControllerKilled,
    Mishap::ControllerStopped,
    Mishap::ControllerCut,
    Mishap::BusDown,
    Mishap::SessionsLost,
];

/// Each seed has its own: which mishaps there are, and how often each.
pub struct Mishaps {
    fleet: Weak<Fleet>,
    /// In ten thousand crossings.
    rates: Vec<(Mishap, u64)>,
    rng: Mutex<Rng>,
    healed: AtomicBool,
    struck: AtomicU32,
    origin: Snapshot,
    violations: Mutex<Vec<String>>,
}

impl Mishaps {
    pub fn new(fleet: &Arc<Fleet>, origin: Snapshot, mut rng: Rng) -> Arc<Self> {
        let mut rates = Vec::new();
        for mishap in ALL {
            let severe =
                matches!(mishap, Mishap::BusDown | Mishap::ControllerKilled | Mishap::ControllerStopped);
            let often = *rng.of(if severe { &[10, 40] } else { &[30, 150, 500] }).unwrap();
            if rng.chance(5_000) {
                rates.push((mishap, often));
            }
        }
        Arc::new(Self {
            fleet: Arc::downgrade(fleet),
            rates,
            rng: Mutex::new(rng),
            healed: AtomicBool::new(false),
            struck: AtomicU32::new(0),
            origin,
            violations: Mutex::default(),
        })
    }

    /// From now on nothing goes wrong any more.
    pub fn heal(&self) {
        self.healed.store(true, Ordering::Relaxed);
    }

    pub fn struck(&self) -> u32 {
        self.struck.load(Ordering::Relaxed)
    }

    /// What was seen that must never be.
    pub fn violations(&self) -> Vec<String> {
        self.violations.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn look(&self, fleet: &Fleet, when: &str) {
        let found = oracle::violations(fleet, &self.origin);
        let mut known = self.violations.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(found.into_iter().map(|what| format!("{when}: {what}")));
    }

    fn draw(&self, crossing: &Crossing) -> Option<(Mishap, Duration)> {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        let away = rng.millis(AWAY_MS);
        let drawn = self.rates.iter().find(|(_, rate)| rng.chance(*rate)).map(|(mishap, _)| *mishap);
        drawn.filter(|mishap| may_befall(*mishap, crossing)).map(|mishap| (mishap, away))
    }

    fn pause(&self, range: Range<u64>) -> Duration {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).millis(range)
    }

    fn befall(&self, fleet: &Arc<Fleet>, mishap: Mishap, away: Duration, crossing: &Crossing) -> Passage {
        let (later, name) = (Arc::clone(fleet), crossing.controller.clone());
        let owner = fleet.controllers().into_iter().find(|one| one.name == name);
        match mishap {
            Mishap::Slow => {}
            Mishap::Lost => return Passage::Lost,
            Mishap::RefusedOnce => return refused(ErrorNumber::Timeout, "not now"),
            Mishap::Refused => return refused(ErrorNumber::PermissionDenied, "no, never"),
            Mishap::SessionsLost => fleet.lose_sessions(),
            Mishap::AgentKilled | Mishap::HostStruck => {
                let host = crossing.what.split(' ').next_back().and_then(|id| id.parse().ok());
                let Some(host) = host.and_then(|id| fleet.hosts.get(&id)).cloned() else {
                    return Passage::Open;
                };
                match mishap {
                    Mishap::AgentKilled => host.kill_agent(),
                    _ => host.kill_agent_and_guards(),
                }
                tokio::spawn(async move {
                    sleep(away).await;
                    host.start_agent();
                });
                return Passage::Lost;
            }
            Mishap::ControllerKilled => {
                owner.iter().for_each(|owner| owner.kill());
                tokio::spawn(async move {
                    sleep(away).await;
                    later.start_controller(name.as_str()).await;
                });
            }
            Mishap::ControllerStopped => {
                let Some(owner) = owner else { return Passage::Open };
                owner.link.set_life(Life::Frozen);
                tokio::spawn(async move {
                    sleep(away).await;
                    owner.link.set_life(Life::Running);
                });
            }
            Mishap::ControllerCut => {
                fleet.bus.set_cut(&name, true);
                tokio::spawn(async move {
                    sleep(away).await;
                    later.bus.set_cut(&name, false);
                });
            }
            Mishap::BusDown => {
                fleet.bus.set_down(true);
                tokio::spawn(async move {
                    sleep(away).await;
                    later.bus.set_down(false);
                });
            }
        }
        Passage::Open
    }
}

fn refused(number: ErrorNumber, message: &str) -> Passage {
    Passage::Refused(LsmError::new(number, message))
}

/// Between asking for its permit and the call nobody stops a controller: there only who is called could hold it.
fn may_befall(mishap: Mishap, crossing: &Crossing) -> bool {
    match mishap {
        Mishap::ControllerStopped => crossing.seam == Seam::Journal || crossing.side == Side::After,
        // What has been done cannot be refused any more.
        Mishap::Refused | Mishap::RefusedOnce => {
            crossing.seam != Seam::Journal
                && crossing.side == Side::Before
                && !crossing.what.starts_with("resume")
        }
        Mishap::AgentKilled | Mishap::HostStruck => crossing.seam == Seam::Agent,
        _ => true,
    }
}

impl Nemesis for Mishaps {
    fn cross<'a>(&'a self, crossing: &'a Crossing) -> BoxFuture<'a, Passage> {
        Box::pin(async move {
            let Some(fleet) = self.fleet.upgrade() else { return Passage::Open };
            if crossing.has_changed_who_sees() {
                self.look(&fleet, &crossing.to_string());
            }
            sleep(self.pause(LATENCY_MS)).await;
            if self.healed.load(Ordering::Relaxed) {
                return Passage::Open;
            }
            let Some((mishap, away)) = self.draw(crossing) else { return Passage::Open };
            self.struck.fetch_add(1, Ordering::Relaxed);
            if mishap == Mishap::Slow {
                sleep(self.pause(SLOW_MS)).await;
            }
            self.befall(&fleet, mishap, away, crossing)
        })
    }
}
