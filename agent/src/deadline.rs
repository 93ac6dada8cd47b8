//! The moment after which an action must not begin to change anything any more.

use std::time::Duration;

// The runtime's clock: the machine's, and in a simulated fleet the one that is advanced.
use tokio::time::Instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    pub fn after(time: Duration) -> Self {
        // A time that the clock cannot hold is as good as an hour.
        let now = Instant::now();
        Self(now.checked_add(time).unwrap_or(now + Duration::from_secs(3600)))
    }

    pub fn left(&self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    pub fn has_passed(&self) -> bool {
        self.left().is_zero()
    }

    pub fn earlier(self, other: Self) -> Self {
        self.min(other)
    }
}
