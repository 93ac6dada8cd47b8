//! Showing volumes to the initiators of an access group, and taking them away.

use rusqlite::{Transaction, params};
use sanfleet_driver::{AccessGroup, AccessGroupId, ErrorNumber, Volume, VolumeKey};
use sanfleet_failpoint::reach;

use super::{
    Array, access_group,
    publication::{self, Of},
    volume::{self, VolumeRow},
};
use crate::error::{Result, SimError};

impl Array {
    /// Recorded first, shown then: nothing is visible that the array does not know of.
    pub fn volume_mask(&self, group: &AccessGroupId, volume: &VolumeKey) -> Result<()> {
        self.refresh_before_reading(volume)?;
        reach("sim.volume_mask.before");
        let change = self.begin()?;
        let (group, volume) = (access_group::find(&change, group)?, volume::find(&change, volume)?);
        let initiators = access_group::initiators(&change, group)?;
        if initiators.is_empty() {
            return Err(SimError::refused(
                ErrorNumber::EmptyAccessGroup,
                "the access group has no initiator",
            ));
        }
        if is_masked(&change, group, volume.id)? {
            return Err(SimError::refused(ErrorNumber::NoStateChange, "the volume is masked to this group"));
        }
        change
            .prepare_cached("INSERT INTO mask (access_group, volume) VALUES (?1, ?2)")?
            .execute(params![group, volume.id])?;
        for initiator in &initiators {
            publication::assign(&change, initiator, volume.id)?;
        }
        change.commit()?;
        reach("sim.volume_mask.after_commit");
        if let Err(error) = self.publish(Of::Volume(volume.id)) {
            // What cannot be taken back now stays recorded, and is shown at the next opening; tell the first error.
            let _ = self.unmask(group, &volume);
            return Err(error);
        }
        reach("sim.volume_mask.after_file");
        Ok(())
    }

    /// Taken away first, forgotten then: a number is free only when nothing is visible under it.
    pub fn volume_unmask(&self, group: &AccessGroupId, volume: &VolumeKey) -> Result<()> {
        reach("sim.volume_unmask.before");
        let (group, volume) = (access_group::find(&self.state, group)?, volume::find(&self.state, volume)?);
        self.unmask(group, &volume)?;
        reach("sim.volume_unmask.after_commit");
        Ok(())
    }

    fn unmask(&self, group: i64, volume: &VolumeRow) -> Result<()> {
        let change = self.begin()?;
        if !is_masked(&change, group, volume.id)? {
            let message = "the volume is not masked to this group";
            return Err(SimError::refused(ErrorNumber::NoStateChange, message));
        }
        change
            .prepare_cached("DELETE FROM mask WHERE access_group = ?1 AND volume = ?2")?
            .execute(params![group, volume.id])?;
        self.withdraw_unfounded(&change, Of::Volume(volume.id))?;
        reach("sim.volume_unmask.after_file");
        change.commit()?;
        Ok(())
    }

    pub fn volumes_accessible_by_access_group(&self, group: &AccessGroupId) -> Result<Vec<Volume>> {
        let group = access_group::find(&self.state, group)?;
        let query = format!(
            "SELECT {} FROM mask JOIN volume ON volume.id = mask.volume WHERE access_group = ?1 ORDER BY volume.id",
            volume::COLUMNS
        );
        let mut statement = self.state.prepare_cached(&query)?;
        let rows = statement.query_map([group], volume::read)?.collect::<rusqlite::Result<Vec<_>>>()?;
        rows.into_iter().map(|row| self.record(row)).collect()
    }

    pub fn access_groups_granted_to_volume(&self, volume: &VolumeKey) -> Result<Vec<AccessGroup>> {
        let volume = volume::find(&self.state, volume)?;
        access_group::records(
            &self.state,
            "access_group.id IN (SELECT access_group FROM mask WHERE volume = ?1)",
            [volume.id],
        )
    }
}

fn is_masked(change: &Transaction, group: i64, volume: i64) -> Result<bool> {
    let mut query = change.prepare_cached("SELECT 1 FROM mask WHERE access_group = ?1 AND volume = ?2")?;
    Ok(query.exists(params![group, volume])?)
}
