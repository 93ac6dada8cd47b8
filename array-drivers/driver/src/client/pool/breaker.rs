//! When a driver is to be left alone. Pure: time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// Closed as long as the driver does its work; open when it has failed several times in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    Closed,
    /// Calls fail at once; `next_try` from now one will be let through.
    Open {
        next_try: Duration,
    },
    /// One call is out to see.
    HalfOpen,
}

/// Counts failures, and says whether a call may be made.
#[derive(Debug)]
pub(super) struct Breaker {
    threshold: u32,
    first_pause: Duration,
    longest_pause: Duration,
    failures: u32,
    pause: Duration,
    position: Position,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Closed,
    Open { until: Instant },
    HalfOpen,
}

/// Not now, but perhaps after this long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused {
    pub next_try: Duration,
}

impl Breaker {
    pub fn new(threshold: u32, first_pause: Duration, longest_pause: Duration) -> Self {
        let threshold = threshold.max(1);
        Self {
            threshold,
            first_pause,
            longest_pause,
            failures: 0,
            pause: first_pause,
            position: Position::Closed,
        }
    }

    /// Whether a call that began now would be let through, without beginning one.
    pub fn would_admit(&self, now: Instant) -> Result<(), Refused> {
        match self.position {
            Position::Open { until } if now < until => Err(Refused { next_try: until - now }),
            // How the call that is out will end is not known yet.
            Position::HalfOpen => Err(Refused { next_try: self.pause }),
            _ => Ok(()),
        }
    }

    /// Lets a call through; true when it is the one that is to see, so that no other is let through before it tells.
    pub fn admit(&mut self, now: Instant) -> Result<bool, Refused> {
        self.would_admit(now)?;
        let probe = matches!(self.position, Position::Open { .. });
        if probe {
            self.position = Position::HalfOpen;
        }
        Ok(probe)
    }

    /// The driver answered.
    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.pause = self.first_pause;
        self.position = Position::Closed;
    }

    /// The driver failed.
    pub fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        match self.position {
            Position::Closed if self.failures < self.threshold => return,
            Position::Closed => self.pause = self.first_pause,
            // Its time to be better was not long enough.
            Position::HalfOpen => self.pause = (self.pause * 2).min(self.longest_pause),
            // A call that began before it opened.
            Position::Open { .. } => return,
        }
        self.position = Position::Open { until: now + self.pause };
    }

    /// The call that was to see ended without telling anything: the next one may.
    pub fn probe_dropped(&mut self, now: Instant) {
        if self.position == Position::HalfOpen {
            self.position = Position::Open { until: now };
        }
    }

    pub fn failures(&self) -> u32 {
        self.failures
    }

    pub fn state(&self, now: Instant) -> BreakerState {
        match self.position {
            Position::Closed => BreakerState::Closed,
            Position::Open { until } => BreakerState::Open { next_try: until.saturating_duration_since(now) },
            Position::HalfOpen => BreakerState::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn broken(now: Instant) -> Breaker {
        let mut breaker = Breaker::new(3, SECOND, 4 * SECOND);
        (0..3).for_each(|_| breaker.failed(now));
        breaker
    }

    #[test]
    fn failures_open_it_only_when_they_come_in_a_row() {
        let now = Instant::now();
        let mut breaker = Breaker::new(3, SECOND, 4 * SECOND);
        for _ in 0..10 {
            breaker.failed(now);
            breaker.failed(now);
            breaker.succeeded();
        }
        assert_eq!(breaker.state(now), BreakerState::Closed);
        assert_eq!(broken(now).state(now), BreakerState::Open { next_try: SECOND });
    }

    #[test]
    fn after_its_pause_one_call_is_let_through_and_closes_it_or_makes_it_wait_longer() {
        let now = Instant::now();
        let mut breaker = broken(now);
        assert_eq!(breaker.admit(now), Err(Refused { next_try: SECOND }));
        assert_eq!(breaker.admit(now + SECOND), Ok(true));
        assert!(breaker.admit(now + SECOND).is_err());
        breaker.failed(now + SECOND);
        assert_eq!(breaker.state(now + SECOND), BreakerState::Open { next_try: 2 * SECOND });
        assert_eq!(breaker.admit(now + 3 * SECOND), Ok(true));
        breaker.succeeded();
        assert_eq!(breaker.admit(now + 3 * SECOND), Ok(false));
    }

    #[test]
    fn a_call_that_is_dropped_makes_room_for_the_next_one_to_see() {
        let now = Instant::now();
        let mut breaker = broken(now);
        assert_eq!(breaker.admit(now + SECOND), Ok(true));
        breaker.probe_dropped(now + SECOND);
        assert_eq!(breaker.admit(now + SECOND), Ok(true));
    }

    proptest! {
        #[test]
        fn it_never_stays_shut_for_longer_than_its_longest_pause(events in prop::collection::vec(0u8..4, 0..60)) {
            let mut now = Instant::now();
            let mut breaker = Breaker::new(2, SECOND, 4 * SECOND);
            for event in events {
                match event {
                    0 => breaker.failed(now),
                    1 => breaker.succeeded(),
                    2 => now += SECOND,
                    _ => if breaker.admit(now) == Ok(true) { breaker.probe_dropped(now) },
                }
            }
            breaker.probe_dropped(now);
            prop_assert!(breaker.admit(now + 4 * SECOND).is_ok());
        }
    }
}
