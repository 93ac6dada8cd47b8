//! What became of a change, when its answer was lost or says two things.

use sanfleet_driver::{ErrorNumber, LsmError};

use super::Answer;
use crate::rpc::RpcError;

/// What is known of a change after it was asked for. Whoever gets this looks again, and settles it with what he saw.
#[derive(Debug)]
pub(super) enum Outcome {
    Done,
    /// It may be done all the same.
    Open(RpcError),
}

impl Outcome {
    /// # Errors
    /// The daemon has certainly not done it.
    pub fn of(answer: Result<(), RpcError>) -> Result<Self, RpcError> {
        match answer {
            Ok(()) => Ok(Self::Done),
            Err(error) if error.leaves_it_open() => Ok(Self::Open(error)),
            Err(error) => Err(error),
        }
    }

    /// `seen` is what the look showed, none when it is not as it should be; `untrue` says so of a change that the daemon calls done.
    pub fn settle<T>(self, seen: Answer<Option<T>>, untrue: impl FnOnce() -> String) -> Answer<T> {
        match (seen, self) {
            (Ok(Some(made)), _) => Ok(made),
            // Whether there is nothing to be seen or no looking: the first error says why.
            (_, Self::Open(error)) => Err(error.into()),
            (Err(error), Self::Done) => Err(error),
            (Ok(None), Self::Done) => Err(LsmError::new(ErrorNumber::PluginBug, untrue())),
        }
    }
}

/// What a look for something shows when it should be gone.
pub(super) fn gone<T>(found: Answer<T>, missing: ErrorNumber) -> Answer<Option<()>> {
    match found {
        Err(error) if error.number == missing => Ok(Some(())),
        Err(error) => Err(error),
        Ok(_) => Ok(None),
    }
}

/// What a look shows that answers yes or no.
pub(super) fn is_so(seen: Answer<bool>) -> Answer<Option<()>> {
    seen.map(|so| so.then_some(()))
}
