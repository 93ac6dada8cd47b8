//! Showing a volume to a group, and no longer.

use std::collections::BTreeSet;

use sanfleet_driver::{AccessGroup, AccessGroupId, ErrorNumber, Volume, VolumeKey};

use super::{
    Answer, Array,
    access_group::Group,
    lun::lowest_free,
    outcome::{Outcome, is_so},
    refused,
    volume::Located,
};
use crate::{
    daemon::GroupRow,
    rpc::{Code, RpcError},
};

/// What the daemon says when somebody else has taken the number meanwhile.
const NUMBER_TAKEN: &str = "This MappedLUN already exists";
/// So often at most another number is tried.
const TRIES: usize = 8;

impl Array {
    pub fn volume_mask(&mut self, group: &AccessGroupId, volume: &VolumeKey) -> Answer<()> {
        let _alone = self.alone()?;
        let group = self.group(group)?;
        let volume = self.volume(volume)?;
        if self.sees(&group, &volume)? {
            let message = format!("volume {} is masked to {}", volume.key(), group.id());
            return refused(ErrorNumber::NoStateChange, message);
        }
        match &group {
            Group::Own(row) => self.mask_to_own(row, &volume),
            Group::StandAlone(initiator) => self.export(initiator, &volume, None).map(|_| ()),
        }
    }

    fn mask_to_own(&mut self, group: &GroupRow, volume: &Located) -> Answer<()> {
        let mut used = self.used_by(group)?;
        for _ in 0..TRIES {
            let number = lowest_free(&used)?;
            let answer =
                self.daemon.access_group_map_create(&volume.pool.name, &volume.row.name, &group.name, number);
            if let Err(error) = &answer
                && is_taken(error)
            {
                // By somebody on another host, who may not be listed yet.
                used.extend(self.used_by(group)?);
                used.insert(number);
                continue;
            }
            let outcome = Outcome::of(answer)?;
            return self.masked(&Group::Own(group.clone()), volume, outcome);
        }
        refused(ErrorNumber::NetworkError, "others took each LUN number that was tried; try again")
    }

    fn masked(&mut self, group: &Group, volume: &Located, outcome: Outcome) -> Answer<()> {
        let look = is_so(self.sees(group, volume));
        outcome.settle(look, || {
            format!("targetd says that volume {} was masked to {}, but it was not", volume.key(), group.id())
        })
    }

    /// The numbers under which any initiator of the group sees anything.
    fn used_by(&mut self, group: &GroupRow) -> Answer<BTreeSet<u64>> {
        let exports = self.daemon.export_list()?;
        let seen =
            exports.iter().filter(|row| group.init_ids.contains(&row.initiator_wwn)).map(|row| row.lun);
        let maps = self.maps()?;
        let mapped = maps.iter().filter(|row| row.ag_name == group.name).map(|row| row.h_lun_id);
        Ok(seen.chain(mapped).collect())
    }

    pub fn volume_unmask(&mut self, group: &AccessGroupId, volume: &VolumeKey) -> Answer<()> {
        let _alone = self.alone()?;
        let group = self.group(group)?;
        let volume = self.volume(volume)?;
        if !self.sees(&group, &volume)? {
            let message = format!("volume {} is not masked to {}", volume.key(), group.id());
            return refused(ErrorNumber::NoStateChange, message);
        }
        let (pool, name) = (&volume.pool.name, &volume.row.name);
        let answer = match &group {
            Group::Own(row) => self.daemon.access_group_map_destroy(pool, name, &row.name),
            Group::StandAlone(initiator) => self.daemon.export_destroy(pool, name, initiator),
        };
        let outcome = Outcome::of(answer)?;
        self.unmasked(&group, &volume, outcome)
    }

    pub(super) fn unmasked(&mut self, group: &Group, volume: &Located, outcome: Outcome) -> Answer<()> {
        let look = is_so(self.sees(group, volume).map(|sees| !sees));
        outcome.settle(look, || {
            format!(
                "targetd says that volume {} was unmasked from {}, but it was not",
                volume.key(),
                group.id()
            )
        })
    }

    pub(super) fn sees(&mut self, group: &Group, volume: &Located) -> Answer<bool> {
        Ok(match group {
            Group::Own(row) => self
                .maps()?
                .iter()
                .any(|map| map.ag_name == row.name && volume.is_called(&map.pool_name, &map.vol_name)),
            Group::StandAlone(initiator) => self
                .daemon
                .export_list()?
                .iter()
                .any(|row| row.initiator_wwn == *initiator && volume.is_called(&row.pool, &row.vol_name)),
        })
    }

    pub fn volumes_of(&mut self, group: &AccessGroupId) -> Answer<Vec<Volume>> {
        let group = self.group(group)?;
        let places: Vec<(String, String)> = match &group {
            Group::Own(own) => {
                let maps = self.maps()?.into_iter().filter(|row| row.ag_name == own.name);
                maps.map(|row| (row.pool_name, row.vol_name)).collect()
            }
            Group::StandAlone(initiator) => {
                let rows = self.daemon.export_list()?.into_iter();
                let rows = rows.filter(|row| row.initiator_wwn == *initiator);
                rows.map(|row| (row.pool, row.vol_name)).collect()
            }
        };
        let volumes = self.all_volumes()?;
        let seen = |volume: &&Located| places.iter().any(|(pool, name)| volume.is_called(pool, name));
        Ok(volumes.iter().filter(seen).map(Located::volume).collect())
    }

    pub fn groups_of(&mut self, volume: &VolumeKey) -> Answer<Vec<AccessGroup>> {
        let volume = self.volume(volume)?;
        let groups = self.groups()?;
        let maps = self.maps()?;
        let exports = self.daemon.export_list()?;
        let sees = |group: &&Group| match group {
            Group::Own(own) => maps
                .iter()
                .any(|row| row.ag_name == own.name && volume.is_called(&row.pool_name, &row.vol_name)),
            // What a group sees is listed here too, once for each of its initiators; these are in none.
            Group::StandAlone(initiator) => exports
                .iter()
                .any(|row| row.initiator_wwn == *initiator && volume.is_called(&row.pool, &row.vol_name)),
        };
        Ok(groups.iter().filter(sees).map(Group::record).collect())
    }
}

fn is_taken(error: &RpcError) -> bool {
    error.is(Code::ANYTHING) && error.says(NUMBER_TAKEN)
}
