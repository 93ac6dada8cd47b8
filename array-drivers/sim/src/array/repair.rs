//! Undoing what processes left half done when they died. Done at every opening, under the write lock.

use std::collections::BTreeSet;

use rusqlite::Transaction;

use super::{
    Array,
    publication::{self, Of},
    volume,
};
use crate::error::Result;

impl Array {
    pub(super) fn repair(&self) -> Result<()> {
        let change = self.begin()?;
        self.remove_half_made(&change)?;
        self.remove_strays(&change)?;
        self.finish_resizes(&change)?;
        if let Some(fabric) = &self.fabric {
            fabric.align(&publication::shown(&change, self, Of::Everybody)?)?;
        }
        change.commit()?;
        Ok(())
    }

    /// Volumes that nobody is making any more.
    fn remove_half_made(&self, change: &Transaction) -> Result<()> {
        for row in rows(change, "SELECT id FROM volume WHERE NOT ready")? {
            if !self.files.is_being_filled(row)? {
                volume::forget(change, row)?;
            }
        }
        Ok(())
    }

    /// A size that is decided becomes the file's, whoever decided it.
    fn finish_resizes(&self, change: &Transaction) -> Result<()> {
        rows(change, "SELECT id FROM volume WHERE ready AND resizing")?
            .into_iter()
            .try_for_each(|row| self.settle_size(change, row))
    }

    /// Files without a volume: of the half made, of the deleted, and of those never recorded.
    fn remove_strays(&self, change: &Transaction) -> Result<()> {
        let known: BTreeSet<i64> = rows(change, "SELECT id FROM volume")?.into_iter().collect();
        self.files
            .rows()?
            .into_iter()
            .filter(|row| !known.contains(row))
            .try_for_each(|row| self.files.remove(row))
    }
}

fn rows(change: &Transaction, query: &str) -> Result<Vec<i64>> {
    let mut statement = change.prepare_cached(query)?;
    let rows = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(rows)
}
