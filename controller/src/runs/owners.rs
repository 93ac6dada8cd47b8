//! Which controller takes a run over when its owner is silent. Pure: the time is an argument.
//!
//! Nothing here makes anybody the owner; the journal does. This only spreads the runs of a dead controller over the others,
//! and keeps them from all trying at once.

use std::{collections::BTreeMap, time::Duration};

use sanfleet_protocol::{ControllerId, RunId, hash::fnv1a};
use tokio::time::Instant;

use crate::lease::SILENCE;

/// A controller that has not heard itself for so long hears nobody.
const GAP: Duration = Duration::from_millis(2_500);
/// How much longer each further one of those who could take a run over waits for the one before it.
const TURN: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Owners {
    me: ControllerId,
    /// Since when this controller has heard itself without a gap, and when it did so last: only for so long may others have been
    /// silent.
    since: Instant,
    last: Instant,
    others: BTreeMap<ControllerId, Sign>,
}

/// The last that was heard of a controller.
#[derive(Debug, Clone, Copy)]
enum Sign {
    Life(Instant),
    Goodbye(Instant),
}

impl Owners {
    pub fn new(me: ControllerId, now: Instant) -> Self {
        Self { me, since: now, last: now, others: BTreeMap::new() }
    }

    pub fn heard(&mut self, controller: ControllerId, now: Instant) {
        if controller != self.me {
            self.others.insert(controller, Sign::Life(now));
            return;
        }
        if self.is_deaf(now) {
            self.since = now;
        }
        self.last = now;
    }

    /// A controller that said goodbye needs no waiting for.
    pub fn left(&mut self, controller: &ControllerId, now: Instant) {
        self.others.insert(controller.clone(), Sign::Goodbye(now));
    }

    fn is_deaf(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) >= GAP
    }

    /// Those that were heard lately, and this one.
    pub fn alive(&self, now: Instant) -> impl Iterator<Item = &ControllerId> {
        let is_alive = move |sign: &Sign| match sign {
            Sign::Life(at) => now.saturating_duration_since(*at) < SILENCE,
            Sign::Goodbye(_) => false,
        };
        self.others.iter().filter(move |(_, sign)| is_alive(sign)).map(|(name, _)| name).chain([&self.me])
    }

    /// Whether this controller is to take over a run of `owner`, now.
    pub fn may_claim(&self, run: RunId, owner: &str, now: Instant) -> bool {
        if owner == self.me.as_str() {
            // An earlier life of our own: nobody else is waiting for it.
            return true;
        }
        let sign = owner.parse().ok().and_then(|owner: ControllerId| self.others.get(&owner)).copied();
        let silent = match sign {
            Some(Sign::Goodbye(at)) => SILENCE + now.saturating_duration_since(at),
            Some(Sign::Life(at)) => now.saturating_duration_since(at.max(self.since)),
            None => now.saturating_duration_since(self.since),
        };
        // Who hears nothing, or has just begun to, may be the one that was cut off, while the owner goes on.
        !self.is_deaf(now) && silent >= SILENCE + TURN * self.rank(run, now)
    }

    /// How many of the others come before this one for that run.
    fn rank(&self, run: RunId, now: Instant) -> u32 {
        let mine = weight(run, &self.me);
        let before = self.alive(now).filter(|other| weight(run, other) > mine).count();
        u32::try_from(before).unwrap_or(u32::MAX)
    }
}

/// Rendezvous hashing: FNV-1a over the run and the controller's name, so that every controller finds the same order.
fn weight(run: RunId, controller: &ControllerId) -> u64 {
    let bytes = run.uuid().into_bytes().into_iter().chain(controller.as_str().bytes());
    fnv1a(bytes)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id(name: &str) -> ControllerId {
        name.parse().unwrap()
    }

    fn run(n: u128) -> RunId {
        RunId::new(Uuid::from_u128(n))
    }

    /// It hears itself, and nobody else.
    fn listen(owners: &mut Owners, from: Instant, to: Instant) {
        let me = owners.me.clone();
        let seconds = (0..).map(|second| from + Duration::from_secs(second));
        seconds.take_while(|at| *at <= to).for_each(|at| owners.heard(me.clone(), at));
    }

    /// c1 to c3 and a dead c0; each has heard the others just now, and c0 when all began.
    fn fleet(begin: Instant, now: Instant) -> Vec<Owners> {
        let names = ["c1", "c2", "c3"];
        let all = names.map(|me| {
            let mut owners = Owners::new(id(me), begin);
            owners.heard(id("c0"), begin);
            listen(&mut owners, begin, now);
            names.iter().for_each(|other| owners.heard(id(other), now));
            owners
        });
        all.into()
    }

    #[test]
    fn a_run_of_a_live_controller_is_left_alone() {
        let now = Instant::now();
        let mut owners = Owners::new(id("c1"), now);
        owners.heard(id("c2"), now);
        assert!(!owners.may_claim(run(1), "c2", now + SILENCE / 2));
        assert!(owners.may_claim(run(1), "c1", now), "an earlier life of its own");
    }

    #[test]
    fn each_run_of_a_dead_controller_has_one_that_comes_first_and_all_have_their_turn_within_ten_seconds() {
        let begin = Instant::now();
        let mut firsts = BTreeMap::<usize, u32>::new();
        for n in 0..300 {
            let claims = |after: Duration| {
                let now = begin + after;
                let who = fleet(begin, now).into_iter().enumerate();
                who.filter(|(_, owners)| owners.may_claim(run(n), "c0", now))
                    .map(|(i, _)| i)
                    .collect::<Vec<_>>()
            };
            assert!(claims(SILENCE - Duration::from_millis(1)).is_empty());
            let [first] = claims(SILENCE)[..] else { panic!("not one for run {n}") };
            *firsts.entry(first).or_default() += 1;
            assert_eq!(claims(Duration::from_secs(8)).len(), 3);
        }
        assert!(firsts.len() == 3 && firsts.values().all(|runs| *runs > 60), "{firsts:?}");
    }

    #[test]
    fn a_controller_that_said_goodbye_is_not_waited_for() {
        let now = Instant::now() + SILENCE;
        let mut owners = Owners::new(id("c1"), now - SILENCE / 5);
        owners.heard(id("c2"), now);
        owners.left(&id("c2"), now);
        assert!(owners.may_claim(run(1), "c2", now));
        assert_eq!(owners.alive(now).count(), 1);
    }

    #[test]
    fn an_owner_that_was_never_heard_gets_the_same_time() {
        let begin = Instant::now();
        let mut owners = Owners::new(id("c1"), begin);
        listen(&mut owners, begin, begin + SILENCE);
        assert!(!owners.may_claim(run(1), "ghost", begin + SILENCE / 2));
        assert!(owners.may_claim(run(1), "ghost", begin + SILENCE));
    }

    #[test]
    fn a_controller_that_was_cut_off_takes_nothing_over_until_it_has_listened_for_as_long_as_others() {
        let begin = Instant::now();
        let mut owners = Owners::new(id("c1"), begin);
        owners.heard(id("c2"), begin);
        let back = begin + SILENCE * 2;
        assert!(!owners.may_claim(run(1), "c2", back), "it hears nothing");
        owners.heard(id("c1"), back);
        assert!(!owners.may_claim(run(1), "c2", back), "c2 was heard by others");
        listen(&mut owners, back, back + SILENCE);
        assert!(!owners.may_claim(run(1), "c2", back + SILENCE - TURN));
        assert!(owners.may_claim(run(1), "c2", back + SILENCE), "c2 is silent for itself");
    }
}
