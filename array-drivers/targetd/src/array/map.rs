//! Showing a volume to one initiator that is in no group, and no longer.

use sanfleet_driver::{ErrorNumber, InitiatorType, LsmError, Mapping, VolumeKey};

use super::{
    Answer, Array,
    access_group::{Group, canonical},
    lun::{HIGHEST, lowest_free},
    outcome::Outcome,
    refused,
    volume::Located,
};
use crate::daemon::ExportRow;

impl Array {
    pub fn volume_map(
        &mut self,
        volume: &VolumeKey,
        initiator: &str,
        kind: InitiatorType,
        lun: Option<u64>,
    ) -> Answer<Mapping> {
        let initiator = canonical(initiator, kind)?;
        let _alone = self.alone()?;
        let volume = self.volume(volume)?;
        self.require_stand_alone(&initiator)?;
        if self.sees(&Group::StandAlone(initiator.clone()), &volume)? {
            let message = format!("volume {} is mapped to {initiator}", volume.key());
            return refused(ErrorNumber::NoStateChange, message);
        }
        self.export(&initiator, &volume, lun)
    }

    pub fn volume_unmap(&mut self, volume: &VolumeKey, initiator: &str, kind: InitiatorType) -> Answer<()> {
        let initiator = canonical(initiator, kind)?;
        let _alone = self.alone()?;
        let volume = self.volume(volume)?;
        self.require_stand_alone(&initiator)?;
        let group = Group::StandAlone(initiator.clone());
        if !self.sees(&group, &volume)? {
            let message = format!("volume {} is not mapped to {initiator}", volume.key());
            return refused(ErrorNumber::NoStateChange, message);
        }
        let answer = self.daemon.export_destroy(&volume.pool.name, &volume.row.name, &initiator);
        let outcome = Outcome::of(answer)?;
        self.unmasked(&group, &volume, outcome)
    }

    /// What an initiator of a group sees by itself the group's list would not tell.
    fn require_stand_alone(&mut self, initiator: &str) -> Answer<()> {
        let groups = self.own_groups()?;
        match groups.iter().find(|group| group.init_ids.iter().any(|own| own == initiator)) {
            None => Ok(()),
            Some(group) => {
                let message =
                    format!("{initiator} is in access group {}: mask the volume to that", group.name);
                refused(ErrorNumber::ExistsInitiator, message)
            }
        }
    }

    /// Shows a volume that the initiator does not see, under `lun` or the first free number.
    pub(super) fn export(&mut self, initiator: &str, volume: &Located, lun: Option<u64>) -> Answer<Mapping> {
        let rows = self.daemon.export_list()?.into_iter();
        let used = rows.filter(|row| row.initiator_wwn == initiator).map(|row| row.lun).collect();
        let number = match lun {
            None => lowest_free(&used)?,
            Some(wanted) if wanted > HIGHEST => {
                return refused(ErrorNumber::InvalidArgument, format!("LUN {wanted} is beyond {HIGHEST}"));
            }
            Some(wanted) if used.contains(&wanted) => {
                return refused(ErrorNumber::InvalidArgument, format!("{initiator} has a LUN {wanted}"));
            }
            Some(wanted) => wanted,
        };
        let answer = self.daemon.export_create(&volume.pool.name, &volume.row.name, initiator, number);
        let outcome = Outcome::of(answer)?;
        self.exported(initiator, volume, outcome)
    }

    fn exported(&mut self, initiator: &str, volume: &Located, outcome: Outcome) -> Answer<Mapping> {
        let rows = self.daemon.export_list().map_err(LsmError::from);
        let found = rows.map(|rows| {
            let ours = |row: &ExportRow| {
                row.initiator_wwn == initiator && volume.is_called(&row.pool, &row.vol_name)
            };
            rows.into_iter().find(ours).map(|row| Mapping {
                volume_id: volume.key(),
                access_group_id: None,
                initiator: Some(initiator.to_owned()),
                lun: Some(row.lun),
                target_ports: Vec::new(),
            })
        });
        outcome
            .settle(found, || format!("targetd says that volume {} was mapped, but it was not", volume.key()))
    }
}
