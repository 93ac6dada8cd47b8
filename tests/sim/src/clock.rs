//! The wall clock of a simulated fleet: it goes with the runtime's paused clock.

use std::cell::Cell;

use tokio::time::Instant;

/// 2026-01-01 UTC, in milliseconds since 1970.
const BEGIN: i64 = 1_767_225_600_000;

thread_local! {
    static EPOCH: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Begins a simulation on this thread: its clock shows the same time as that of every other.
pub fn begin() {
    EPOCH.set(Some(Instant::now()));
}

pub fn now() -> i64 {
    let epoch = EPOCH.get().expect("a simulation was begun on this thread");
    BEGIN + i64::try_from(epoch.elapsed().as_millis()).unwrap_or(i64::MAX - BEGIN)
}
