//! What became of a change, when its answer was lost or says two things.

use sanfleet_driver::LsmError;

use crate::rpc::RpcError;

/// What is known of a change after it was asked for. Whoever gets this looks again.
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

    /// The error for a change that has turned out not to be done; `odd` is for one that the daemon called done.
    pub fn undone(self, odd: LsmError) -> LsmError {
        match self {
            Self::Done => odd,
            Self::Open(error) => error.into(),
        }
    }
}
