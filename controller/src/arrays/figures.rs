//! How long calls to an array take, and how many fail: what an operator wants to know of it.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use sanfleet_driver::client::ClientError;

/// So many of the newest calls count for the times.
const WINDOW: usize = 512;

/// The calls of one array, noted as they end.
#[derive(Debug, Default)]
pub struct Calls(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    calls: u64,
    failed: u64,
    newest: VecDeque<Duration>,
}

/// All calls counted, and the times of the newest ones. No times before the first call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    pub calls: u64,
    /// Without those that the array itself refused.
    pub failed: u64,
    pub p50: Duration,
    pub p99: Duration,
    pub max: Duration,
}

impl Calls {
    pub fn note<T>(&self, took: Duration, result: &Result<T, ClientError>) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.calls += 1;
        if result.as_ref().is_err_and(|error| !matches!(error, ClientError::Array(_))) {
            noted.failed += 1;
        }
        if noted.newest.len() == WINDOW {
            noted.newest.pop_front();
        }
        noted.newest.push_back(took);
    }

    pub fn figures(&self) -> Figures {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut times: Vec<Duration> = noted.newest.iter().copied().collect();
        times.sort_unstable();
        Figures {
            calls: noted.calls,
            failed: noted.failed,
            p50: percentile(&times, 50),
            p99: percentile(&times, 99),
            max: times.last().copied().unwrap_or_default(),
        }
    }
}

/// The shortest time that so many percent of the calls did not exceed (nearest rank).
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(rank).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sanfleet_driver::LsmError;

    use super::*;

    fn noted(millis: impl IntoIterator<Item = u64>) -> Figures {
        let calls = Calls::default();
        millis.into_iter().for_each(|ms| calls.note(Duration::from_millis(ms), &Ok(())));
        calls.figures()
    }

    #[test]
    fn one_slow_call_in_a_hundred_shows_in_the_maximum_and_not_in_the_median() {
        let figures = noted((1..=99).map(|_| 2).chain([5_000]));
        assert_eq!((figures.p50, figures.p99), (Duration::from_millis(2), Duration::from_millis(2)));
        assert_eq!(figures.max, Duration::from_secs(5));
    }

    #[test]
    fn what_was_slow_long_ago_is_forgotten_and_still_counted() {
        let figures = noted(std::iter::once(9_000).chain((0..WINDOW).map(|_| 1)));
        assert_eq!((figures.calls, figures.max), (WINDOW as u64 + 1, Duration::from_millis(1)));
    }

    #[test]
    fn a_refusal_by_the_array_is_no_failed_call() {
        let calls = Calls::default();
        calls.note::<()>(Duration::ZERO, &Err(ClientError::Array(LsmError::no_support())));
        calls.note::<()>(Duration::ZERO, &Err(ClientError::Timeout { method: "x", after: Duration::ZERO }));
        assert_eq!((calls.figures().calls, calls.figures().failed), (2, 1));
    }

    proptest! {
        #[test]
        fn the_figures_are_in_order(millis in proptest::collection::vec(0u64..10_000, 0..700)) {
            let figures = noted(millis);
            prop_assert!(figures.p50 <= figures.p99 && figures.p99 <= figures.max);
        }
    }
}
