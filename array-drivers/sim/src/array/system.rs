//! What is set for the array as a whole.

use sanfleet_driver::{ErrorNumber, System};

use super::{Array, listing, open};
use crate::error::{Result, SimError};

const READ_CACHE: &str = "read_cache_pct";
/// Percent of the cache that is for reads, where nobody chose.
const READ_CACHE_PCT: i64 = 10;

impl Array {
    pub(super) fn read_cache_pct(&self) -> Result<i64> {
        let set = open::meta(&self.state, READ_CACHE)?;
        Ok(set.and_then(|text| text.parse().ok()).unwrap_or(READ_CACHE_PCT))
    }

    pub fn system_read_cache_pct_update(&self, system: &System, percent: u8) -> Result<()> {
        listing::check_system(system)?;
        if percent > 100 {
            let message = format!("{percent} percent of the cache");
            return Err(SimError::refused(ErrorNumber::InvalidArgument, message));
        }
        let change = self.begin()?;
        change
            .prepare_cached("INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2")?
            .execute([READ_CACHE, &percent.to_string()])?;
        change.commit()?;
        Ok(())
    }
}
