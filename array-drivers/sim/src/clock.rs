//! The array's clock: the machine's, or a number in the state file that stands still until it is advanced.
//!
//! It is the array's and not the session's, so that all processes agree on it. Jobs, lists that lag behind and time stamps go by it.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use rusqlite::{Connection, OpenFlags, Transaction};
use sanfleet_driver::{ErrorNumber, LsmError};

use crate::error::{Result, SimError};

/// Where a virtual clock begins: 2026-01-01 UTC.
const BEGIN: i64 = 1_767_225_600_000;
/// How long to wait for others that write.
const PATIENCE: Duration = Duration::from_secs(20);

/// Milliseconds since the epoch.
pub(crate) fn now(state: &Connection) -> Result<i64> {
    let set: Option<i64> = state.prepare_cached("SELECT ms FROM clock")?.query_row([], |row| row.get(0))?;
    Ok(set.unwrap_or_else(real))
}

fn real() -> i64 {
    let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    milliseconds(elapsed)
}

pub(crate) fn milliseconds(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// Makes the clock a virtual one, if it is not.
pub(crate) fn stop(change: &Transaction) -> Result<()> {
    change.execute("UPDATE clock SET ms = ?1 WHERE ms IS NULL", [BEGIN])?;
    Ok(())
}

/// Advances the virtual clock of the array with this state file. An array that goes by the machine's clock refuses.
pub fn advance_clock(state_file: &Path, by: Duration) -> std::result::Result<(), LsmError> {
    advance(state_file, by).map_err(LsmError::from)
}

fn advance(state_file: &Path, by: Duration) -> Result<()> {
    let state = Connection::open_with_flags(state_file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    state.busy_timeout(PATIENCE)?;
    match state.execute("UPDATE clock SET ms = ms + ?1 WHERE ms IS NOT NULL", [milliseconds(by)])? {
        0 => Err(SimError::refused(ErrorNumber::InvalidArgument, "this array goes by the machine's clock")),
        _ => Ok(()),
    }
}
