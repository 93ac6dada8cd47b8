//! Initiators that come into a group and leave it.
//!
//! The daemon makes a group that is not there, says nothing of an initiator that is not in it, and lets a group vanish with its last
//! one. So all of that is looked for first.

use sanfleet_driver::{AccessGroup, AccessGroupId, ErrorNumber, InitiatorType};

use super::{Answer, Array, access_group::canonical, outcome::Outcome, refused};

impl Array {
    pub fn initiator_add(
        &mut self,
        id: &AccessGroupId,
        initiator: &str,
        kind: InitiatorType,
    ) -> Answer<AccessGroup> {
        let initiator = canonical(initiator, kind)?;
        let _alone = self.alone()?;
        let group = self.own_group(id)?;
        if group.init_ids.contains(&initiator) {
            return refused(ErrorNumber::NoStateChange, format!("{initiator} is in access group {id}"));
        }
        if let Some(other) = self.own_groups()?.iter().find(|other| other.init_ids.contains(&initiator)) {
            let message = format!("{initiator} is in access group {}", other.name);
            return refused(ErrorNumber::ExistsInitiator, message);
        }
        // It would be shown the group's volumes under numbers that it may have for others.
        if self.daemon.export_list()?.iter().any(|row| row.initiator_wwn == initiator) {
            let message = format!("{initiator} is shown volumes by itself");
            return refused(ErrorNumber::ExistsInitiator, message);
        }
        let outcome = Outcome::of(self.daemon.access_group_init_add(&group.name, &initiator))?;
        self.group_after(id, outcome, |group| group.has(&initiator))
    }

    pub fn initiator_delete(
        &mut self,
        id: &AccessGroupId,
        initiator: &str,
        kind: InitiatorType,
    ) -> Answer<AccessGroup> {
        let initiator = canonical(initiator, kind)?;
        let _alone = self.alone()?;
        let group = self.own_group(id)?;
        if !group.init_ids.contains(&initiator) {
            return refused(ErrorNumber::NoStateChange, format!("{initiator} is not in access group {id}"));
        }
        if group.init_ids.len() == 1 {
            let message = format!("{initiator} is the last one of access group {id}");
            return refused(ErrorNumber::LastInitiatorInAccessGroup, message);
        }
        let outcome = Outcome::of(self.daemon.access_group_init_del(&group.name, &initiator))?;
        self.group_after(id, outcome, |group| !group.has(&initiator))
    }
}
