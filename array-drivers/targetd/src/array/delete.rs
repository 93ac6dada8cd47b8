//! Deleting a volume.

use sanfleet_driver::{ErrorNumber, VolumeKey};

use super::{
    Answer, Array,
    outcome::{Outcome, gone},
    refused,
    volume::Located,
};
use crate::rpc::{Code, RpcError};

/// What the daemon says of a volume that somebody sees. With the same number it tells of commands that failed.
const EXPORTED: &str = "cannot be removed while exported";
/// Whichever group is named: a LUN that nobody sees any more goes with it.
const ANY_GROUP: &str = "sanfleet";

impl Array {
    pub fn volume_delete(&mut self, key: &VolumeKey) -> Answer<()> {
        let _alone = self.alone()?;
        let volume = self.volume(key)?;
        self.require_unmasked(&volume)?;
        match self.destroy(&volume) {
            Err(error) if is_exported(&error) => {
                self.require_unmasked(&volume)?;
                self.forget_orphan(&volume)?;
                let again = self.destroy(&volume);
                self.deleted(&volume, again)
            }
            answer => self.deleted(&volume, answer),
        }
    }

    fn destroy(&mut self, volume: &Located) -> Result<(), RpcError> {
        self.daemon.vol_destroy(&volume.pool.name, &volume.row.name)
    }

    /// A group that was destroyed with a volume masked to it leaves a LUN that nobody sees and no list has, and with it a volume that
    /// cannot be deleted.
    fn forget_orphan(&mut self, volume: &Located) -> Answer<()> {
        if !self.has_groups() {
            return Ok(());
        }
        let answer = self.daemon.access_group_map_destroy(&volume.pool.name, &volume.row.name, ANY_GROUP);
        // Whether it has gone the next attempt to delete the volume shows.
        Outcome::of(answer)?;
        Ok(())
    }

    fn deleted(&mut self, volume: &Located, answer: Result<(), RpcError>) -> Answer<()> {
        let outcome = match answer {
            Err(error) if is_exported(&error) => {
                let message =
                    format!("targetd shows volume {} to somebody whom it does not list", volume.key());
                return refused(ErrorNumber::IsMasked, message);
            }
            answer => Outcome::of(answer)?,
        };
        let look = gone(self.volume(&volume.key()), ErrorNumber::NotFoundVolume);
        outcome
            .settle(look, || format!("targetd says that volume {} was deleted, but lists it", volume.key()))
    }

    fn require_unmasked(&mut self, volume: &Located) -> Answer<()> {
        let exports = self.daemon.export_list()?.into_iter();
        let initiator = exports.filter(|row| volume.is_called(&row.pool, &row.vol_name));
        let maps = self.maps()?.into_iter().filter(|row| volume.is_called(&row.pool_name, &row.vol_name));
        let seen_by = initiator.map(|row| row.initiator_wwn).chain(maps.map(|row| row.ag_name)).next();
        match seen_by {
            None => Ok(()),
            Some(seen_by) => {
                let message = format!("volume {} is shown to {seen_by}", volume.key());
                refused(ErrorNumber::IsMasked, message)
            }
        }
    }
}

fn is_exported(error: &RpcError) -> bool {
    error.is(Code::MASKED_OR_FAILED) && error.says(EXPORTED)
}
