//! Every procedure, at every place where it touches anything, and everything that can go wrong there.
//!
//! A run's way is what it does to the journal, to agents and to arrays, each seen before its effect and after it. So for every step
//! there is *before the act* (before each of its calls), *after the act* (each call has had its effect, and nobody knows), *after
//! verify* (before the record that says so) and *after the journal* (the record is written, and nobody knows).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "this is a test"
)]

mod case;
mod story;

use std::time::Duration;

use case::{CASES, Case, run};
use sanfleet_protocol::v1::{RunState, RunVerb};
use sanfleet_sim::{Crossing, Seam, Side, oracle::Snapshot};
use story::{
    Blow, Ending, Fault, everywhere, parts, places, retry, take_all_down, tell, tell_and, wake, way,
};
use tokio::time::sleep;

/// What is wrong with an ending, if anything.
fn judge(case: &Case, ending: &Ending) -> Vec<String> {
    let mut wrong = ending.wrong.clone();
    let attached = match ending.state {
        Some(RunState::Succeeded) => case.attached,
        // As it was before: taken back, or never begun.
        Some(RunState::Undone) if case.is_taken_back => case.attached_before,
        None => case.attached_before,
        Some(other) => {
            wrong.push(format!("it ended {}: {:?}", other.as_str_name(), ending.evidence));
            return wrong;
        }
    };
    if ending.attached != attached {
        wrong.push(format!("{} attachments, {attached} wanted", ending.attached));
    }
    wrong
}

/// It has stopped where it was, and goes on when it is asked for again.
fn is_to_be_retried(state: Option<RunState>) -> bool {
    matches!(state, Some(RunState::Failed | RunState::Partial))
}

/// Collects what went wrong, so that a test tells all of it at once.
#[derive(Default)]
struct Failures {
    told: u32,
    all: Vec<String>,
}

impl Failures {
    fn note(&mut self, case: &Case, blows: &[Blow], at: &Crossing, wrong: Vec<String>) {
        self.told += 1;
        if !wrong.is_empty() {
            self.all.push(format!("{}, {blows:?} ({at}): {wrong:#?}", case.name));
        }
    }

    fn assert_none(self) {
        assert!(self.told > 0, "nothing was tried");
        println!("{} stories", self.told);
        assert!(
            self.all.is_empty(),
            "{} of {} stories went wrong:\n{}",
            self.all.len(),
            self.told,
            self.all.join("\n")
        );
    }
}

/// Strikes once at each of these places of each procedure's way.
fn strike_at(fault: Fault, of: impl Fn(&Crossing) -> bool) {
    let mut failures = Failures::default();
    for case in CASES {
        let way = way(case);
        for at in places(&way, &of) {
            let blows = [Blow { at, fault }];
            failures.note(case, &blows, &way[at], judge(case, &tell(case, &blows)));
        }
    }
    failures.assert_none();
}

/// What asks for a run to be taken back when all of it is done, and the way that it then goes.
fn turned_back(case: &Case) -> (Blow, Vec<Crossing>) {
    let at = places(&way(case), |crossing| is(crossing, Seam::Journal, Side::After, "step_done"));
    let turn = Blow { at: *at.last().unwrap(), fault: Fault::Asked(RunVerb::Cancel) };
    let ending = tell(case, &[turn]);
    assert_eq!((ending.state, judge(case, &ending)), (Some(RunState::Undone), vec![]), "{}", case.name);
    (turn, ending.way)
}

/// The same on the way back.
fn strike_the_undo_at(fault: Fault, of: impl Fn(&Crossing) -> bool) {
    let mut failures = Failures::default();
    for case in CASES.iter().filter(|case| case.is_taken_back) {
        let (turn, way) = turned_back(case);
        for at in places(&way, &of).into_iter().filter(|at| *at > turn.at) {
            let blows = [turn, Blow { at, fault }];
            failures.note(case, &blows, &way[at], judge(case, &tell(case, &blows)));
        }
    }
    failures.assert_none();
}

fn is(crossing: &Crossing, seam: Seam, side: Side, what: &str) -> bool {
    crossing.seam == seam && crossing.side == side && crossing.what.starts_with(what)
}

/// A call that can be refused: the journal cannot.
fn call(crossing: &Crossing) -> bool {
    crossing.seam != Seam::Journal && crossing.side == Side::Before
}

#[test]
fn a_run_that_nobody_disturbs_succeeds() {
    for case in CASES {
        let ending = tell(case, &[]);
        assert_eq!(ending.state, Some(RunState::Succeeded), "{}: {ending:#?}", case.name);
        assert_eq!(judge(case, &ending), Vec::<String>::new(), "{}", case.name);
    }
}

#[test]
fn a_controller_that_is_killed_anywhere_leaves_nothing_when_it_starts_again() {
    strike_at(Fault::ControllerKilled, everywhere);
}

#[test]
fn a_controller_that_is_killed_anywhere_leaves_nothing_when_another_takes_over() {
    strike_at(Fault::ControllerReplaced, everywhere);
}

#[test]
fn agents_that_are_killed_anywhere_leave_nothing() {
    strike_at(Fault::AgentsKilled, everywhere);
}

#[test]
fn agents_that_are_killed_anywhere_with_their_guards_leave_nothing() {
    strike_at(Fault::HostsStruck, everywhere);
}

#[test]
fn sessions_with_drivers_that_are_lost_anywhere_leave_nothing() {
    strike_at(Fault::SessionsLost, everywhere);
}

#[test]
fn a_bus_that_is_lost_anywhere_leaves_nothing() {
    strike_at(Fault::BusLost, everywhere);
}

#[test]
fn on_the_way_back_a_controller_may_be_killed_anywhere() {
    strike_the_undo_at(Fault::ControllerKilled, everywhere);
}

#[test]
fn on_the_way_back_another_controller_may_take_over_anywhere() {
    strike_the_undo_at(Fault::ControllerReplaced, everywhere);
}

#[test]
fn on_the_way_back_agents_may_be_killed_anywhere() {
    strike_the_undo_at(Fault::AgentsKilled, everywhere);
}

#[test]
fn on_the_way_back_sessions_with_drivers_may_be_lost_anywhere() {
    strike_the_undo_at(Fault::SessionsLost, everywhere);
}

#[test]
fn on_the_way_back_the_bus_may_be_lost_anywhere() {
    strike_the_undo_at(Fault::BusLost, everywhere);
}

/// Killed before the record that says that it is done, a step or an undo is done once more.
#[test]
fn every_act_and_every_undo_may_be_done_twice() {
    strike_at(Fault::ControllerKilled, |at| is(at, Seam::Journal, Side::Before, "step_done"));
    strike_the_undo_at(Fault::ControllerKilled, |at| is(at, Seam::Journal, Side::Before, "undo_done"));
}

#[test]
fn a_failure_that_passes_is_no_failure_wherever_it_is() {
    strike_at(Fault::RefusedOnce, call);
    strike_the_undo_at(Fault::RefusedOnce, call);
}

/// What fails for good is taken back whole; what has no undo is gone on with when it is asked for again.
#[test]
fn a_failure_that_stays_is_taken_back_or_gone_on_with_wherever_it_is() {
    let mut failures = Failures::default();
    for case in CASES {
        let way = way(case);
        for at in places(&way, call) {
            let blows = [Blow { at, fault: Fault::Refused }];
            let mut first = None;
            let ending = tell_and(case, &blows, async |fleet, state| {
                first = state;
                if is_to_be_retried(state) {
                    retry(fleet).await;
                }
            });
            let mut wrong = judge(case, &ending);
            let stopped =
                if case.is_taken_back { first == Some(RunState::Undone) } else { is_to_be_retried(first) };
            if !stopped && first != Some(RunState::Succeeded) {
                wrong.push(format!("it ended {first:?} first"));
            }
            failures.note(case, &blows, &way[at], wrong);
        }
    }
    failures.assert_none();
}

/// A run that cannot be taken back is stuck and says why; asked for again, it is taken back.
#[test]
fn an_undo_that_fails_for_good_leaves_its_reason_and_is_done_when_it_can_be() {
    let (mut failures, mut stuck) = (Failures::default(), 0);
    for case in CASES.iter().filter(|case| case.is_taken_back) {
        let (turn, way) = turned_back(case);
        for at in places(&way, call).into_iter().filter(|at| *at > turn.at) {
            let blows = [turn, Blow { at, fault: Fault::Refused }];
            let mut first = None;
            let ending = tell_and(case, &blows, async |fleet, state| {
                first = state;
                if state == Some(RunState::Stuck) {
                    retry(fleet).await;
                }
            });
            let mut wrong = judge(case, &ending);
            if first == Some(RunState::Stuck) {
                stuck += 1;
                if !ending.evidence.iter().any(|reason| reason.contains("no, never")) {
                    wrong.push(format!("it does not say why it was stuck: {:?}", ending.evidence));
                }
            }
            failures.note(case, &blows, &way[at], wrong);
        }
        assert!(stuck > 0, "no undo of {} failed", case.name);
    }
    failures.assert_none();
}

#[test]
fn a_run_may_be_cancelled_anywhere() {
    let mut failures = Failures::default();
    for case in CASES {
        let way = way(case);
        for at in places(&way, |crossing| crossing.side == Side::After) {
            let blows = [Blow { at, fault: Fault::Asked(RunVerb::Cancel) }];
            let ending = tell_and(case, &blows, async |fleet, state| {
                if is_to_be_retried(state) {
                    retry(fleet).await;
                }
            });
            failures.note(case, &blows, &way[at], judge(case, &ending));
        }
    }
    failures.assert_none();
}

/// Detached later, an attachment must be known as it is, also after a run that was taken back has put it there again.
#[test]
fn what_is_attached_after_a_run_can_be_taken_down() {
    let mut failures = Failures::default();
    for case in CASES {
        let turn = case.is_taken_back.then(|| vec![turned_back(case).0]);
        for blows in [Vec::new()].into_iter().chain(turn) {
            let mut wrong = Vec::new();
            let ending = tell_and(case, &blows, async |fleet, _| wrong = take_all_down(fleet).await);
            failures.note(case, &blows, &ending.way[0], wrong);
        }
    }
    failures.assert_none();
}

/// The old owner has decided to begin a part and not yet written so, when another takes its run over: whichever of the two is
/// quicker begins it, and the other goes on with that.
#[test]
fn a_part_that_two_owners_begin_is_begun_once() {
    let mut failures = Failures::default();
    for case in CASES {
        let (way, begins) = (way(case), |at: &Crossing| is(at, Seam::Journal, Side::Before, "created"));
        // The first is the whole's own.
        let wanted = places(&way, begins).len() - 1;
        for at in places(&way, begins).into_iter().skip(1) {
            let stopped = Blow { at, fault: Fault::OwnerStopped };
            let new_owner_begins = |at: &Crossing| begins(at) && at.controller.as_str() == "c2";
            let first = places(&tell(case, &[stopped]).way, new_owner_begins)[0];
            let woken = Blow { at: first, fault: Fault::OwnersWoken };
            for blows in [vec![stopped], vec![stopped, woken]] {
                let mut begun = Vec::new();
                let ending = tell_and(case, &blows, async |fleet, _| {
                    wake(fleet);
                    sleep(Duration::from_secs(120)).await;
                    begun = parts(fleet);
                });
                let mut wrong = judge(case, &ending);
                if begun.len() != wanted {
                    wrong.push(format!("{wanted} parts wanted, {begun:?} begun"));
                }
                failures.note(case, &blows, &way[at], wrong);
            }
        }
    }
    failures.assert_none();
}

/// Stops the owner at these places of each procedure's way, and wakes it when another has ended its run.
fn wake_the_owner_after(fault: Fault, of: impl Fn(&Crossing) -> bool) {
    let mut failures = Failures::default();
    for case in CASES {
        let way = way(case);
        for at in places(&way, &of) {
            let blows = [Blow { at, fault }];
            let mut wrong = Vec::new();
            let ending = tell_and(case, &blows, async |fleet, state| {
                let (world, journal) = (Snapshot::of(fleet), fleet.journal.of(run()).len());
                wake(fleet);
                sleep(Duration::from_secs(120)).await;
                // One that was stopped before it began the run begins it now.
                if state.is_some() {
                    wrong.extend(Snapshot::of(fleet).differences(&world));
                    if fleet.journal.of(run()).len() != journal {
                        wrong.push("it wrote into the journal".to_owned());
                    }
                }
                if is_to_be_retried(state) {
                    retry(fleet).await;
                }
            });
            wrong.extend(judge(case, &ending));
            failures.note(case, &blows, &way[at], wrong);
        }
    }
    failures.assert_none();
}

/// The bus may deliver a command more than once, at one time or long after.
#[test]
fn every_command_may_be_delivered_twice_and_all_of_them_again_when_the_run_is_over() {
    let mut failures = Failures::default();
    for case in CASES {
        let blows = [Blow { at: 0, fault: Fault::DeliveredTwice }];
        let mut wrong = Vec::new();
        let ending = tell_and(case, &blows, async |fleet, _| {
            for later in [Duration::ZERO, Duration::from_secs(600)] {
                sleep(later).await;
                let world = Snapshot::of(fleet);
                fleet.deliver_all_again().await;
                wrong.extend(Snapshot::of(fleet).differences(&world));
            }
        });
        wrong.extend(judge(case, &ending));
        failures.note(case, &blows, &ending.way[0], wrong);
    }
    failures.assert_none();
}

/// The journal, the agents' fence and its own permit for arrays hold it. Between asking for that permit and the call only an array
/// could, and none can: there it is not stopped.
#[test]
fn an_owner_that_wakes_up_when_another_has_ended_its_run_changes_nothing() {
    wake_the_owner_after(Fault::OwnerStopped, |at| !is_past_permit(at));
}

/// The owner has asked for its permit, and does it next.
fn is_past_permit(at: &Crossing) -> bool {
    matches!(at.seam, Seam::Array | Seam::Notes) && at.side == Side::Before
}

/// The other may have taken the run back without a word to a host or a part: there too nothing but the permit holds the owner.
#[test]
fn an_owner_that_wakes_up_when_another_has_taken_its_run_back_changes_nothing() {
    wake_the_owner_after(Fault::OwnerStoppedAndCancelled, |at| {
        at.side == Side::After || at.seam == Seam::Journal
    });
}
