//! The moment until which a call of a driver, with all its requests, may take.

use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline(Instant);

impl Deadline {
    pub fn after(limit: Duration) -> Self {
        let now = Instant::now();
        // A limit beyond what the clock can tell is as good as a day.
        Self(now.checked_add(limit).unwrap_or_else(|| now + Duration::from_secs(86_400)))
    }

    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}
