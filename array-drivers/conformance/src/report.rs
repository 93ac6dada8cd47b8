//! What came of a run.

use std::{fmt, time::Duration};

use serde::Serialize;

use crate::expect::Failure;

/// What came of every check that was picked.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    pub checks: Vec<Line>,
}

/// What came of one check.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    pub group: &'static str,
    pub sentence: String,
    #[serde(flatten)]
    pub outcome: Outcome,
    pub milliseconds: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    Passed,
    Failed(Failure),
    Skipped { why: String },
}

impl Report {
    pub fn passed(&self) -> usize {
        self.count(|outcome| *outcome == Outcome::Passed)
    }

    pub fn failed(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Failed(_)))
    }

    pub fn skipped(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Skipped { .. }))
    }

    fn count(&self, is: impl Fn(&Outcome) -> bool) -> usize {
        self.checks.iter().filter(|line| is(&line.outcome)).count()
    }

    /// `N passed, N failed, N skipped`.
    pub fn summary(&self) -> String {
        format!("{} passed, {} failed, {} skipped", self.passed(), self.failed(), self.skipped())
    }
}

impl Line {
    pub fn new(group: &'static str, sentence: String, outcome: Outcome, took: Duration) -> Self {
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        Self { group, sentence, outcome, milliseconds }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, sentence, milliseconds, .. } = self;
        match &self.outcome {
            Outcome::Passed => write!(f, "passed   {group}: {sentence} ({milliseconds} ms)"),
            Outcome::Skipped { why } => write!(f, "skipped  {group}: {sentence} ({why})"),
            Outcome::Failed(Failure { what, expected, seen }) => write!(
                f,
                "FAILED   {group}: {sentence}\n           of       {what}\n           expected {expected}\n           seen     {seen}"
            ),
        }
    }
}
