//! Volumes, which are `pool/group/name`, and their logical units.
//!
//! A volume has no unit, and with it no identity, before it is mapped for the first time. So each of ours is mapped from the start to
//! a host group of which nobody is, over a target group that has no target. That mapping is told to no caller.

use std::collections::BTreeMap;

use sanfleet_driver::VolumeKey;
use sanfleet_driver_http::Method;
use serde_json::{Value, json};

use super::{Rest, nothing, row};
use crate::{
    appliance::{Answer, ApplianceError, Reason, VolumeRow, Volumes},
    dataset::DatasetPath,
    identity::Naa,
    wire::encoded,
};

/// The group of volumes that ours are in.
const HOME: &str = "sanfleet";
/// The host group of which nobody is, and the target group without a target.
pub(super) const NOBODY: &str = "sanfleet-nobody";
/// Bytes of a block of new volumes: what the vendor's own driver takes.
const BLOCK: u64 = 32 << 10;
const FIELDS: &str = "path,guid,volumeSize,volumeBlockSize";

impl Volumes for Rest {
    fn home(&mut self, pool: &DatasetPath) -> Answer<DatasetPath> {
        let home = pool.child(HOME);
        let path = format!("/storage/volumeGroups?path={}&fields=path", encoded(home.as_str()));
        let groups: Vec<row::VolumeGroup> = self.session.list("volume groups", &path)?;
        if !groups.iter().any(|group| group.path == home) {
            let body = json!({"path": home.as_str(), "volumeBlockSize": BLOCK});
            self.ensure("a volume group", "/storage/volumeGroups", &body)?;
        }
        Ok(home)
    }

    fn volumes(&mut self) -> Answer<Vec<VolumeRow>> {
        let rows: Vec<row::Volume> =
            self.session.list("volumes", &format!("/storage/volumes?fields={FIELDS}"))?;
        let mut units = self.units("")?;
        Ok(rows.into_iter().map(|row| told(row, &mut units)).collect())
    }

    fn known(&mut self, key: &VolumeKey) -> Answer<Option<VolumeRow>> {
        self.one(&format!("guid={}", encoded(key.as_str())), |row| row.guid == key.as_str())
    }

    fn volume(&mut self, path: &DatasetPath) -> Answer<Option<VolumeRow>> {
        self.one(&format!("path={}", encoded(path.as_str())), |row| row.path == *path)
    }

    fn volume_create(&mut self, path: &DatasetPath, bytes: u64, sparse: bool) -> Answer<()> {
        let body = json!({"path": path.as_str(), "volumeSize": bytes, "volumeBlockSize": BLOCK, "sparseVolume": sparse});
        self.session.change("a new volume", Method::Post, "/storage/volumes", &body)
    }

    fn block(&self) -> u64 {
        BLOCK
    }

    fn volume_delete(&mut self, path: &DatasetPath) -> Answer<()> {
        let place = format!("/storage/volumes/{}?snapshots=true", encoded(path.as_str()));
        self.session.change("the end of a volume", Method::Delete, &place, &nothing())
    }

    fn volume_resize(&mut self, path: &DatasetPath, bytes: u64) -> Answer<()> {
        let place = format!("/storage/volumes/{}", encoded(path.as_str()));
        self.session.change("a volume's new size", Method::Put, &place, &json!({"volumeSize": bytes}))
    }

    fn unit_create(&mut self, path: &DatasetPath) -> Answer<()> {
        self.make_nobody()?;
        let body = json!({"volume": path.as_str(), "hostGroup": NOBODY, "targetGroup": NOBODY});
        self.ensure("a logical unit", "/san/lunMappings", &body)
    }

    /// The unit goes with its last mapping.
    fn unit_delete(&mut self, path: &DatasetPath) -> Answer<bool> {
        let mut mappings = self.all_mappings(Some(path))?;
        mappings.retain(|row| row.host_group == NOBODY);
        for mapping in &mappings {
            match self.delete_mapping(&mapping.id) {
                // The list had not heard of its end yet.
                Err(error) if error.is(Reason::Missing) => {}
                answer => answer?,
            }
        }
        Ok(!mappings.is_empty())
    }
}

impl Rest {
    /// A release that passes the filter over has more rows to tell, and `wanted` finds the one.
    fn one(&mut self, filter: &str, wanted: impl Fn(&row::Volume) -> bool) -> Answer<Option<VolumeRow>> {
        let path = format!("/storage/volumes?{filter}&fields={FIELDS}");
        let rows: Vec<row::Volume> = self.session.list("volumes", &path)?;
        let Some(row) = rows.into_iter().find(wanted) else { return Ok(None) };
        let mut units = self.units(&format!("&volume={}", encoded(row.path.as_str())))?;
        Ok(Some(told(row, &mut units)))
    }

    fn units(&mut self, filter: &str) -> Answer<BTreeMap<DatasetPath, Naa>> {
        let path = format!("/san/logicalUnits?fields=guid,volume{filter}");
        let rows: Vec<row::LogicalUnit> = self.session.list("logical units", &path)?;
        Ok(rows.into_iter().map(|row| (row.volume, row.guid)).collect())
    }

    /// Makes what may be there already. Asked for twice it is there once, so a lost answer costs nothing.
    fn ensure(&mut self, what: &'static str, path: &str, body: &Value) -> Answer<()> {
        let mut answer = self.session.change(what, Method::Post, path, body);
        if answer.as_ref().is_err_and(ApplianceError::leaves_it_open) {
            answer = self.session.change(what, Method::Post, path, body);
        }
        answer.or_else(|error| if error.is(Reason::Exists) { Ok(()) } else { Err(error) })
    }

    /// Its one member is a name that is told to nobody and never used.
    fn make_nobody(&mut self) -> Answer<()> {
        if self.nobody_is_there {
            return Ok(());
        }
        let member = format!("iqn.2026-01.invalid.sanfleet:{}", uuid::Uuid::new_v4().simple());
        let hosts = json!({"name": NOBODY, "members": [member]});
        self.ensure("a host group", "/san/hostgroups", &hosts)?;
        let targets = json!({"name": NOBODY, "members": []});
        self.ensure("a target group", "/san/targetgroups", &targets)?;
        self.nobody_is_there = true;
        Ok(())
    }
}

fn told(row: row::Volume, units: &mut BTreeMap<DatasetPath, Naa>) -> VolumeRow {
    VolumeRow {
        key: VolumeKey::new(row.guid),
        size: row.volume_size,
        block: row.volume_block_size.max(1),
        unit: units.remove(&row.path),
        path: row.path,
    }
}
