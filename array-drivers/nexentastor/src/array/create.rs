//! Making a volume, with an identity from the start.

use sanfleet_driver::{ErrorNumber, PoolId, Provisioning, Volume};

use super::{Answer, Array, name, outcome::Outcome, pool::possible, refused};
use crate::dataset::DatasetPath;

impl Array {
    pub fn volume_create(
        &mut self,
        pool: &PoolId,
        name: &str,
        bytes: u64,
        provisioning: Provisioning,
    ) -> Answer<Volume> {
        name::check(name)?;
        let _alone = self.alone()?;
        let pool = self.pool(pool)?;
        let bytes = possible(&pool, bytes, self.appliance.block())?;
        let path = self.appliance.home(&pool.path)?.child(name);
        self.require_free(&path)?;
        let sparse = provisioning == Provisioning::THIN;
        let outcome = Outcome::of(self.appliance.volume_create(&path, bytes, sparse))?;
        self.made(&path, outcome)
    }

    pub(super) fn require_free(&mut self, path: &DatasetPath) -> Answer<()> {
        match self.appliance.volume(path)? {
            None => Ok(()),
            Some(_) => refused(ErrorNumber::NameConflict, format!("there is a volume {path}")),
        }
    }

    /// The volume that was to be made. Its path was free and nobody else of ours made anything, so whatever is there now is it. One
    /// that gets no identity is of no use to anybody, and goes again.
    pub(super) fn made(&mut self, path: &DatasetPath, outcome: Outcome) -> Answer<Volume> {
        let (deadline, untrue) = (self.appliance.deadline(), || {
            format!("the appliance says that {path} was made, but does not list it")
        });
        outcome.settle(deadline, || Ok(self.appliance.volume(path)?), untrue)?;
        let unit = self.give_unit(path);
        if unit.is_err() {
            let _ = self.appliance.unit_delete(path);
            let _ = self.appliance.volume_delete(path);
        }
        unit
    }

    fn give_unit(&mut self, path: &DatasetPath) -> Answer<Volume> {
        let outcome = Outcome::of(self.appliance.unit_create(path))?;
        let deadline = self.appliance.deadline();
        let untrue = || format!("the appliance says that {path} has a logical unit, but does not list it");
        let look = || Ok(self.appliance.volume(path)?.filter(|row| row.unit.is_some()));
        let row = outcome.settle(deadline, look, untrue)?;
        Ok(self.volume_record(&row))
    }
}
