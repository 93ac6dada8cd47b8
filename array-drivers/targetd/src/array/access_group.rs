//! Groups of initiators, of which there are two kinds: the daemon's own, and one for each initiator that is in none of these.
//!
//! libStorageMgmt's own driver shows the latter under the same ids.

use md5::{Digest, Md5};
use sanfleet_driver::{AccessGroup, AccessGroupId, ErrorNumber, InitiatorType, SystemId};
use sanfleet_protocol::initiator::Initiator;

use super::{
    Answer, Array, SYSTEM, name,
    outcome::{Outcome, gone},
    refused, system_id,
};
use crate::daemon::{GroupRow, MapRow};

/// Begins the id of a stand-alone initiator. No group of the daemon's has a dot in its name.
const STAND_ALONE: &str = "init.";

/// Who sees volumes together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Group {
    Own(GroupRow),
    /// One initiator that is in no group.
    StandAlone(String),
}

impl Group {
    pub fn id(&self) -> AccessGroupId {
        match self {
            Self::Own(row) => AccessGroupId::new(&row.name),
            Self::StandAlone(initiator) => stand_alone_id(initiator),
        }
    }

    pub fn initiators(&self) -> &[String] {
        match self {
            Self::Own(row) => &row.init_ids,
            Self::StandAlone(initiator) => std::slice::from_ref(initiator),
        }
    }

    pub fn has(&self, initiator: &str) -> bool {
        self.initiators().iter().any(|own| own == initiator)
    }

    pub fn record(&self) -> AccessGroup {
        let name = match self {
            Self::Own(row) => row.name.clone(),
            Self::StandAlone(initiator) => initiator.clone(),
        };
        let mut init_ids = self.initiators().to_vec();
        init_ids.sort();
        AccessGroup {
            id: self.id(),
            name,
            init_ids,
            init_type: InitiatorType::ISCSI,
            system_id: system_id(),
            plugin_data: None,
        }
    }
}

fn stand_alone_id(initiator: &str) -> AccessGroupId {
    let digits: String = Md5::digest(initiator).iter().map(|byte| format!("{byte:02x}")).collect();
    AccessGroupId::new(format!("{STAND_ALONE}{digits}"))
}

/// The spelling under which the daemon knows an initiator.
pub(super) fn canonical(initiator: &str, kind: InitiatorType) -> Answer<String> {
    if kind != InitiatorType::ISCSI {
        return refused(ErrorNumber::NoSupport, "targetd shows volumes over iSCSI only");
    }
    match initiator.parse() {
        Ok(name @ (Initiator::Iqn(_) | Initiator::Eui(_) | Initiator::Naa(_))) => Ok(name.to_string()),
        _ => refused(ErrorNumber::InvalidArgument, format!("{initiator:?} is no iSCSI name")),
    }
}

impl Array {
    pub fn access_groups(&mut self) -> Answer<Vec<AccessGroup>> {
        Ok(self.groups()?.iter().map(Group::record).collect())
    }

    pub fn access_group_create(
        &mut self,
        name: &str,
        initiator: &str,
        kind: InitiatorType,
        system: &SystemId,
    ) -> Answer<AccessGroup> {
        if system.as_str() != SYSTEM {
            return refused(ErrorNumber::NotFoundSystem, format!("no system {system}"));
        }
        name::check_group(name)?;
        let initiator = canonical(initiator, kind)?;
        let _alone = self.alone()?;
        let groups = self.own_groups()?;
        if groups.iter().any(|group| group.name == name) {
            return refused(ErrorNumber::NameConflict, format!("there is an access group {name}"));
        }
        if let Some(other) = groups.iter().find(|group| group.init_ids.contains(&initiator)) {
            let message = format!("{initiator} is in access group {}", other.name);
            return refused(ErrorNumber::ExistsInitiator, message);
        }
        let outcome = Outcome::of(self.daemon.access_group_create(name, &initiator))?;
        self.group_after(&AccessGroupId::new(name), outcome, |group| group.has(&initiator))
    }

    /// The daemon would forget the group's masks in silence, and then keep their volumes for ever.
    pub fn access_group_delete(&mut self, id: &AccessGroupId) -> Answer<()> {
        let _alone = self.alone()?;
        let group = self.own_group(id)?;
        if self.maps()?.iter().any(|map| map.ag_name == group.name) {
            return refused(ErrorNumber::IsMasked, format!("access group {id} is shown volumes"));
        }
        let outcome = Outcome::of(self.daemon.access_group_destroy(&group.name))?;
        let look = gone(self.own_group(id), ErrorNumber::NotFoundAccessGroup);
        outcome.settle(look, || format!("targetd says that access group {id} was deleted, but lists it"))
    }

    pub(super) fn groups(&mut self) -> Answer<Vec<Group>> {
        let own = self.own_groups()?.into_iter().map(Group::Own);
        let alone = self.stand_alone()?.into_iter().map(Group::StandAlone);
        Ok(own.chain(alone).collect())
    }

    pub(super) fn group(&mut self, id: &AccessGroupId) -> Answer<Group> {
        match self.groups()?.into_iter().find(|group| group.id() == *id) {
            Some(group) => Ok(group),
            None => refused(ErrorNumber::NotFoundAccessGroup, format!("no access group {id}")),
        }
    }

    /// A group that can be changed.
    pub(super) fn own_group(&mut self, id: &AccessGroupId) -> Answer<GroupRow> {
        match self.group(id)? {
            Group::Own(row) => Ok(row),
            Group::StandAlone(initiator) => {
                let message = format!("{initiator} is in no group of targetd's, which alone can be changed");
                refused(ErrorNumber::NoSupport, message)
            }
        }
    }

    pub(super) fn own_groups(&mut self) -> Answer<Vec<GroupRow>> {
        if !self.has_groups() {
            return Ok(Vec::new());
        }
        Ok(self.daemon.access_group_list()?)
    }

    /// The initiators that are in no group. Older daemons have no list of them but that of what they see.
    pub(super) fn stand_alone(&mut self) -> Answer<Vec<String>> {
        let mut initiators: Vec<String> = match self.has_groups() {
            true => self.daemon.initiator_list(true)?.into_iter().map(|row| row.init_id).collect(),
            false => self.daemon.export_list()?.into_iter().map(|row| row.initiator_wwn).collect(),
        };
        initiators.sort();
        initiators.dedup();
        Ok(initiators)
    }

    pub(super) fn maps(&mut self) -> Answer<Vec<MapRow>> {
        if !self.has_groups() {
            return Ok(Vec::new());
        }
        Ok(self.daemon.access_group_map_list()?)
    }

    /// The group after a change that should have made it so.
    pub(super) fn group_after(
        &mut self,
        id: &AccessGroupId,
        outcome: Outcome,
        is_so: impl Fn(&Group) -> bool,
    ) -> Answer<AccessGroup> {
        let after = self.group(id).map(|group| is_so(&group).then(|| group.record()));
        outcome.settle(after, || format!("targetd says that access group {id} was changed, but it was not"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iscsi_name_is_known_in_lower_case_and_nothing_else_is_one() {
        let read = |text: &str| canonical(text, InitiatorType::ISCSI);
        assert_eq!(read("IQN.1994-05.com.example:A").unwrap(), "iqn.1994-05.com.example:a");
        for bad in ["", "db1", "20:00:00:25:b5:00:00:01", "nqn.2014-08.org.nvmexpress:uuid:x"] {
            assert_eq!(read(bad).unwrap_err().number, ErrorNumber::InvalidArgument, "{bad}");
        }
        let error = canonical("20:00:00:25:b5:00:00:01", InitiatorType::WWPN).unwrap_err();
        assert_eq!(error.number, ErrorNumber::NoSupport);
    }

    #[test]
    fn a_stand_alone_initiator_has_the_id_that_libstoragemgmt_gives_it() {
        let id = stand_alone_id("iqn.1994-05.com.example:i1");
        assert!(id.as_str().starts_with("init.") && id.as_str().len() == 37, "{id}");
    }
}
