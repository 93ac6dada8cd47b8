//! Groups of initiators: ours alone, for Linux' target knows single initiators.

use sanfleet_driver::{AccessGroup, AccessGroupId, ErrorNumber, InitiatorType, SystemId};
use sanfleet_protocol::initiator::Initiator;

use super::{Answer, Array, SYSTEM, refused, system_id};
use crate::state::State;

const NAME_BYTES: usize = 127;

impl Array {
    pub fn access_groups(&mut self) -> Answer<Vec<AccessGroup>> {
        let (_, state) = self.glance()?;
        Ok(state.groups.keys().filter_map(|name| record(&state, name)).collect())
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
        if name.is_empty() || name.len() > NAME_BYTES || name.chars().any(char::is_control) {
            let message = format!("a group's name has 1 to {NAME_BYTES} bytes and no control characters");
            return refused(ErrorNumber::InvalidArgument, message);
        }
        let initiator = canonical(initiator, kind)?;
        self.change(|_, state| {
            if state.groups.contains_key(name) {
                return refused(ErrorNumber::NameConflict, format!("there is an access group {name}"));
            }
            require_alone(state, &initiator)?;
            state.groups.insert(name.to_owned(), [initiator.clone()].into());
            group(state, name)
        })
    }

    pub fn access_group_delete(&mut self, id: &AccessGroupId) -> Answer<()> {
        self.change(|_, state| {
            group(state, id.as_str())?;
            if state.masks.iter().any(|mask| mask.group == id.as_str()) {
                return refused(ErrorNumber::IsMasked, format!("access group {id} is shown volumes"));
            }
            state.groups.remove(id.as_str());
            Ok(())
        })
    }

    /// It sees from now on what the group does.
    pub fn initiator_add(
        &mut self,
        id: &AccessGroupId,
        initiator: &str,
        kind: InitiatorType,
    ) -> Answer<AccessGroup> {
        let initiator = canonical(initiator, kind)?;
        self.change(|_, state| {
            if members(state, id)?.contains(&initiator) {
                return refused(ErrorNumber::NoStateChange, format!("{initiator} is in access group {id}"));
            }
            require_alone(state, &initiator)?;
            members(state, id)?.insert(initiator.clone());
            group(state, id.as_str())
        })
    }

    pub fn initiator_delete(
        &mut self,
        id: &AccessGroupId,
        initiator: &str,
        kind: InitiatorType,
    ) -> Answer<AccessGroup> {
        let initiator = canonical(initiator, kind)?;
        self.change(|_, state| {
            let members = members(state, id)?;
            if !members.contains(&initiator) {
                return refused(
                    ErrorNumber::NoStateChange,
                    format!("{initiator} is not in access group {id}"),
                );
            }
            if members.len() == 1 {
                let message = format!("{initiator} is the last initiator in access group {id}");
                return refused(ErrorNumber::LastInitiatorInAccessGroup, message);
            }
            members.remove(&initiator);
            group(state, id.as_str())
        })
    }
}

/// The spelling under which the target knows an initiator.
pub(super) fn canonical(initiator: &str, kind: InitiatorType) -> Answer<String> {
    if kind != InitiatorType::ISCSI {
        return refused(ErrorNumber::NoSupport, "volumes are shown over iSCSI only");
    }
    match initiator.parse() {
        // A name that leads out of the target's directory is none (RFC 3722), whatever the parser takes.
        Ok(name @ (Initiator::Iqn(_) | Initiator::Eui(_) | Initiator::Naa(_)))
            if !initiator.contains('/') =>
        {
            Ok(name.to_string())
        }
        _ => refused(ErrorNumber::InvalidArgument, format!("{initiator:?} is no iSCSI name")),
    }
}

/// An initiator is in one group, or it would see volumes for two reasons.
fn require_alone(state: &State, initiator: &str) -> Answer<()> {
    match state.groups.iter().find(|(_, members)| members.contains(initiator)) {
        None => Ok(()),
        Some((other, _)) => {
            refused(ErrorNumber::ExistsInitiator, format!("{initiator} is in access group {other}"))
        }
    }
}

fn members<'a>(
    state: &'a mut State,
    id: &AccessGroupId,
) -> Answer<&'a mut std::collections::BTreeSet<String>> {
    match state.groups.get_mut(id.as_str()) {
        Some(members) => Ok(members),
        None => refused(ErrorNumber::NotFoundAccessGroup, format!("no access group {id}")),
    }
}

pub(super) fn group(state: &State, name: &str) -> Answer<AccessGroup> {
    match record(state, name) {
        Some(group) => Ok(group),
        None => refused(ErrorNumber::NotFoundAccessGroup, format!("no access group {name}")),
    }
}

pub(super) fn record(state: &State, name: &str) -> Option<AccessGroup> {
    let members = state.groups.get(name)?;
    Some(AccessGroup {
        id: AccessGroupId::new(name),
        name: name.to_owned(),
        init_ids: members.iter().cloned().collect(),
        init_type: InitiatorType::ISCSI,
        system_id: system_id(),
        plugin_data: None,
    })
}
