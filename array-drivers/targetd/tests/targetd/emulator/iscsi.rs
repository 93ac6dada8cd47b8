//! Initiators, access groups, and who sees what.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Answer, NUMBER_TAKEN, Params, Place, Refusal, State, refuse};

fn require_wwn(initiator: &str) -> Result<(), Refusal> {
    match ["iqn.", "naa.", "eui."].iter().any(|prefix| initiator.starts_with(prefix)) {
        true => Ok(()),
        false => refuse(-1, "RTSLibError: WWN not valid as: iqn, naa, eui"),
    }
}

impl State {
    fn grouped(&self, initiator: &str) -> bool {
        self.groups.values().any(|members| members.contains(initiator))
    }

    /// One row for each initiator, whatever it sees the volume by.
    pub fn export_list(&self) -> Value {
        let by_group = self.maps.iter().flat_map(|((group, place), lun)| {
            let members = self.groups.get(group).into_iter().flatten();
            members.map(move |initiator| (initiator, place, *lun))
        });
        let alone = self.exports.iter().map(|((initiator, place), lun)| (initiator, place, *lun));
        let rows = by_group.chain(alone).map(|(initiator, place, lun)| {
            let volume = &self.volumes[place];
            json!({"initiator_wwn": initiator, "lun": lun, "vol_name": place.1, "pool": place.0,
                "vol_uuid": volume.uuid, "vol_size": volume.size})
        });
        rows.collect()
    }

    pub fn export_create(&mut self, place: Place, initiator: &str, lun: u64) -> Answer {
        // The initiator is known from here on, whatever becomes of the rest.
        self.acls.insert(initiator.to_owned());
        self.back(&place)?;
        let taken = self
            .exports
            .iter()
            .any(|((own, other), number)| own == initiator && *number == lun && *other != place);
        if taken {
            return refuse(-1, NUMBER_TAKEN);
        }
        self.luns.insert(place.clone());
        self.exports.entry((initiator.to_owned(), place)).or_insert(lun);
        Ok(Value::Null)
    }

    pub fn export_destroy(&mut self, place: Place, initiator: &str) -> Answer {
        let key = (initiator.to_owned(), place);
        if self.exports.remove(&key).is_none() {
            return refuse(-151, format!("Volume '{}' not found in {initiator} exports", key.1.1));
        }
        self.forget_unseen(&key.1);
        Ok(Value::Null)
    }

    fn forget_unseen(&mut self, place: &Place) {
        let seen = self.maps.keys().chain(self.exports.keys()).any(|(_, other)| other == place);
        if !seen {
            self.luns.remove(place);
        }
    }

    pub fn initiator_list(&self, stand_alone: bool) -> Value {
        let known = self.acls.iter().filter(|initiator| !stand_alone || !self.grouped(initiator));
        known.map(|initiator| json!({"init_id": initiator, "init_type": "iscsi"})).collect()
    }

    pub fn initiator_set_auth(&mut self, initiator: &str) -> Answer {
        self.acls.insert(initiator.to_owned());
        Ok(Value::Null)
    }

    pub fn access_group_list(&self) -> Value {
        let rows = self.groups.iter();
        rows.map(|(name, members)| json!({"name": name, "init_ids": members, "init_type": "iscsi"})).collect()
    }

    pub fn access_group_create(&mut self, params: &Params) -> Answer {
        let (name, initiator) = (params.text("ag_name")?, params.text("init_id")?);
        if params.text("init_type")? != "iscsi" {
            return refuse(-153, "Only support iscsi");
        }
        let legal = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        if name.is_empty() || !name.chars().all(legal) {
            return refuse(-32602, "Illegal name, should match: ^[a-zA-Z0-9_-]+$");
        }
        if self.groups.contains_key(name) {
            return refuse(-50, "Requested access group name is in use");
        }
        if self.acls.contains(initiator) {
            return refuse(-52, "Requested init_id is in use");
        }
        require_wwn(initiator)?;
        self.access_group_init_add(name, initiator)
    }

    /// Of any group, known or not. The volumes stay LUNs of the target that nobody sees.
    pub fn access_group_destroy(&mut self, name: &str) -> Answer {
        for initiator in self.groups.remove(name).unwrap_or_default() {
            self.acls.remove(&initiator);
        }
        self.maps.retain(|(group, _), _| group != name);
        Ok(Value::Null)
    }

    /// Makes the group if there is none.
    pub fn access_group_init_add(&mut self, name: &str, initiator: &str) -> Answer {
        require_wwn(initiator)?;
        self.acls.insert(initiator.to_owned());
        self.groups.entry(name.to_owned()).or_default().insert(initiator.to_owned());
        Ok(Value::Null)
    }

    /// A group goes with its last initiator.
    pub fn access_group_init_del(&mut self, name: &str, initiator: &str) -> Answer {
        let Some(members) = self.groups.get_mut(name) else { return Ok(Value::Null) };
        if members.remove(initiator) {
            self.acls.remove(initiator);
        }
        if members.is_empty() {
            self.groups.remove(name);
            self.maps.retain(|(group, _), _| group != name);
        }
        Ok(Value::Null)
    }

    pub fn access_group_map_list(&self) -> Value {
        let rows = self.maps.iter().map(|((group, place), lun)| {
            json!({"ag_name": group, "h_lun_id": lun, "pool_name": place.0, "vol_name": place.1})
        });
        rows.collect()
    }

    pub fn access_group_map_create(&mut self, place: Place, group: &str, lun: Option<u64>) -> Answer {
        self.back(&place)?;
        if !self.groups.contains_key(group) {
            return refuse(-200, "Access group not found");
        }
        let key = (group.to_owned(), place);
        if self.maps.contains_key(&key) {
            return Ok(Value::Null);
        }
        // The first number that this volume is not seen under: the real one looks at nothing else.
        let of_volume: BTreeSet<u64> =
            self.maps.iter().filter(|((_, other), _)| *other == key.1).map(|(_, lun)| *lun).collect();
        let number = lun.unwrap_or_else(|| (0..).find(|number| !of_volume.contains(number)).unwrap());
        if self.maps.iter().any(|((own, _), lun)| own == group && *lun == number) {
            return refuse(-1, NUMBER_TAKEN);
        }
        self.luns.insert(key.1.clone());
        self.maps.insert(key, number);
        Ok(Value::Null)
    }

    /// A LUN that nobody sees goes too, whatever group was named.
    pub fn access_group_map_destroy(&mut self, place: Place, group: &str) -> Answer {
        self.back(&place)?;
        let key = (group.to_owned(), place);
        self.maps.remove(&key);
        self.forget_unseen(&key.1);
        Ok(Value::Null)
    }
}
