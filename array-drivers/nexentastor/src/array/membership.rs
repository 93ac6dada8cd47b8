//! Initiators that come into a group and leave it.

use sanfleet_driver::{AccessGroup, AccessGroupId, ErrorNumber, InitiatorType};

use super::{
    Answer, Array,
    access_group::{canonical, require_alone},
    outcome::Outcome,
    refused,
};

impl Array {
    pub fn initiator_add(
        &mut self,
        id: &AccessGroupId,
        initiator: &str,
        kind: InitiatorType,
    ) -> Answer<AccessGroup> {
        let initiator = canonical(initiator, kind)?;
        let _alone = self.alone()?;
        let group = self.group(id)?;
        if group.member(&initiator).is_some() {
            return refused(ErrorNumber::NoStateChange, format!("{initiator} is in access group {id}"));
        }
        require_alone(&self.appliance.host_groups()?, &initiator)?;
        let outcome = Outcome::of(self.appliance.member_add(&group, &initiator))?;
        self.group_after(id, outcome, |group| group.member(&initiator).is_some())
    }

    pub fn initiator_delete(
        &mut self,
        id: &AccessGroupId,
        initiator: &str,
        kind: InitiatorType,
    ) -> Answer<AccessGroup> {
        let initiator = canonical(initiator, kind)?;
        let _alone = self.alone()?;
        let group = self.group(id)?;
        let Some(member) = group.member(&initiator) else {
            return refused(ErrorNumber::NoStateChange, format!("{initiator} is not in access group {id}"));
        };
        if group.members.len() == 1 {
            let message = format!("{initiator} is the last one of access group {id}");
            return refused(ErrorNumber::LastInitiatorInAccessGroup, message);
        }
        let outcome = Outcome::of(self.appliance.member_remove(&group, member))?;
        self.group_after(id, outcome, |group| group.member(&initiator).is_none())
    }
}
