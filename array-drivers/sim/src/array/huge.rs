//! An array that begins with very many volumes: rows only, their files are made when somebody wants them.

use rusqlite::{Connection, Transaction, params};
use sanfleet_driver::ErrorNumber;

use super::{BLOCK, open::meta};
use crate::{
    error::{Result, SimError},
    profile::{HUGE, HUGE_VOLUME},
};

/// Under which the state file keeps the last of these volumes.
const LAST: &str = "last_made_with_the_array";

/// Fills the last pool.
pub(super) fn fill(change: &Transaction, pool_bytes: u64) -> Result<()> {
    let needed = u64::from(HUGE) * HUGE_VOLUME;
    if pool_bytes < needed {
        let message = format!("pool_bytes: a huge array needs {needed}");
        return Err(SimError::refused(ErrorNumber::InvalidArgument, message));
    }
    let blocks = i64::try_from(HUGE_VOLUME / BLOCK).unwrap_or(i64::MAX);
    let mut insert = change.prepare(
        "INSERT INTO volume (name, pool, blocks, ready) VALUES (?1, (SELECT max(id) FROM pool), ?2, 1)",
    )?;
    for number in 1..=HUGE {
        insert.execute(params![format!("huge{number:06}"), blocks])?;
    }
    change.execute("INSERT INTO meta VALUES (?1, (SELECT max(id) FROM volume))", [LAST])?;
    Ok(())
}

/// The last row of the volumes that may have no file yet; 0 in an array that began without any.
pub(super) fn last(state: &Connection) -> Result<i64> {
    Ok(meta(state, LAST)?.and_then(|row| row.parse().ok()).unwrap_or_default())
}
