//! How long calls take. Pure.

use std::{collections::BTreeMap, time::Duration};

/// How many of the last calls the percentiles are of.
const WINDOW: usize = 256;

/// How calls went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Since the pool was made.
    pub count: u64,
    /// Of these, the calls that the driver left without an answer. What the array refuses is an answer.
    pub failed: u64,
    /// Of the last calls.
    pub p50: Duration,
    pub p99: Duration,
    pub max: Duration,
}

/// The figures of all methods, and of each.
#[derive(Debug, Default)]
pub(super) struct Latencies {
    all: Calls,
    by_method: BTreeMap<&'static str, Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    count: u64,
    failed: u64,
    /// In no order once it is full.
    last: Vec<Duration>,
    oldest: usize,
}

impl Latencies {
    pub fn add(&mut self, method: &'static str, took: Duration, failed: bool) {
        self.all.add(took, failed);
        self.by_method.entry(method).or_default().add(took, failed);
    }

    pub fn all(&self) -> Figures {
        self.all.figures()
    }

    pub fn by_method(&self) -> BTreeMap<&'static str, Figures> {
        self.by_method.iter().map(|(method, calls)| (*method, calls.figures())).collect()
    }
}

impl Calls {
    fn add(&mut self, took: Duration, failed: bool) {
        self.count += 1;
        self.failed += u64::from(failed);
        match self.last.get_mut(self.oldest) {
            Some(oldest) => *oldest = took,
            None => self.last.push(took),
        }
        self.oldest = (self.oldest + 1) % WINDOW;
    }

    fn figures(&self) -> Figures {
        let mut sorted = self.last.clone();
        sorted.sort_unstable();
        // The smallest that at least this share of the calls does not exceed.
        let at = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            sorted.get(rank).copied().unwrap_or_default()
        };
        Figures { count: self.count, failed: self.failed, p50: at(50), p99: at(99), max: at(100) }
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
        let figures = latencies.all();
        assert_eq!((figures.count, figures.failed), (1256, 1000));
        assert_eq!(
            (figures.p50, figures.p99, figures.max),
            (Duration::from_micros(128), Duration::from_micros(254), Duration::from_micros(256))
        );
    }

    #[test]
    fn one_call_is_its_own_median_and_its_methods() {
        let mut latencies = Latencies::default();
        latencies.add("pools", Duration::from_micros(5), false);
        let figures = latencies.all();
        assert_eq!((figures.p50, figures.max), (Duration::from_micros(5), Duration::from_micros(5)));
        assert_eq!(latencies.by_method(), BTreeMap::from([("pools", figures)]));
    }

    proptest::proptest! {
        #[test]
        fn the_figures_are_in_order(millis in proptest::collection::vec(0u64..10_000, 0..700)) {
            let mut latencies = Latencies::default();
            millis.iter().for_each(|ms| latencies.add("pools", Duration::from_millis(*ms), false));
            let figures = latencies.all();
            proptest::prop_assert!(figures.p50 <= figures.p99 && figures.p99 <= figures.max);
        }
    }
}
