//! What a check says: nothing when all is well, else what it expected and what it saw.

use std::{error::Error, fmt::Debug};

use sanfleet_driver::{ErrorNumber, client::ClientError};
use serde::Serialize;

/// Why a driver is at odds with the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What was looked at.
    pub what: String,
    pub expected: String,
    pub seen: String,
}

/// Why a check ended before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    Failed(Failure),
    Skipped(String),
}

pub type Verdict<T = ()> = Result<T, Stop>;

/// Longest text of what was seen that is told: a list of ten thousand volumes helps nobody.
const LONGEST: usize = 600;

pub fn failed<T>(
    what: impl Into<String>,
    expected: impl Into<String>,
    seen: impl Into<String>,
) -> Verdict<T> {
    let seen: String = seen.into();
    let mut short: String = seen.chars().take(LONGEST).collect();
    if short.len() < seen.len() {
        short.push('…');
    }
    Err(Stop::Failed(Failure { what: what.into(), expected: expected.into(), seen: short }))
}

pub fn skip<T>(why: impl Into<String>) -> Verdict<T> {
    Err(Stop::Skipped(why.into()))
}

pub fn equal<T: PartialEq + Debug>(what: &str, seen: T, expected: T) -> Verdict {
    match seen == expected {
        true => Ok(()),
        false => failed(what, format!("{expected:?}"), format!("{seen:?}")),
    }
}

pub fn that(holds: bool, what: &str, expected: &str, seen: impl Debug) -> Verdict {
    match holds {
        true => Ok(()),
        false => failed(what, expected, format!("{seen:?}")),
    }
}

/// The call is to be refused with one of these numbers.
pub fn refused<T: Debug>(what: &str, outcome: Result<T, ClientError>, numbers: &[ErrorNumber]) -> Verdict {
    let expected = || format!("refused with {}", list(numbers));
    match outcome {
        Err(ClientError::Array(error)) if numbers.contains(&error.number) => Ok(()),
        Err(error) => failed(what, expected(), told(&error)),
        Ok(done) => failed(what, expected(), format!("{done:?}")),
    }
}

fn list(numbers: &[ErrorNumber]) -> String {
    let words: Vec<String> =
        numbers.iter().map(|number| format!("{number:?} ({})", i64::from(*number))).collect();
    words.join(" or ")
}

/// An error with all its causes.
pub fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Self {
        let what = "a call that ought to succeed".into();
        Self::Failed(Failure { what, expected: "a result".into(), seen: told(&error) })
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        let (what, expected) = ("the connection with the driver".into(), "that it holds".into());
        Self::Failed(Failure { what, expected, seen: error.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use sanfleet_driver::LsmError;

    use super::*;

    fn no(number: ErrorNumber) -> Result<(), ClientError> {
        Err(ClientError::Array(LsmError::new(number, "no")))
    }

    #[test]
    fn a_refusal_with_another_number_is_a_failure_that_tells_both() {
        let numbers = [ErrorNumber::NameConflict];
        assert_eq!(refused("a call", no(ErrorNumber::NameConflict), &numbers), Ok(()));
        let Err(Stop::Failed(failure)) = refused("a call", no(ErrorNumber::PluginBug), &numbers) else {
            panic!("no failure");
        };
        assert_eq!(
            (failure.expected.as_str(), failure.seen.as_str()),
            ("refused with NameConflict (50)", "no (error 2)")
        );
        assert!(refused("a call", Ok(()), &numbers).is_err());
    }

    #[test]
    fn what_was_seen_is_told_briefly() {
        let Err(Stop::Failed(failure)) = failed::<()>("a list", "short", "x".repeat(5_000)) else {
            panic!("no failure");
        };
        assert!(failure.seen.len() < 1_000);
    }
}
