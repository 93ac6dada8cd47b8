//! Access groups and their initiators. An initiator is in one group at most.

use rusqlite::{Connection, OptionalExtension, Params, Transaction, params};
use sanfleet_driver::{AccessGroup, AccessGroupId, ErrorNumber, InitiatorType, Search, System, SystemId};
use sanfleet_protocol::initiator::Initiator;

use super::{
    Array, listing,
    publication::{self, Of},
    wanted::Wanted,
};
use crate::{
    error::{Result, SimError},
    identity,
};

pub(super) fn find(state: &Connection, group: &AccessGroupId) -> Result<i64> {
    let not_found =
        || SimError::refused(ErrorNumber::NotFoundAccessGroup, format!("no access group {group}"));
    let row = identity::access_group_row(group).ok_or_else(not_found)?;
    let mut query = state.prepare_cached("SELECT id FROM access_group WHERE id = ?1")?;
    query.query_row([row], |row| row.get(0)).optional()?.ok_or_else(not_found)
}

pub(super) fn initiators(state: &Connection, group: i64) -> Result<Vec<String>> {
    let mut query =
        state.prepare_cached("SELECT name FROM initiator WHERE access_group = ?1 ORDER BY name")?;
    Ok(query.query_map([group], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn record(state: &Connection, group: i64) -> Result<AccessGroup> {
    let not_found = || SimError::refused(ErrorNumber::NotFoundAccessGroup, "the access group has gone");
    records(state, "access_group.id = ?1", [group])?.pop().ok_or_else(not_found)
}

/// The groups that meet a condition, by one query.
pub(super) fn records(state: &Connection, condition: &str, values: impl Params) -> Result<Vec<AccessGroup>> {
    let query = format!(
        "SELECT access_group.id, access_group.name, initiator.name FROM access_group \
         LEFT JOIN initiator ON initiator.access_group = access_group.id \
         WHERE {condition} ORDER BY access_group.id, initiator.name"
    );
    let mut statement = state.prepare_cached(&query)?;
    let mut rows = statement.query(values)?;
    let mut groups: Vec<AccessGroup> = Vec::new();
    while let Some(row) = rows.next()? {
        let id = identity::access_group(row.get(0)?);
        if groups.last().is_none_or(|last| last.id != id) {
            groups.push(without_initiators(id, row.get(1)?));
        }
        if let (Some(group), Some(initiator)) = (groups.last_mut(), row.get(2)?) {
            group.init_ids.push(initiator);
        }
    }
    for group in &mut groups {
        group.init_type = common_type(&group.init_ids);
    }
    Ok(groups)
}

fn without_initiators(id: AccessGroupId, name: String) -> AccessGroup {
    AccessGroup {
        id,
        name,
        init_ids: Vec::new(),
        init_type: InitiatorType::UNKNOWN,
        system_id: SystemId::new(identity::SYSTEM),
        plugin_data: None,
    }
}

impl Array {
    pub fn access_groups(&self, search: Option<&Search>) -> Result<Vec<AccessGroup>> {
        let row = |id: &str| identity::access_group_row(&AccessGroupId::new(id));
        let wanted = Wanted::of(search, "access_group", row);
        records(&self.state, wanted.condition(), wanted.values())
    }

    pub fn access_group_create(
        &self,
        name: &str,
        initiator: &str,
        kind: InitiatorType,
        system: &System,
    ) -> Result<AccessGroup> {
        listing::check_system(system)?;
        let initiator = canonical(initiator, kind)?;
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(SimError::refused(ErrorNumber::InvalidArgument, "the name is empty or not legible"));
        }
        let change = self.begin()?;
        if change.prepare_cached("SELECT 1 FROM access_group WHERE name = ?1")?.exists([name])? {
            let message = format!("there is an access group named {name}");
            return Err(SimError::refused(ErrorNumber::NameConflict, message));
        }
        if group_of(&change, &initiator)?.is_some() {
            return Err(in_another_group(&initiator));
        }
        change.prepare_cached("INSERT INTO access_group (name) VALUES (?1)")?.execute([name])?;
        let group = change.last_insert_rowid();
        insert_initiator(&change, &initiator, group)?;
        let made = record(&change, group)?;
        change.commit()?;
        Ok(made)
    }

    pub fn access_group_delete(&self, group: &AccessGroupId) -> Result<()> {
        let change = self.begin()?;
        let row = find(&change, group)?;
        if change.prepare_cached("SELECT 1 FROM mask WHERE access_group = ?1")?.exists([row])? {
            let message = format!("volumes are masked to access group {group}");
            return Err(SimError::refused(ErrorNumber::IsMasked, message));
        }
        change.prepare_cached("DELETE FROM initiator WHERE access_group = ?1")?.execute([row])?;
        change.prepare_cached("DELETE FROM access_group WHERE id = ?1")?.execute([row])?;
        change.commit()?;
        Ok(())
    }

    /// The new initiator sees the group's volumes at once.
    pub fn access_group_initiator_add(
        &self,
        group: &AccessGroupId,
        initiator: &str,
        kind: InitiatorType,
    ) -> Result<AccessGroup> {
        let initiator = canonical(initiator, kind)?;
        let change = self.begin()?;
        let row = find(&change, group)?;
        match group_of(&change, &initiator)? {
            Some(current) if current == row => {
                let message = format!("{initiator} is in this access group");
                return Err(SimError::refused(ErrorNumber::NoStateChange, message));
            }
            Some(_) => return Err(in_another_group(&initiator)),
            None => insert_initiator(&change, &initiator, row)?,
        }
        for volume in masked_volumes(&change, row)? {
            publication::assign(&change, &initiator, volume)?;
        }
        let updated = record(&change, row)?;
        change.commit()?;
        self.publish(Of::Initiator(&initiator))?;
        Ok(updated)
    }

    /// The initiator sees nothing more before the group forgets it.
    pub fn access_group_initiator_delete(
        &self,
        group: &AccessGroupId,
        initiator: &str,
        kind: InitiatorType,
    ) -> Result<AccessGroup> {
        let initiator = canonical(initiator, kind)?;
        let change = self.begin()?;
        let row = find(&change, group)?;
        if group_of(&change, &initiator)? != Some(row) {
            let message = format!("{initiator} is not in this access group");
            return Err(SimError::refused(ErrorNumber::NoStateChange, message));
        }
        if initiators(&change, row)?.len() == 1 {
            let message = format!("{initiator} is the last initiator of its access group");
            return Err(SimError::refused(ErrorNumber::LastInitiatorInAccessGroup, message));
        }
        change.prepare_cached("DELETE FROM initiator WHERE name = ?1")?.execute([&initiator])?;
        self.withdraw_unfounded(&change, Of::Initiator(&initiator))?;
        let updated = record(&change, row)?;
        change.commit()?;
        Ok(updated)
    }
}

fn group_of(change: &Transaction, initiator: &str) -> Result<Option<i64>> {
    let mut query = change.prepare_cached("SELECT access_group FROM initiator WHERE name = ?1")?;
    Ok(query.query_row([initiator], |row| row.get(0)).optional()?)
}

fn insert_initiator(change: &Transaction, initiator: &str, group: i64) -> Result<()> {
    let mut insert = change.prepare_cached("INSERT INTO initiator (name, access_group) VALUES (?1, ?2)")?;
    insert.execute(params![initiator, group])?;
    Ok(())
}

fn masked_volumes(change: &Transaction, group: i64) -> Result<Vec<i64>> {
    let mut query =
        change.prepare_cached("SELECT volume FROM mask WHERE access_group = ?1 ORDER BY volume")?;
    Ok(query.query_map([group], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

fn in_another_group(initiator: &str) -> SimError {
    SimError::refused(ErrorNumber::ExistsInitiator, format!("{initiator} is in another access group"))
}

/// The one spelling of an initiator; it names a folder of the fabric, so it holds no slash.
pub(super) fn canonical(text: &str, kind: InitiatorType) -> Result<String> {
    let refuse = |why: String| SimError::refused(ErrorNumber::InvalidArgument, why);
    let initiator: Initiator = text.parse().map_err(|error| refuse(format!("{error}")))?;
    let (canonical, found) = (initiator.to_string(), type_of(&initiator));
    if canonical.contains('/') {
        return Err(refuse("an initiator id with a slash".into()));
    }
    let given = matches!(kind, InitiatorType::WWPN | InitiatorType::ISCSI | InitiatorType::NVME_NQN);
    if given && kind != found {
        return Err(refuse(format!("{canonical} is not of the given initiator type")));
    }
    Ok(canonical)
}

fn type_of(initiator: &Initiator) -> InitiatorType {
    match initiator {
        Initiator::Iqn(_) | Initiator::Eui(_) | Initiator::Naa(_) => InitiatorType::ISCSI,
        Initiator::Wwpn(_) => InitiatorType::WWPN,
        Initiator::Nqn(_) => InitiatorType::NVME_NQN,
    }
}

fn common_type(initiators: &[String]) -> InitiatorType {
    let mut types = initiators.iter().filter_map(|text| Some(type_of(&text.parse().ok()?)));
    let Some(first) = types.next() else { return InitiatorType::UNKNOWN };
    if types.all(|other| other == first) { first } else { InitiatorType::MIXED }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_initiator_that_would_leave_its_folder_is_refused() {
        for bad in ["iqn.2026-01.x:../../etc", "nqn.2026-01.x:a/b", "", "db1"] {
            assert!(canonical(bad, InitiatorType::UNKNOWN).is_err(), "{bad}");
        }
    }

    #[test]
    fn spellings_of_one_initiator_are_one() {
        let bare = canonical("10000000C9952FDE", InitiatorType::WWPN).unwrap();
        assert_eq!(bare, "10:00:00:00:c9:95:2f:de");
        assert!(canonical("10000000C9952FDE", InitiatorType::ISCSI).is_err());
    }

    #[test]
    fn a_group_of_two_kinds_is_mixed() {
        let (iqn, wwpn) = ("iqn.2026-01.x:a".to_owned(), "10:00:00:00:c9:95:2f:de".to_owned());
        assert_eq!(common_type(std::slice::from_ref(&iqn)), InitiatorType::ISCSI);
        assert_eq!(common_type(&[iqn, wwpn]), InitiatorType::MIXED);
        assert_eq!(common_type(&["nqn.2026-01.x:a".to_owned()]), InitiatorType::NVME_NQN);
        assert_eq!(common_type(&[]), InitiatorType::UNKNOWN);
    }
}
