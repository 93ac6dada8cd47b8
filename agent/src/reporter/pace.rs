//! Decides when the next report is due. Pure: every time is a duration since the reporter began.

use std::time::Duration;

#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// A change is reported when nothing has followed it for this long,
    pub settle: Duration,
    /// or this long after it, when changes do not stop.
    pub patience: Duration,
    /// Between the beginnings of two reports, and no less than twice as long as the one before had to work: of a host with thousands
    /// of disks each takes its time, and the host has other work.
    pub spacing: Duration,
    /// After this long without a full report there is one, so that nothing that was missed stays missed.
    pub full_interval: Duration,
    /// After a report that failed.
    pub retry: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            settle: Duration::from_millis(20),
            patience: Duration::from_millis(50),
            spacing: Duration::from_millis(50),
            full_interval: Duration::from_secs(600),
            retry: Duration::from_secs(5),
        }
    }
}

#[derive(Debug)]
pub struct Pace {
    timing: Timing,
    /// The first and the last change that no report has shown yet.
    changes: Option<(Duration, Duration)>,
    full_wanted: bool,
    last_begun: Option<Duration>,
    /// How long the last one had to work.
    work: Duration,
    last_full: Duration,
    retry_at: Option<Duration>,
}

impl Pace {
    /// The first report is due at once, and is a full one.
    pub fn new(timing: Timing) -> Self {
        Self {
            timing,
            changes: None,
            full_wanted: true,
            last_begun: None,
            work: Duration::ZERO,
            last_full: Duration::ZERO,
            retry_at: None,
        }
    }

    pub fn changed(&mut self, now: Duration) {
        let first = self.changes.map_or(now, |(first, _)| first);
        self.changes = Some((first, now));
    }

    pub fn asked(&mut self) {
        self.full_wanted = true;
    }

    /// When the next report is due.
    pub fn due(&self) -> Duration {
        let timing = &self.timing;
        let wanted = [
            self.full_wanted.then_some(Duration::ZERO),
            self.changes.map(|(first, last)| (last + timing.settle).min(first + timing.patience)),
            self.retry_at,
            Some(self.last_full + timing.full_interval),
        ];
        let wanted = wanted.into_iter().flatten().min().unwrap_or_default();
        let spacing = timing.spacing.max(self.work * 2);
        let earliest = self.last_begun.map_or(Duration::ZERO, |begun| begun + spacing);
        wanted.max(earliest)
    }

    /// A report begins: it shows all that was until now. True when it has to be published even if it says nothing new.
    pub fn begin(&mut self, now: Duration) -> bool {
        let interval_is_over = now >= self.last_full + self.timing.full_interval;
        let full = self.full_wanted || self.retry_at.is_some() || interval_is_over;
        if full {
            self.last_full = now;
        }
        self.changes = None;
        self.full_wanted = false;
        self.retry_at = None;
        self.last_begun = Some(now);
        full
    }

    /// The report that was begun is over, one way or the other. For so long it may have done nothing but wait.
    pub fn ended(&mut self, now: Duration, waited: Duration) {
        self.work = now.saturating_sub(self.last_begun.unwrap_or(now)).saturating_sub(waited);
    }

    /// The report that was begun did not go out: the one after it is a full one.
    pub fn failed(&mut self, now: Duration) {
        self.retry_at = Some(now + self.timing.retry);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// A pace whose report at the start is behind it.
    fn started() -> Pace {
        let mut pace = Pace::new(Timing::default());
        assert_eq!(pace.due(), ms(0));
        assert!(pace.begin(ms(0)));
        pace
    }

    #[test]
    fn a_single_change_is_reported_when_it_has_settled() {
        let mut pace = started();
        pace.changed(ms(1_000));
        assert_eq!(pace.due(), ms(1_020));
        assert!(!pace.begin(ms(1_020)), "only if it says something new");
        assert_eq!(pace.due(), ms(600_000));
    }

    #[test]
    fn changes_that_do_not_stop_are_reported_within_a_hundred_milliseconds() {
        let mut pace = started();
        for now in 1_000..1_050 {
            pace.changed(ms(now));
        }
        assert_eq!(pace.due(), ms(1_050));
    }

    #[test]
    fn who_asks_is_answered_at_once_but_not_more_often_than_the_spacing() {
        let mut pace = started();
        pace.asked();
        assert_eq!(pace.due(), ms(50));
        assert!(pace.begin(ms(50)));
        pace.asked();
        assert_eq!(pace.due(), ms(100));
    }

    #[test]
    fn after_a_report_that_took_long_nothing_is_looked_at_for_as_long() {
        let mut pace = started();
        pace.ended(ms(3_000), ms(0));
        pace.changed(ms(3_000));
        assert_eq!(pace.due(), ms(6_000));
        pace.begin(ms(6_000));
        pace.ended(ms(7_010), ms(1_000));
        pace.changed(ms(7_010));
        assert_eq!(pace.due(), ms(7_030), "it waited for a device that did not answer");
    }

    #[test]
    fn a_full_report_comes_at_its_interval_and_says_everything_again() {
        let mut pace = started();
        pace.changed(ms(1_000));
        pace.begin(ms(1_020));
        assert_eq!(pace.due(), ms(600_000));
        assert!(pace.begin(ms(600_000)));
        assert_eq!(pace.due(), ms(1_200_000));
    }

    #[test]
    fn a_report_that_failed_is_tried_again_in_full_and_not_in_a_loop() {
        let mut pace = started();
        pace.changed(ms(1_000));
        assert!(!pace.begin(ms(1_020)));
        pace.failed(ms(1_021));
        assert_eq!(pace.due(), ms(6_021));
        assert!(pace.begin(ms(6_021)));
        assert_eq!(pace.due(), ms(606_021));
    }

    proptest! {
        #[test]
        fn whatever_happens_reports_keep_their_spacing_and_no_change_waits_long(
            changes in proptest::collection::vec(0u64..3_000, 1..300),
        ) {
            let mut changes = changes;
            changes.sort_unstable();
            let mut pace = Pace::new(Timing::default());
            let mut reports = Vec::new();
            let mut pending = changes.iter().copied().peekable();
            for now in 0..4_000 {
                while pending.next_if(|at| *at <= now).is_some() {
                    pace.changed(ms(now));
                }
                if pace.due() <= ms(now) {
                    pace.begin(ms(now));
                    reports.push(now);
                }
            }
            prop_assert!(reports.windows(2).all(|pair| pair[1] - pair[0] >= 50));
            for change in changes {
                prop_assert!(reports.iter().any(|at| (change..=change + 100).contains(at)), "{}", change);
            }
        }
    }
}
