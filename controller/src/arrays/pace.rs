//! How long an array is left alone until it is listed again.
//!
//! Pure. An array on which nothing happens is asked less and less; one that changed, failed, or has runs is asked often.

use std::time::Duration;

/// Between two listings of an array on which something happens.
pub const SHORTEST: Duration = Duration::from_secs(10);
/// The same of an array on which nothing does: how late another's change is seen.
pub const LONGEST: Duration = Duration::from_secs(60);
/// The same of an array that tells of changes by itself: for what it may have forgotten to tell.
pub const LONGEST_IF_TOLD: Duration = Duration::from_secs(600);

/// What a look at an array brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Something other than the free space of a pool.
    Changed,
    Same,
    Failed,
}

/// What is known of the array apart from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circumstances {
    /// A run works on it.
    pub in_use: bool,
    /// It tells of changes by itself.
    pub tells: bool,
}

/// The pace of one array.
#[derive(Debug, Clone, Copy)]
pub struct Pace(Duration);

impl Default for Pace {
    fn default() -> Self {
        Self(SHORTEST)
    }
}

impl Pace {
    /// The time until the next look. `chance`, from 0 to 1, spreads it by a tenth either way, so that arrays that were added
    /// together are not listed together for ever.
    pub fn next(&mut self, seen: Seen, now: Circumstances, chance: f64) -> Duration {
        let longest = if now.tells { LONGEST_IF_TOLD } else { LONGEST };
        self.0 = match seen {
            Seen::Same if !now.in_use => (self.0 * 3 / 2).min(longest),
            _ => SHORTEST,
        };
        self.0.mul_f64(0.9 + 0.2 * chance.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IDLE: Circumstances = Circumstances { in_use: false, tells: false };
    const IN_USE: Circumstances = Circumstances { in_use: true, ..IDLE };
    const TELLS: Circumstances = Circumstances { tells: true, ..IDLE };

    fn after(looks: usize, now: Circumstances) -> (Pace, Duration) {
        let mut pace = Pace::default();
        let last = (0..looks).map(|_| pace.next(Seen::Same, now, 0.5)).last();
        (pace, last.unwrap())
    }

    #[test]
    fn an_idle_array_is_asked_once_a_minute_in_the_end() {
        let (_, wait) = after(20, IDLE);
        assert_eq!(wait, LONGEST);
    }

    #[test]
    fn a_change_a_failure_and_a_run_make_it_short_again() {
        for (seen, now) in [(Seen::Changed, IDLE), (Seen::Failed, IDLE), (Seen::Same, IN_USE)] {
            let (mut pace, _) = after(20, IDLE);
            assert_eq!(pace.next(seen, now, 0.5), SHORTEST, "{seen:?}");
        }
    }

    #[test]
    fn an_array_that_tells_is_asked_seldom_and_again_each_minute_when_it_tells_no_more() {
        let (mut pace, wait) = after(30, TELLS);
        assert_eq!(wait, LONGEST_IF_TOLD);
        assert_eq!(pace.next(Seen::Same, IDLE, 0.5), LONGEST);
    }

    proptest! {
        #[test]
        fn it_is_never_shorter_or_longer_than_the_bounds_and_a_tenth(
            story in proptest::collection::vec((0u8..3, any::<bool>(), any::<bool>(), 0.0f64..=1.0), 1..60),
        ) {
            let mut pace = Pace::default();
            for (seen, in_use, tells, chance) in story {
                let seen = [Seen::Changed, Seen::Same, Seen::Failed][usize::from(seen)];
                let wait = pace.next(seen, Circumstances { in_use, tells }, chance);
                let longest = if tells { LONGEST_IF_TOLD } else { LONGEST };
                prop_assert!(wait >= SHORTEST.mul_f64(0.9) && wait <= longest.mul_f64(1.1001), "{wait:?}");
            }
        }
    }
}
