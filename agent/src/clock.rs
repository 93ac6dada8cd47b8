//! The wall clock, in the unit that messages carry.

use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time as [`unix_ms`] does, which is the real one; a simulated fleet has its own.
pub type Clock = fn() -> i64;

/// Milliseconds since 1970; 0 on a machine whose clock is before that.
pub fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
