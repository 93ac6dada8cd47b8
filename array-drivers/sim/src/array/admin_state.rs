//! Switching a volume off and on again. While it is off nobody sees it; its masks, maps and numbers stay.

use rusqlite::params;
use sanfleet_driver::{ErrorNumber, VolumeKey};

use super::{
    Array,
    publication::{self, Of},
    volume,
};
use crate::error::{Result, SimError};

impl Array {
    /// Recorded first, shown then.
    pub fn volume_enable(&self, key: &VolumeKey) -> Result<()> {
        let row = self.switch(key, true)?;
        self.publish(Of::Volume(row))
    }

    /// Taken away first, recorded then.
    pub fn volume_disable(&self, key: &VolumeKey) -> Result<()> {
        self.switch(key, false).map(drop)
    }

    fn switch(&self, key: &VolumeKey, on: bool) -> Result<i64> {
        let change = self.begin()?;
        let volume = volume::find(&change, key)?;
        if volume.enabled == on {
            let state = if on { "enabled" } else { "disabled" };
            return Err(SimError::refused(ErrorNumber::NoStateChange, format!("volume {key} is {state}")));
        }
        if !on {
            self.withdraw(&publication::recorded(&change, self, Of::Volume(volume.id))?)?;
        }
        change
            .prepare_cached("UPDATE volume SET enabled = ?2 WHERE id = ?1")?
            .execute(params![volume.id, on])?;
        change.commit()?;
        Ok(volume.id)
    }
}
