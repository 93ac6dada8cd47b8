//! Host groups, mappings and targets.

use sanfleet_driver_http::Method;
use serde_json::json;

use super::{Rest, nothing, row, volumes::NOBODY};
use crate::{
    appliance::{Access, Answer, HostGroupRow, MappingRow, TargetRow},
    dataset::DatasetPath,
    wire::encoded,
};

/// The target group over which volumes are shown, where somebody has made one of that name.
const SHOWN_BY: &str = "sanfleet";
/// What the appliance calls all of its targets.
const ALL_TARGETS: &str = "all";

impl Access for Rest {
    fn host_groups(&mut self) -> Answer<Vec<HostGroupRow>> {
        let rows: Vec<row::Group> =
            self.session.list("host groups", "/san/hostgroups?fields=name,members")?;
        let others = rows.into_iter().filter(|row| row.name != NOBODY);
        Ok(others.map(|row| HostGroupRow { name: row.name, members: row.members }).collect())
    }

    fn host_group_create(&mut self, name: &str, member: &str) -> Answer<()> {
        let body = json!({"name": name, "members": [member]});
        self.session.change("a new host group", Method::Post, "/san/hostgroups", &body)
    }

    fn host_group_delete(&mut self, name: &str) -> Answer<()> {
        let place = format!("/san/hostgroups/{}", encoded(name));
        self.session.change("the end of a host group", Method::Delete, &place, &nothing())
    }

    fn member_add(&mut self, group: &HostGroupRow, member: &str) -> Answer<()> {
        let members = group.members.iter().map(String::as_str).chain([member]).collect();
        self.set_members(&group.name, members)
    }

    fn member_remove(&mut self, group: &HostGroupRow, member: &str) -> Answer<()> {
        let members = group.members.iter().map(String::as_str);
        self.set_members(&group.name, members.filter(|own| *own != member).collect())
    }

    fn mappings(&mut self, of: Option<&DatasetPath>) -> Answer<Vec<MappingRow>> {
        let mut mappings = self.all_mappings(of)?;
        mappings.retain(|mapping| mapping.host_group != NOBODY);
        Ok(mappings)
    }

    fn mapping_create(&mut self, volume: &DatasetPath, host_group: &str) -> Answer<()> {
        let groups: Vec<row::Group> =
            self.session.list("target groups", "/san/targetgroups?fields=name,members")?;
        let own = groups.iter().any(|group| group.name == SHOWN_BY);
        let target_group = if own { SHOWN_BY } else { ALL_TARGETS };
        let body = json!({"volume": volume.as_str(), "hostGroup": host_group, "targetGroup": target_group});
        self.session.change("a new mapping", Method::Post, "/san/lunMappings", &body)
    }

    fn mapping_delete(&mut self, mapping: &MappingRow) -> Answer<()> {
        self.delete_mapping(&mapping.id)
    }

    fn targets(&mut self) -> Answer<Vec<TargetRow>> {
        let rows: Vec<row::Target> =
            self.session.list("targets", "/san/iscsi/targets?fields=name,portals")?;
        let target = |row: row::Target| TargetRow {
            name: row.name,
            portals: row.portals.iter().map(row::Portal::told).collect(),
        };
        Ok(rows.into_iter().map(target).collect())
    }
}

impl Rest {
    /// The list of members is replaced as a whole.
    fn set_members(&mut self, group: &str, members: Vec<&str>) -> Answer<()> {
        let place = format!("/san/hostgroups/{}", encoded(group));
        self.session.change("a host group's members", Method::Put, &place, &json!({"members": members}))
    }

    /// Those too by which volumes are shown to nobody.
    pub(super) fn all_mappings(&mut self, of: Option<&DatasetPath>) -> Answer<Vec<MappingRow>> {
        let filter = of.map(|volume| format!("&volume={}", encoded(volume.as_str()))).unwrap_or_default();
        let path = format!("/san/lunMappings?fields=id,volume,hostGroup,targetGroup,lun{filter}");
        let rows: Vec<row::LunMapping> = self.session.list("mappings", &path)?;
        let wanted = rows.into_iter().filter(|row| of.is_none_or(|volume| row.volume == *volume));
        Ok(wanted
            .map(|row| MappingRow {
                id: row.id,
                volume: row.volume,
                host_group: row.host_group,
                lun: row.lun,
            })
            .collect())
    }

    pub(super) fn delete_mapping(&mut self, id: &str) -> Answer<()> {
        let place = format!("/san/lunMappings/{}", encoded(id));
        self.session.change("the end of a mapping", Method::Delete, &place, &nothing())
    }
}
