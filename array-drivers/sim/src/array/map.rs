//! Showing a volume to one initiator, without an access group.

use rusqlite::{OptionalExtension, Transaction, params};
use sanfleet_driver::{ErrorNumber, InitiatorType, Mapping, VolumeKey};
use sanfleet_failpoint::reach;

use super::{
    Array, access_group,
    publication::{self, Of},
    volume,
};
use crate::{
    error::{Result, SimError},
    identity,
};

/// The highest number of SCSI's flat addressing (SAM-5 §4.7.7.3).
const HIGHEST_LUN: u64 = 16_383;

impl Array {
    /// Recorded first, shown then. An initiator sees a volume under one number, so where a group shows it already that number is
    /// taken over; `lun` may then ask for no other.
    pub fn volume_map(
        &self,
        key: &VolumeKey,
        initiator: &str,
        kind: InitiatorType,
        lun: Option<u64>,
    ) -> Result<Mapping> {
        let initiator = access_group::canonical(initiator, kind)?;
        self.refresh_before_reading(key)?;
        reach("sim.volume_map.before");
        let change = self.begin()?;
        let volume = volume::find(&change, key)?;
        if is_mapped(&change, &initiator, volume.id)? {
            let message = format!("volume {key} is mapped to {initiator}");
            return Err(SimError::refused(ErrorNumber::NoStateChange, message));
        }
        let number = match lun {
            Some(wanted) => assign_wanted(&change, &initiator, wanted, volume.id)?,
            None => publication::assign(&change, &initiator, volume.id)?,
        };
        change
            .prepare_cached("INSERT INTO map (initiator, volume) VALUES (?1, ?2)")?
            .execute(params![initiator, volume.id])?;
        change.commit()?;
        reach("sim.volume_map.after_commit");
        self.publish(Of::Volume(volume.id)).inspect_err(|_| {
            // What cannot be taken back now stays recorded, and is shown at the next opening; tell the first error.
            let _ = self.unmap(volume.id, &initiator);
        })?;
        Ok(Mapping {
            volume_id: identity::volume(volume.id),
            access_group_id: None,
            initiator: Some(initiator),
            lun: u64::try_from(number).ok(),
            target_ports: Vec::new(),
        })
    }

    /// Taken away first, forgotten then. What a group shows stays.
    pub fn volume_unmap(&self, key: &VolumeKey, initiator: &str, kind: InitiatorType) -> Result<()> {
        let initiator = access_group::canonical(initiator, kind)?;
        reach("sim.volume_unmap.before");
        self.unmap(volume::find(&self.state, key)?.id, &initiator)
    }

    fn unmap(&self, volume: i64, initiator: &str) -> Result<()> {
        let change = self.begin()?;
        if !is_mapped(&change, initiator, volume)? {
            let message = format!("the volume is not mapped to {initiator}");
            return Err(SimError::refused(ErrorNumber::NoStateChange, message));
        }
        change
            .prepare_cached("DELETE FROM map WHERE initiator = ?1 AND volume = ?2")?
            .execute(params![initiator, volume])?;
        self.withdraw_unfounded(&change, Of::Volume(volume))?;
        reach("sim.volume_unmap.after_file");
        change.commit()?;
        Ok(())
    }
}

fn is_mapped(change: &Transaction, initiator: &str, volume: i64) -> Result<bool> {
    let mut query = change.prepare_cached("SELECT 1 FROM map WHERE initiator = ?1 AND volume = ?2")?;
    Ok(query.exists(params![initiator, volume])?)
}

/// Gives the volume this number or none.
fn assign_wanted(change: &Transaction, initiator: &str, wanted: u64, volume: i64) -> Result<i64> {
    let refuse = |message: String| Err(SimError::refused(ErrorNumber::InvalidArgument, message));
    let number = match i64::try_from(wanted) {
        Ok(number) if wanted <= HIGHEST_LUN => number,
        _ => return refuse(format!("LUN {wanted} is beyond {HIGHEST_LUN}")),
    };
    match publication::number(change, initiator, volume)? {
        Some(current) if current == number => return Ok(number),
        Some(current) => return refuse(format!("{initiator} sees the volume as LUN {current}")),
        None => {}
    }
    let mut query = change.prepare_cached("SELECT volume FROM lun WHERE initiator = ?1 AND number = ?2")?;
    let taken: Option<i64> = query.query_row(params![initiator, number], |row| row.get(0)).optional()?;
    match taken {
        Some(other) => refuse(format!("LUN {number} of {initiator} is volume {}", identity::volume(other))),
        None => publication::insert(change, initiator, number, volume).map(|()| number),
    }
}
