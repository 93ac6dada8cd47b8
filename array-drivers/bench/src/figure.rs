//! Figures: samples in, rows of a table out.

use std::{fmt::Write, time::Duration};

use serde::Serialize;

/// One figure beside its limit and its target.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub what: String,
    pub unit: &'static str,
    /// None when it could not be measured; then `why` says why.
    pub seen: Option<f64>,
    /// The same thing with nothing in between, measured in the same run.
    pub limit: Option<f64>,
    /// At most this much.
    pub target: Option<f64>,
    pub why: Option<String>,
}

/// Times of the same thing done often.
#[derive(Debug, Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    pub fn push(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// The time below which this share of all samples is.
    pub fn quantile(&mut self, share: f64) -> Duration {
        self.0.sort();
        let last = self.0.len().saturating_sub(1);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let at = (last as f64 * share).round() as usize;
        self.0.get(at).copied().unwrap_or_default()
    }

    pub fn median(&mut self) -> Duration {
        self.quantile(0.5)
    }
}

pub fn micro(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

pub fn milli(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

impl Row {
    pub fn new(what: impl Into<String>, unit: &'static str, seen: f64) -> Self {
        Self { what: what.into(), unit, seen: Some(seen), limit: None, target: None, why: None }
    }

    pub fn skipped(what: impl Into<String>, unit: &'static str, why: impl Into<String>) -> Self {
        Self { what: what.into(), unit, seen: None, limit: None, target: None, why: Some(why.into()) }
    }

    pub fn beside(self, limit: f64) -> Self {
        Self { limit: Some(limit), ..self }
    }

    pub fn at_most(self, target: f64) -> Self {
        Self { target: Some(target), ..self }
    }

    /// How many times the limit it is.
    fn ratio(&self) -> Option<f64> {
        match (self.seen, self.limit) {
            (Some(seen), Some(limit)) if limit > 0.0 => Some(seen / limit),
            _ => None,
        }
    }

    fn verdict(&self) -> &'static str {
        match (self.seen, self.target) {
            (Some(seen), Some(target)) if seen <= target => "met",
            (Some(_), Some(_)) => "NOT MET",
            (None, _) => "skipped",
            (Some(_), None) => "",
        }
    }
}

pub fn table(rows: &[Row]) -> String {
    let widest = rows.iter().map(|row| row.what.chars().count()).max().unwrap_or_default();
    let mut text = format!(
        "{:widest$}  {:>12}  {:>12}  {:>8}  {:>12}  {}\n",
        "", "seen", "raw limit", "ratio", "target", "verdict"
    );
    for row in rows {
        let figure =
            |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.2} {}", row.unit));
        let ratio = row.ratio().map_or(String::new(), |ratio| format!("{ratio:.1}x"));
        let why = row.why.as_deref().map_or(String::new(), |why| format!(": {why}"));
        // A String takes whatever is written to it.
        let _ = writeln!(
            text,
            "{:widest$}  {:>12}  {:>12}  {ratio:>8}  {:>12}  {}{why}",
            row.what,
            figure(row.seen),
            figure(row.limit),
            figure(row.target),
            row.verdict(),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle_and_a_quantile_near_the_end() {
        let mut samples = Samples::default();
        (1..=101).rev().for_each(|count| samples.push(Duration::from_millis(count)));
        assert_eq!(
            (samples.median(), samples.quantile(0.99)),
            (Duration::from_millis(51), Duration::from_millis(100))
        );
        assert_eq!(Samples::default().median(), Duration::ZERO);
    }

    #[test]
    fn a_row_tells_whether_its_target_is_met() {
        let row = Row::new("a call", "us", 40.0).beside(10.0).at_most(50.0);
        assert_eq!((row.verdict(), row.ratio()), ("met", Some(4.0)));
        assert_eq!(Row::new("a call", "us", 60.0).at_most(50.0).verdict(), "NOT MET");
        assert!(table(&[Row::skipped("a call", "us", "no driver")]).contains("skipped: no driver"));
    }
}
