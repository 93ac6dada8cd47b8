//! Groups of initiators: COMSTAR's host groups. An initiator is in one at most.

use sanfleet_driver::{AccessGroup, AccessGroupId, ErrorNumber, InitiatorType, SystemId};
use sanfleet_protocol::initiator::Initiator;

use super::{
    Answer, Array, name,
    outcome::{Outcome, gone},
    refused,
};
use crate::appliance::{HostGroupRow, MappingRow, Reason};

/// How COMSTAR begins the name of a port of Fibre Channel.
const WWN: &str = "wwn.";

impl HostGroupRow {
    pub(super) fn id(&self) -> AccessGroupId {
        AccessGroupId::new(&self.name)
    }

    /// The member that is this initiator, as the appliance spells it.
    pub(super) fn member(&self, initiator: &str) -> Option<&str> {
        self.members.iter().map(String::as_str).find(|member| initiator_of(member) == initiator)
    }
}

impl Array {
    pub fn access_groups(&mut self) -> Answer<Vec<AccessGroup>> {
        let (mut groups, mappings) = (self.appliance.host_groups()?, self.appliance.mappings(None)?);
        groups.extend(everybody(&groups, &mappings));
        Ok(groups.iter().map(|group| self.group_record(group)).collect())
    }

    pub(super) fn group_record(&self, row: &HostGroupRow) -> AccessGroup {
        let mut init_ids: Vec<String> = row.members.iter().map(|member| initiator_of(member)).collect();
        init_ids.sort();
        AccessGroup {
            id: row.id(),
            name: row.name.clone(),
            init_ids,
            init_type: init_type(&row.members),
            system_id: self.system_id(),
            plugin_data: None,
        }
    }

    pub fn access_group_create(
        &mut self,
        name: &str,
        initiator: &str,
        kind: InitiatorType,
        system: &SystemId,
    ) -> Answer<AccessGroup> {
        if *system != self.system_id() {
            return refused(ErrorNumber::NotFoundSystem, format!("no system {system}"));
        }
        name::check(name)?;
        let initiator = canonical(initiator, kind)?;
        let _alone = self.alone()?;
        let groups = self.appliance.host_groups()?;
        if groups.iter().any(|group| group.name == name) {
            return refused(ErrorNumber::NameConflict, format!("there is an access group {name}"));
        }
        require_alone(&groups, &initiator)?;
        let outcome = Outcome::of(self.appliance.host_group_create(name, &initiator))?;
        self.group_after(&AccessGroupId::new(name), outcome, |group| group.member(&initiator).is_some())
    }

    pub fn access_group_delete(&mut self, id: &AccessGroupId) -> Answer<()> {
        let _alone = self.alone()?;
        let group = self.group(id)?;
        if self.appliance.mappings(None)?.iter().any(|mapping| mapping.host_group == group.name) {
            return refused(ErrorNumber::IsMasked, format!("access group {id} is shown volumes"));
        }
        let outcome = match self.appliance.host_group_delete(&group.name) {
            Err(error) if error.is(Reason::Busy) => {
                return refused(ErrorNumber::IsMasked, error.to_string());
            }
            answer => Outcome::of(answer)?,
        };
        let deadline = self.appliance.deadline();
        let look = || {
            let groups = self.appliance.host_groups();
            gone(groups.map(|groups| groups.into_iter().find(|group| group.id() == *id)))
        };
        outcome.settle(deadline, look, || {
            format!("the appliance says that group {id} was deleted, but lists it")
        })
    }

    pub(super) fn group(&mut self, id: &AccessGroupId) -> Answer<HostGroupRow> {
        match self.appliance.host_groups()?.into_iter().find(|group| group.id() == *id) {
            Some(group) => Ok(group),
            None => refused(ErrorNumber::NotFoundAccessGroup, format!("no access group {id}")),
        }
    }

    /// The group after a change that should have made it so.
    pub(super) fn group_after(
        &mut self,
        id: &AccessGroupId,
        outcome: Outcome,
        is_so: impl Fn(&HostGroupRow) -> bool,
    ) -> Answer<AccessGroup> {
        let deadline = self.appliance.deadline();
        let look = || {
            let groups = self.appliance.host_groups()?;
            Ok(groups.into_iter().find(|group| group.id() == *id && is_so(group)))
        };
        let untrue = || format!("the appliance says that group {id} was changed, but it was not");
        let row = outcome.settle(deadline, look, untrue)?;
        Ok(self.group_record(&row))
    }
}

/// What volumes are mapped to and nobody lists is whoever there is: the appliance's own name for that differs.
pub(super) fn everybody(groups: &[HostGroupRow], mappings: &[MappingRow]) -> Vec<HostGroupRow> {
    let is_listed = |name: &str| groups.iter().any(|group| group.name == name);
    let mut names: Vec<&str> = mappings.iter().map(|mapping| mapping.host_group.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let others = names.into_iter().filter(|name| !is_listed(name));
    others.map(|name| HostGroupRow { name: name.to_owned(), members: Vec::new() }).collect()
}

/// COMSTAR has an initiator in one group at most.
pub(super) fn require_alone(groups: &[HostGroupRow], initiator: &str) -> Answer<()> {
    match groups.iter().find(|group| group.member(initiator).is_some()) {
        None => Ok(()),
        Some(other) => {
            let message = format!("{initiator} is in access group {}", other.name);
            refused(ErrorNumber::ExistsInitiator, message)
        }
    }
}

/// The spelling under which initiators are known here.
pub(super) fn canonical(initiator: &str, kind: InitiatorType) -> Answer<String> {
    if kind != InitiatorType::ISCSI {
        return refused(ErrorNumber::NoSupport, "groups are made for iSCSI only");
    }
    match initiator.parse() {
        Ok(name @ (Initiator::Iqn(_) | Initiator::Eui(_) | Initiator::Naa(_))) => Ok(name.to_string()),
        _ => refused(ErrorNumber::InvalidArgument, format!("{initiator:?} is no iSCSI name")),
    }
}

/// A member in the spelling of everybody else; what is no name of an initiator stays as it is.
fn initiator_of(member: &str) -> String {
    let bare = member.strip_prefix(WWN).unwrap_or(member);
    bare.parse::<Initiator>().map_or_else(|_| member.to_owned(), |initiator| initiator.to_string())
}

fn init_type(members: &[String]) -> InitiatorType {
    let ports = members.iter().filter(|member| member.starts_with(WWN)).count();
    match ports {
        0 => InitiatorType::ISCSI,
        all if all == members.len() => InitiatorType::WWPN,
        _ => InitiatorType::MIXED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(members: &[&str]) -> HostGroupRow {
        HostGroupRow { name: "g".into(), members: members.iter().map(|member| (*member).into()).collect() }
    }

    #[test]
    fn a_member_is_known_in_whatever_spelling_the_appliance_has() {
        let mixed = group(&["IQN.2026-01.Example:A", "wwn.2100001B32AABBCC"]);
        assert_eq!(mixed.member("iqn.2026-01.example:a"), Some("IQN.2026-01.Example:A"));
        assert_eq!(mixed.member("21:00:00:1b:32:aa:bb:cc"), Some("wwn.2100001B32AABBCC"));
        assert_eq!(init_type(&mixed.members), InitiatorType::MIXED);
        assert_eq!(init_type(&group(&["wwn.2100001B32AABBCC"]).members), InitiatorType::WWPN);
    }

    #[test]
    fn who_sees_a_volume_and_is_listed_nowhere_is_everybody() {
        let volume = crate::dataset::DatasetPath::new("tank/g/v").unwrap();
        let mapping = |host_group: &str| MappingRow {
            id: "1".into(),
            volume: volume.clone(),
            host_group: host_group.into(),
            lun: Some(0),
        };
        let told = everybody(&[group(&["iqn.a.b:c"])], &[mapping("all"), mapping("g"), mapping("all")]);
        assert_eq!(told.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["all"]);
    }
}
