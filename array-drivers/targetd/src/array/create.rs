//! Making a volume.

use sanfleet_driver::{ErrorNumber, PoolId, Provisioning, Volume};

use super::{Answer, Array, name, outcome::Outcome, pool, refused};
use crate::daemon::PoolRow;

impl Array {
    pub fn volume_create(
        &mut self,
        pool: &PoolId,
        name: &str,
        size: u64,
        provisioning: Provisioning,
    ) -> Answer<Volume> {
        name::check(name)?;
        let _alone = self.alone()?;
        let pool = self.pool_for(pool, false)?;
        if !pool::kind(&pool).provisions(provisioning) {
            let message = format!("pool {} does not make volumes in that way", pool.name);
            return refused(ErrorNumber::InvalidArgument, message);
        }
        require_possible(&pool, size)?;
        if self.named(&pool, name)?.is_some() {
            return refused(ErrorNumber::NameConflict, format!("pool {} has a volume {name}", pool.name));
        }
        let outcome = Outcome::of(self.daemon.vol_create(&pool.name, name, size))?;
        self.made(&pool, name, outcome)
    }

    /// The volume that was to be made. Its name was free and nobody else of ours made anything, so whatever has it now is it.
    pub(super) fn made(&mut self, pool: &PoolRow, name: &str, outcome: Outcome) -> Answer<Volume> {
        let found = self.named(pool, name).map(|found| found.map(|volume| volume.volume()));
        // Where a thin volume cannot be made, the daemon makes a plain one beside the thin pool and calls that done.
        outcome.settle(found, || {
            format!(
                "targetd says that {name} was made, but pool {} has no such volume. A thin pool that is full or broken makes it put \
                 a plain volume of that name into the volume group: look there",
                pool.name
            )
        })
    }
}

/// Even where space is promised more than once, no volume is larger than all of it: it could never be filled.
pub(super) fn require_possible(pool: &PoolRow, size: u64) -> Answer<()> {
    if size == 0 {
        return refused(ErrorNumber::InvalidArgument, "a volume has a size");
    }
    if size > pool.size {
        let message = format!("pool {} has {} bytes, not {size}", pool.name, pool.size);
        return refused(ErrorNumber::NotEnoughSpace, message);
    }
    Ok(())
}
