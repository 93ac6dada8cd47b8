//! Says at most so much: whoever floods the inbox must not flood the log.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const EVERY: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub struct Warnings(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    last: Option<Instant>,
    unsaid: u64,
}

impl Warnings {
    /// `Some` when a warning may be written now, with how many were left out since the last one.
    pub fn may_say(&self) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.last.is_some_and(|last| last.elapsed() < EVERY) {
            said.unsaid += 1;
            return None;
        }
        said.last = Some(Instant::now());
        Some(std::mem::take(&mut said.unsaid))
    }
}
