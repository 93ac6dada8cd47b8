//! How long calls take. Pure.

use std::{collections::BTreeMap, time::Duration};

/// How many of a method's last calls the percentiles are of.
const WINDOW: usize = 256;

/// How the calls of one method went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFigures {
    pub method: &'static str,
    /// Since the pool was made.
    pub count: u64,
    /// Of these, the calls without a result for whatever reason.
    pub errors: u64,
    /// Of the last calls.
    pub p50: Duration,
    pub p99: Duration,
    pub max: Duration,
}

/// The figures of all methods.
#[derive(Debug, Default)]
pub(super) struct Latencies(BTreeMap<&'static str, Calls>);

#[derive(Debug, Default)]
struct Calls {
    count: u64,
    errors: u64,
    /// In no order once it is full.
    last: Vec<Duration>,
    oldest: usize,
}

impl Latencies {
    pub fn add(&mut self, method: &'static str, took: Duration, failed: bool) {
        let calls = self.0.entry(method).or_default();
        calls.count += 1;
        calls.errors += u64::from(failed);
        match calls.last.get_mut(calls.oldest) {
            Some(oldest) => *oldest = took,
            None => calls.last.push(took),
        }
        calls.oldest = (calls.oldest + 1) % WINDOW;
    }

    pub fn figures(&self) -> Vec<CallFigures> {
        self.0.iter().map(|(method, calls)| calls.figures(method)).collect()
    }
}

impl Calls {
    fn figures(&self, method: &'static str) -> CallFigures {
        let mut sorted = self.last.clone();
        sorted.sort_unstable();
        // The smallest that at least this share of the calls does not exceed.
        let at = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            sorted.get(rank).copied().unwrap_or_default()
        };
        let (count, errors) = (self.count, self.errors);
        CallFigures { method, count, errors, p50: at(50), p99: at(99), max: at(100) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_last_calls_and_counts_of_all() {
        let mut latencies = Latencies::default();
        for _ in 0..1000 {
            latencies.add("pools", Duration::from_secs(9), true);
        }
        for micros in 1..=256 {
            latencies.add("pools", Duration::from_micros(micros), false);
        }
        let figures = latencies.figures().remove(0);
        assert_eq!((figures.count, figures.errors), (1256, 1000));
        assert_eq!(
            (figures.p50, figures.p99, figures.max),
            (Duration::from_micros(128), Duration::from_micros(254), Duration::from_micros(256))
        );
    }

    #[test]
    fn one_call_is_its_own_median() {
        let mut latencies = Latencies::default();
        latencies.add("pools", Duration::from_micros(5), false);
        let figures = latencies.figures().remove(0);
        assert_eq!((figures.p50, figures.max), (Duration::from_micros(5), Duration::from_micros(5)));
    }
}
