//! Volumes whose content a command is changing at this moment.
//!
//! Commands of one run are carried out in order, those of different runs are not. This module refuses a second command
//! that would change a volume while the first is at it: between looking whether a volume is blank and formatting it, nobody
//! else may come.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sanfleet_protocol::VolumeId;

use crate::host::HostError;

#[derive(Debug, Default)]
pub struct Claims(Mutex<BTreeSet<VolumeId>>);

/// Holds a volume until it is dropped.
#[derive(Debug)]
pub struct Claim<'a> {
    claims: &'a Claims,
    volume: VolumeId,
}

impl Claims {
    pub fn claim(&self, volume: &VolumeId) -> Result<Claim<'_>, HostError> {
        match self.locked().insert(volume.clone()) {
            true => Ok(Claim { claims: self, volume: volume.clone() }),
            false => Err(HostError::Busy {
                what: format!("volume {volume}"),
                by: "another command that changes it".to_owned(),
            }),
        }
    }

    fn locked(&self) -> MutexGuard<'_, BTreeSet<VolumeId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.claims.locked().remove(&self.volume);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_one_commands_until_that_has_ended() {
        let claims = Claims::default();
        let ids = ["naa.60014050000000000000000000000001", "naa.60014050000000000000000000000002"];
        let [one, other] = ids.map(|id| id.parse::<VolumeId>().unwrap());
        let claim = claims.claim(&one).unwrap();
        assert!(claims.claim(&one).unwrap_err().is_retryable());
        assert!(claims.claim(&other).is_ok());
        drop(claim);
        assert!(claims.claim(&one).is_ok());
    }
}
