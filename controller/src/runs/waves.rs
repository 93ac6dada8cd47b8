//! Which hosts of a rollout come next. Pure.
//!
//! The canaries first; the others only when every canary has succeeded; never more than a batch at one time; none any more
//! when more have failed than may.

use sanfleet_protocol::{RunId, v1::RunState};

/// How careful a rollout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// So many go first.
    pub canary: u32,
    /// At most so many at one time; 0 for all at once.
    pub batch: u32,
    /// At most such a part of all at one time; 0 where that is no matter.
    pub batch_percent: u32,
    pub max_failures: u32,
}

/// One host's run: not begun (`Unspecified`), under way (`Running`), or how it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    pub run: RunId,
    /// Which try it is, counted from 1.
    pub attempt: u16,
    pub state: RunState,
    /// It was asked to cancel.
    pub cancelled: bool,
}

/// What was asked of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Nothing,
    /// Begin no further host; those under way go on.
    Pause,
    Cancel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub succeeded: u32,
    pub failed: u32,
    pub skipped: u32,
}

/// The numbers are places in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Start(Vec<usize>),
    Cancel(Vec<usize>),
    Wait,
    Over(Counts),
}

impl Limits {
    /// How many of so many hosts may be under way at one time: one at least, or nothing would ever happen.
    fn batch_of(&self, hosts: usize) -> usize {
        let number = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX);
        let plain = if self.batch == 0 { usize::MAX } else { number(self.batch) };
        let part = match self.batch_percent {
            0 => usize::MAX,
            percent => hosts.saturating_mul(number(percent)).div_ceil(100).max(1),
        };
        plain.min(part)
    }
}

pub fn decide(limits: &Limits, parts: &[Part], asked: Asked) -> Decision {
    let counts = count(parts);
    let running = parts.iter().filter(|part| part.state == RunState::Running).count();
    let canaries = usize::try_from(limits.canary).unwrap_or(usize::MAX).min(parts.len());
    let canary_failed = parts.iter().take(canaries).any(|part| has_failed(part.state));
    let stop = asked == Asked::Cancel || counts.failed > limits.max_failures || canary_failed;

    if asked == Asked::Cancel {
        let uncancelled = |(_, part): &(usize, &Part)| part.state == RunState::Running && !part.cancelled;
        let open: Vec<usize> = parts.iter().enumerate().filter(uncancelled).map(|(place, _)| place).collect();
        if !open.is_empty() {
            return Decision::Cancel(open);
        }
    }
    let open = counts.skipped > 0;
    if !open || stop {
        return if running > 0 { Decision::Wait } else { Decision::Over(counts) };
    }
    if asked == Asked::Pause {
        return Decision::Wait;
    }
    let tested = parts.iter().take(canaries).all(|part| part.state == RunState::Succeeded);
    let begin = if tested { parts.len() } else { canaries };
    let batch = limits.batch_of(parts.len());
    let unbegun =
        parts.iter().take(begin).enumerate().filter(|(_, part)| part.state == RunState::Unspecified);
    let next: Vec<usize> = unbegun.map(|(place, _)| place).take(batch.saturating_sub(running)).collect();
    match next.is_empty() {
        true => Decision::Wait,
        false => Decision::Start(next),
    }
}

fn has_failed(state: RunState) -> bool {
    !matches!(state, RunState::Unspecified | RunState::Running | RunState::Succeeded)
}

fn count(parts: &[Part]) -> Counts {
    let mut counts = Counts::default();
    for part in parts {
        match part.state {
            RunState::Unspecified => counts.skipped += 1,
            RunState::Succeeded => counts.succeeded += 1,
            state if has_failed(state) => counts.failed += 1,
            _ => {}
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    /// A letter a host: `.` not begun, `r` running, `s` succeeded, `f` failed, `!` stuck.
    fn parts(letters: &str) -> Vec<Part> {
        let state = |letter| match letter {
            'r' => RunState::Running,
            's' => RunState::Succeeded,
            'f' => RunState::Failed,
            '!' => RunState::Stuck,
            _ => RunState::Unspecified,
        };
        let run = RunId::new(Uuid::nil());
        letters
            .chars()
            .map(|letter| Part { run, attempt: 1, state: state(letter), cancelled: false })
            .collect()
    }

    fn next(letters: &str, asked: Asked) -> Decision {
        decide(&Limits { canary: 1, batch: 2, batch_percent: 0, max_failures: 1 }, &parts(letters), asked)
    }

    fn over(succeeded: u32, failed: u32, skipped: u32) -> Decision {
        Decision::Over(Counts { succeeded, failed, skipped })
    }

    #[test]
    fn the_canary_goes_alone_and_the_others_in_batches_after_it() {
        assert_eq!(next("....", Asked::Nothing), Decision::Start(vec![0]));
        assert_eq!(next("r...", Asked::Nothing), Decision::Wait);
        assert_eq!(next("s...", Asked::Nothing), Decision::Start(vec![1, 2]));
        assert_eq!(next("ssr.", Asked::Nothing), Decision::Start(vec![3]));
        assert_eq!(next("srr.", Asked::Nothing), Decision::Wait);
        assert_eq!(next("ssss", Asked::Nothing), over(4, 0, 0));
    }

    #[test]
    fn a_batch_may_be_a_part_of_all_hosts() {
        let of =
            |batch, batch_percent| Limits { canary: 0, batch, batch_percent, max_failures: 0 }.batch_of(95);
        assert_eq!((of(0, 10), of(3, 10), of(0, 1), of(0, 0)), (10, 3, 1, usize::MAX));
    }

    #[test]
    fn a_canary_that_fails_ends_it_whatever_may_fail() {
        assert_eq!(next("f...", Asked::Nothing), over(0, 1, 3));
        assert_eq!(next("!...", Asked::Nothing), over(0, 1, 3));
    }

    #[test]
    fn as_many_as_may_fail_do_not_end_it_and_one_more_does() {
        assert_eq!(next("sf..", Asked::Nothing), Decision::Start(vec![2, 3]));
        assert_eq!(next("sffr.", Asked::Nothing), Decision::Wait, "what is under way ends first");
        assert_eq!(next("sff..", Asked::Nothing), over(1, 2, 2));
    }

    #[test]
    fn a_pause_begins_nothing_and_a_cancel_reaches_what_is_under_way() {
        assert_eq!(next("sr..", Asked::Pause), Decision::Wait);
        assert_eq!(next("srr.", Asked::Cancel), Decision::Cancel(vec![1, 2]));
        let mut cancelled = parts("sr..");
        cancelled[1].cancelled = true;
        let limits = Limits { canary: 0, batch: 0, batch_percent: 0, max_failures: 0 };
        assert_eq!(decide(&limits, &cancelled, Asked::Cancel), Decision::Wait);
        assert_eq!(next("sf..", Asked::Cancel), over(1, 1, 2));
    }

    proptest! {
        #[test]
        fn it_never_exceeds_its_limits_and_always_comes_to_an_end(
            hosts in 0usize..40, canary in 0u32..5, batch in 0u32..7, batch_percent in 0u32..60, max_failures in 0u32..5,
            fates in proptest::collection::vec(0u8..10, 40),
        ) {
            let limits = Limits { canary, batch, batch_percent, max_failures };
            let mut parts = parts(&".".repeat(hosts));
            for round in 0..1_000 {
                let running = parts.iter().filter(|part| part.state == RunState::Running).count();
                prop_assert!(batch == 0 || running <= usize::try_from(batch).unwrap());
                match decide(&limits, &parts, Asked::Nothing) {
                    Decision::Start(places) => {
                        prop_assert!(!places.is_empty());
                        prop_assert!(count(&parts).failed <= max_failures);
                        for place in places {
                            prop_assert_eq!(parts[place].state, RunState::Unspecified);
                            parts[place].state = RunState::Running;
                        }
                    }
                    Decision::Wait => {
                        // Something is under way, and one of them ends.
                        let place = parts.iter().position(|part| part.state == RunState::Running);
                        prop_assert!(place.is_some(), "waits for nobody");
                        let fails = fates[place.unwrap() % fates.len()] == 0;
                        parts[place.unwrap()].state = if fails { RunState::Failed } else { RunState::Succeeded };
                    }
                    Decision::Cancel(_) => prop_assert!(false, "nobody asked"),
                    Decision::Over(counts) => {
                        prop_assert_eq!(counts.succeeded + counts.failed + counts.skipped, u32::try_from(hosts).unwrap());
                        prop_assert!(counts.skipped == 0 || counts.failed > max_failures.min(counts.failed - 1));
                        return Ok(());
                    }
                }
                prop_assert!(round < 999, "it never ends");
            }
        }
    }
}
