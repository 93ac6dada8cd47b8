//! The calls that rules of faults count, in the state file so that all processes count together.

use rusqlite::params;

use super::Array;
use crate::{error::Result, faults::Counter};

impl Counter for Array {
    fn count(&self, file: &str, rule: &str) -> Result<u64> {
        let change = self.begin()?;
        change
            .prepare_cached("DELETE FROM fault_call WHERE file <> '' AND ?1 <> '' AND file <> ?1")?
            .execute([file])?;
        let calls: i64 = change
            .prepare_cached(
                "INSERT INTO fault_call (file, rule, calls) VALUES (?1, ?2, 1) \
                 ON CONFLICT (file, rule) DO UPDATE SET calls = calls + 1 RETURNING calls",
            )?
            .query_row(params![file, rule], |row| row.get(0))?;
        change.commit()?;
        Ok(u64::try_from(calls).unwrap_or_default())
    }

    fn seed(&self) -> &str {
        &self.id
    }
}
