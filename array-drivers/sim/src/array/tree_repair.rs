//! Undoing what processes left half done with trees when they died.

use std::collections::BTreeSet;

use rusqlite::Transaction;

use super::{Array, file_system, repair::rows, snapshot};
use crate::error::Result;

impl Array {
    pub(super) fn repair_trees(&self, change: &Transaction) -> Result<()> {
        for row in rows(change, "SELECT id FROM fs WHERE NOT ready")? {
            if !self.trees.is_being_filled(&file_system::tree(row))? {
                file_system::forget(change, row)?;
            }
        }
        for row in rows(change, "SELECT id FROM snapshot WHERE NOT ready")? {
            if !self.trees.is_being_filled(&snapshot::tree(row))? {
                snapshot::forget(change, row)?;
            }
        }
        self.remove_stray_trees(change)
    }

    /// Trees without a row, and what was being restored by a process that is gone.
    fn remove_stray_trees(&self, change: &Transaction) -> Result<()> {
        let file_systems = rows(change, "SELECT id FROM fs")?.into_iter().map(file_system::tree);
        let snapshots = rows(change, "SELECT id FROM snapshot")?.into_iter().map(snapshot::tree);
        let known: BTreeSet<String> = file_systems.chain(snapshots).collect();
        for name in self.trees.names()?.into_iter().filter(|name| !known.contains(name)) {
            if !self.trees.is_being_filled(&name)? {
                self.trees.remove(&name)?;
            }
        }
        Ok(())
    }
}
