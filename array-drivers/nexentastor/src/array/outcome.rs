//! What became of a change, when its answer was lost, or lists do not tell of it yet.

use std::{thread, time::Duration};

use sanfleet_driver::{ErrorNumber, LsmError};
use sanfleet_driver_http::Deadline;

use super::Answer;
use crate::appliance::{self, ApplianceError};

/// How long lists may lag behind what was done.
const SETTLE: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// What is known of a change after it was asked for. Whoever gets this looks again, and settles it with what he sees.
#[derive(Debug)]
pub(super) enum Outcome {
    Done,
    /// It may be done all the same.
    Open(ApplianceError),
}

impl Outcome {
    /// # Errors
    /// The appliance has certainly not done it.
    pub fn of(answer: appliance::Answer<()>) -> appliance::Answer<Self> {
        match answer {
            Ok(()) => Ok(Self::Done),
            Err(error) if error.leaves_it_open() => Ok(Self::Open(error)),
            Err(error) => Err(error),
        }
    }

    /// `look` shows what was made, or none while it is not as it should be; `untrue` says so of a change that the appliance calls
    /// done.
    pub fn settle<T>(
        self,
        deadline: Deadline,
        look: impl FnMut() -> Answer<Option<T>>,
        untrue: impl FnOnce() -> String,
    ) -> Answer<T> {
        match (until(deadline, look), self) {
            (Ok(Some(made)), _) => Ok(made),
            // Whether there is nothing to be seen or no looking: the first error says why.
            (_, Self::Open(error)) => Err(error.into()),
            (Err(error), Self::Done) => Err(error),
            (Ok(None), Self::Done) => Err(LsmError::new(ErrorNumber::PluginBug, untrue())),
        }
    }
}

/// Looks until something is there, for as long as lists may lag.
pub(super) fn until<T>(deadline: Deadline, mut look: impl FnMut() -> Answer<Option<T>>) -> Answer<Option<T>> {
    let (settled, mut pause) = (Deadline::after(SETTLE.min(deadline.left())), FIRST_PAUSE);
    loop {
        match look()? {
            None if pause < settled.left() => thread::sleep(pause),
            seen => return Ok(seen),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// What a look for something shows when it should be gone.
pub(super) fn gone<T>(found: appliance::Answer<Option<T>>) -> Answer<Option<()>> {
    Ok(if found?.is_none() { Some(()) } else { None })
}
