//! Volumes, which are `pool/name`, and their logical units.
//!
//! These releases tell no id of a volume that never comes back, but the GUID of its unit is one. So a volume is what has a unit; a zvol
//! without one can be shown to nobody, and is not told.

use sanfleet_driver::VolumeKey;
use serde_json::{Value, json};

use super::{Nms, Properties, size, text};
use crate::{
    appliance::{Answer, ApplianceError, ORIGIN, Reason, Snapshots, VolumeRow, Volumes},
    dataset::{DatasetPath, SnapshotPath},
    identity::Naa,
};

/// Bytes of a block of new volumes: what the vendor's own driver takes.
const BLOCK: u64 = 32 << 10;
const UNIT: &str = "a logical unit";

impl Volumes for Nms {
    fn home(&mut self, pool: &DatasetPath) -> Answer<DatasetPath> {
        Ok(pool.clone())
    }

    fn volumes(&mut self) -> Answer<Vec<VolumeRow>> {
        let mut rows = Vec::new();
        for path in self.names()? {
            if let Some(unit) = self.unit(&path)? {
                rows.extend(self.row(path, Some(unit))?);
            }
        }
        Ok(rows)
    }

    fn known(&mut self, key: &VolumeKey) -> Answer<Option<VolumeRow>> {
        for path in self.names()? {
            match self.unit(&path)? {
                Some(unit) if unit.as_str() == key.as_str() => return self.row(path, Some(unit)),
                _ => {}
            }
        }
        Ok(None)
    }

    fn volume(&mut self, path: &DatasetPath) -> Answer<Option<VolumeRow>> {
        let unit = self.unit(path)?;
        self.row(path.clone(), unit)
    }

    fn volume_create(&mut self, path: &DatasetPath, bytes: u64, sparse: bool) -> Answer<()> {
        let (sparse, block) = (if sparse { "1" } else { "0" }, BLOCK.to_string());
        let params = json!([path.as_str(), bytes.to_string(), block, sparse]);
        self.call.change("a new volume", "zvol", "create", params)
    }

    fn block(&self) -> u64 {
        BLOCK
    }

    /// What it was a clone of was kept for it, and there is nobody else who would take that away.
    fn volume_delete(&mut self, path: &DatasetPath) -> Answer<()> {
        let origin = self.origin(path)?.filter(|origin| origin.name().starts_with(ORIGIN));
        let gone = self.call.change("the end of a volume", "zvol", "destroy", json!([path.as_str(), "-r"]));
        if let Some(origin) = origin
            && is_or_may_be_done(&gone)
        {
            // As long as it has a clone it stays.
            let _ = self.snapshot_delete(&origin);
        }
        gone
    }

    fn volume_resize(&mut self, path: &DatasetPath, bytes: u64) -> Answer<()> {
        const WHAT: &str = "a volume's new size";
        let params = json!([path.as_str(), "volsize", bytes.to_string()]);
        let sized = self.call.change(WHAT, "zvol", "set_child_prop", params);
        if !is_or_may_be_done(&sized) {
            return sized;
        }
        // The unit does not notice by itself. Told twice it is the same.
        let mut noticed = self.call.change(WHAT, "scsidisk", "realign_size", json!([path.as_str()]));
        if noticed.as_ref().is_err_and(ApplianceError::leaves_it_open) {
            noticed = self.call.change(WHAT, "scsidisk", "realign_size", json!([path.as_str()]));
        }
        sized.and(noticed)
    }

    fn unit_create(&mut self, path: &DatasetPath) -> Answer<()> {
        match self.call.change(UNIT, "scsidisk", "create_lu", json!([path.as_str(), {}])) {
            // It has one.
            Err(error) if error.is(Reason::Busy) || error.is(Reason::Exists) => Ok(()),
            answer => answer,
        }
    }

    fn unit_delete(&mut self, path: &DatasetPath) -> Answer<bool> {
        match self.call.change(UNIT, "scsidisk", "delete_lu", json!([path.as_str()])) {
            Err(error) if error.is(Reason::Missing) => Ok(false),
            answer => answer.map(|()| true),
        }
    }
}

impl Nms {
    pub(super) fn names(&mut self) -> Answer<Vec<DatasetPath>> {
        self.call.make("volumes", "zvol", "get_names", json!([""]))
    }

    /// None when there is no unit, or no volume.
    fn unit(&mut self, path: &DatasetPath) -> Answer<Option<Naa>> {
        let told = self.call.make::<Properties>(UNIT, "scsidisk", "get_lu_props", json!([path.as_str()]));
        let Some(told) = there(told)? else { return Ok(None) };
        match told.get("guid").and_then(text::plain).map(Naa::try_from) {
            Some(Ok(naa)) => Ok(Some(naa)),
            _ => Err(ApplianceError::Garbled { what: UNIT, why: "it has no GUID".into() }),
        }
    }

    /// None when there is no volume.
    fn row(&mut self, path: DatasetPath, unit: Option<Naa>) -> Answer<Option<VolumeRow>> {
        const WHAT: &str = "a volume";
        let params = json!([path.as_str(), ""]);
        let Some(told) = there(self.call.make::<Properties>(WHAT, "zvol", "get_child_props", params))? else {
            return Ok(None);
        };
        let size = size::of(&told, "size").or_else(|| size::of(&told, "volsize"));
        let no_size = || ApplianceError::Garbled { what: WHAT, why: "it has no size".into() };
        Ok(Some(VolumeRow {
            // Without a unit it is never told, so its key is no id.
            key: VolumeKey::new(unit.as_ref().map_or(path.as_str(), Naa::as_str)),
            size: size.ok_or_else(no_size)?,
            block: size::of(&told, "volblocksize").filter(|block| *block > 0).unwrap_or(BLOCK),
            unit,
            path,
        }))
    }

    /// The snapshot that a volume is a clone of.
    pub(super) fn origin(&mut self, path: &DatasetPath) -> Answer<Option<SnapshotPath>> {
        let params = json!([path.as_str(), "origin"]);
        let told: Value = self.call.make("a volume's origin", "zvol", "get_child_prop", params)?;
        // A volume that is no clone has a dash, or nothing.
        Ok(text::plain(&told).and_then(|text| SnapshotPath::try_from(text).ok()))
    }
}

fn is_or_may_be_done(answer: &Answer<()>) -> bool {
    answer.as_ref().err().is_none_or(ApplianceError::leaves_it_open)
}

/// What is missing is none.
pub(super) fn there<T>(answer: Answer<T>) -> Answer<Option<T>> {
    match answer {
        Err(error) if error.is(Reason::Missing) => Ok(None),
        answer => answer.map(Some),
    }
}
