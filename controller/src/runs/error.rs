//! Why a step failed, and how soon trying again may help.

use std::time::Duration;

use sanfleet_driver::ErrorNumber;

use crate::{agents::AgentError, arrays::ArrayError, plan::PlanError, stored_hosts::NotesError};

#[derive(Debug, thiserror::Error)]
pub enum StepError {
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error(transparent)]
    Array(#[from] ArrayError),
    #[error(transparent)]
    Notes(#[from] NotesError),
    /// The world is not as the step needs it; trying again would not help.
    #[error("{0}")]
    Refused(String),
    /// Another host may write to the volume. It may have let go already, and its report be on the way.
    #[error(transparent)]
    InUse(#[from] PlanError),
    /// The copy was taken while the source was no longer held still.
    #[error("the copy is void: {0}")]
    Void(String),
    /// The world did not come to be as asked, though nothing reported an error.
    #[error("{0}")]
    NotVerified(String),
    #[error("there was no progress for {} s", after.as_secs())]
    NoProgress { after: Duration },
    #[error("it was not done within {} s", after.as_secs())]
    Overdue { after: Duration },
    #[error("the journal holds no output of step {step}")]
    Missing { step: &'static str },
    #[error("journal: {0}")]
    Journal(String),
}

/// How long to wait before trying again: the first pause, doubled with every try, up to the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOff {
    first: Duration,
    longest: Duration,
}

impl BackOff {
    /// What may come right at any moment.
    const SOON: Self = Self::new(100, 2_000);
    /// A machine that has to come back.
    const RETURN: Self = Self::new(500, 5_000);
    /// An array that has too much to do: asking more often makes it worse.
    const RELIEF: Self = Self::new(1_000, 15_000);

    const fn new(first_ms: u64, longest_ms: u64) -> Self {
        Self { first: Duration::from_millis(first_ms), longest: Duration::from_millis(longest_ms) }
    }

    /// The pause after so many tries have failed, counted from 1.
    pub fn pause(self, failed: u32) -> Duration {
        (self.first * (1 << failed.saturating_sub(1).min(10))).min(self.longest)
    }
}

impl StepError {
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Agent(error) => error.is_retryable(),
            Self::Array(error) => error.is_retryable(),
            Self::Notes(_)
            | Self::InUse(_)
            | Self::Void(_)
            | Self::NotVerified(_)
            | Self::NoProgress { .. } => true,
            Self::Refused(_) | Self::Missing { .. } | Self::Journal(_) | Self::Overdue { .. } => false,
        }
    }

    pub fn back_off(&self) -> BackOff {
        match self {
            Self::Agent(AgentError::Offline { .. } | AgentError::Unanswered { .. }) => BackOff::RETURN,
            Self::Array(error) => match error.by_array().map(|error| error.number) {
                Some(ErrorNumber::Timeout | ErrorNumber::JobStarted) => BackOff::RELIEF,
                Some(_) => BackOff::SOON,
                None => BackOff::RETURN,
            },
            _ => BackOff::SOON,
        }
    }

    pub fn id(what: &str, error: impl std::fmt::Display) -> Self {
        Self::Journal(format!("{what}: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_have_an_end() {
        let pauses: Vec<u128> = (1..=7).map(|failed| BackOff::SOON.pause(failed).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1_600, 2_000, 2_000]);
        assert_eq!(BackOff::RELIEF.pause(u32::MAX), Duration::from_secs(15));
    }

    #[test]
    fn a_machine_that_is_away_is_asked_less_often_than_one_that_is_there() {
        let host = "h".parse().unwrap();
        let away = StepError::Agent(AgentError::Offline { host });
        assert!(away.back_off().pause(1) > StepError::NotVerified("not yet".into()).back_off().pause(1));
    }
}
