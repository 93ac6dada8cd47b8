//! Taking away what failed jobs have made: at the end of a job that leaves nothing behind nothing is left.

use rusqlite::{Connection, Transaction, params};

use super::{Array, file_system, job::Made, snapshot, volume};
use crate::{clock, error::Result};

/// What is to be gone from the moment `at` on, in milliseconds since the epoch.
pub(super) fn doom(change: &Transaction, made: Made, at: i64) -> Result<()> {
    change
        .prepare_cached("INSERT OR REPLACE INTO doomed (kind, item, at) VALUES (?1, ?2, ?3)")?
        .execute(params![made.kind(), made.row(), at])?;
    Ok(())
}

impl Array {
    /// Removes what is due. Rows first: the next opening removes files and trees without a row.
    pub fn sweep(&self) -> Result<()> {
        if due(&self.state)?.is_empty() {
            return Ok(());
        }
        let change = self.begin()?;
        let due = due(&change)?;
        for made in &due {
            match *made {
                Made::Volume(row) => volume::forget(&change, row)?,
                Made::FileSystem(row) => file_system::forget(&change, row)?,
                Made::Snapshot(row) => snapshot::forget(&change, row)?,
            }
            change
                .prepare_cached("DELETE FROM doomed WHERE kind = ?1 AND item = ?2")?
                .execute(params![made.kind(), made.row()])?;
        }
        change.commit()?;
        due.into_iter().try_for_each(|made| match made {
            Made::Volume(row) => self.files.remove(row),
            Made::FileSystem(row) => self.trees.remove(&file_system::tree(row)),
            Made::Snapshot(row) => self.trees.remove(&snapshot::tree(row)),
        })
    }
}

fn due(state: &Connection) -> Result<Vec<Made>> {
    let mut statement = state.prepare_cached("SELECT kind, item FROM doomed WHERE at <= ?1")?;
    let rows = statement.query_map([clock::now(state)?], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows = rows.collect::<rusqlite::Result<Vec<(String, i64)>>>()?;
    Ok(rows.into_iter().filter_map(|(kind, row)| Made::new(&kind, row)).collect())
}
