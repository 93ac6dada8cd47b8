//! Host groups, the mappings of units, and targets.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Nms, lacking::unsupported, text, volumes::there};
use crate::{
    appliance::{Access, Answer, ApplianceError, HostGroupRow, MappingRow, Reason, TargetRow},
    dataset::DatasetPath,
};

const GROUP: &str = "a host group";
const MAPPINGS: &str = "mappings";

#[derive(Deserialize)]
pub(super) struct Entry {
    entry_number: Value,
    #[serde(default)]
    host_group: Option<String>,
    #[serde(default)]
    lun: Value,
}

impl Access for Nms {
    fn host_groups(&mut self) -> Answer<Vec<HostGroupRow>> {
        let names: Vec<String> = self.call.make("host groups", "stmf", "list_hostgroups", json!([]))?;
        let mut groups = Vec::new();
        for name in names {
            let members = self.call.make(GROUP, "stmf", "list_hostgroup_members", json!([name]));
            // It may have gone since the list was made.
            groups.extend(there(members)?.map(|members| HostGroupRow { name, members }));
        }
        Ok(groups)
    }

    /// A group without its member is of no use to anybody, and goes again.
    fn host_group_create(&mut self, name: &str, member: &str) -> Answer<()> {
        let made = self.call.change(GROUP, "stmf", "create_hostgroup", json!([name]));
        if made.as_ref().is_err_and(|error| !error.leaves_it_open()) {
            return made;
        }
        match self.add(name, member) {
            // So it was not made.
            Err(error) if error.is(Reason::Missing) => made.and(Err(error)),
            Err(error) if !error.leaves_it_open() => {
                let _ = self.host_group_delete(name);
                Err(error)
            }
            added => added,
        }
    }

    fn host_group_delete(&mut self, name: &str) -> Answer<()> {
        self.call.change("the end of a host group", "stmf", "destroy_hostgroup", json!([name]))
    }

    fn member_add(&mut self, group: &HostGroupRow, member: &str) -> Answer<()> {
        self.add(&group.name, member)
    }

    fn member_remove(&mut self, group: &HostGroupRow, member: &str) -> Answer<()> {
        self.call.change(GROUP, "stmf", "remove_hostgroup_member", json!([group.name, member]))
    }

    fn mappings(&mut self, of: Option<&DatasetPath>) -> Answer<Vec<MappingRow>> {
        let volumes = match of {
            Some(volume) => vec![volume.clone()],
            None => self.names()?,
        };
        let mut mappings = Vec::new();
        for volume in volumes {
            let params = json!([volume.as_str()]);
            let entries =
                self.call.make::<Vec<Entry>>(MAPPINGS, "scsidisk", "list_lun_mapping_entries", params);
            for entry in there(entries)?.unwrap_or_default() {
                mappings.push(told(&volume, entry)?);
            }
        }
        Ok(mappings)
    }

    fn mapping_create(&mut self, volume: &DatasetPath, host_group: &str) -> Answer<()> {
        let params = json!([volume.as_str(), {"host_group": host_group}]);
        self.call.change("a new mapping", "scsidisk", "add_lun_mapping_entry", params)
    }

    fn mapping_delete(&mut self, mapping: &MappingRow) -> Answer<()> {
        let params = json!([mapping.volume.as_str(), mapping.id]);
        self.call.change("the end of a mapping", "scsidisk", "remove_lun_mapping_entry", params)
    }

    fn targets(&mut self) -> Answer<Vec<TargetRow>> {
        unsupported("targets")
    }
}

impl Nms {
    /// Asked for twice a member is there once, so a lost answer costs nothing.
    fn add(&mut self, group: &str, member: &str) -> Answer<()> {
        let params = json!([group, member]);
        let added = self.call.change(GROUP, "stmf", "add_hostgroup_member", params.clone());
        if !added.as_ref().is_err_and(ApplianceError::leaves_it_open) {
            return added;
        }
        match self.call.change(GROUP, "stmf", "add_hostgroup_member", params) {
            Err(error) if error.is(Reason::Exists) => Ok(()),
            again => again,
        }
    }
}

/// Without a group it is everybody who sees the volume.
fn told(volume: &DatasetPath, entry: Entry) -> Answer<MappingRow> {
    let nameless = || ApplianceError::Garbled { what: MAPPINGS, why: "one has no number".into() };
    Ok(MappingRow {
        id: text::plain(&entry.entry_number).ok_or_else(nameless)?,
        volume: volume.clone(),
        host_group: entry.host_group.filter(|name| !name.is_empty()).unwrap_or_else(|| "All".into()),
        lun: text::plain(&entry.lun).and_then(|text| text.parse().ok()),
    })
}
