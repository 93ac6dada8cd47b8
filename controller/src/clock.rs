//! The wall clock, in the one unit that messages use.

use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time in milliseconds since 1970, UTC. [`now_unix_ms`] is the real one; a simulated fleet has its own.
pub type Clock = fn() -> i64;

/// Milliseconds since 1970, UTC.
pub fn now_unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
