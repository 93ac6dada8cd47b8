//! Releases 3 and 4, over NMS: an object, a method and parameters by their places, all at one address.
//!
//! There are no jobs: what takes long lets wait. Errors are texts. What they are not asked for says [`lacking`].

mod access;
mod call;
mod files;
mod lacking;
mod size;
mod snapshots;
mod text;
mod volumes;

use std::collections::BTreeMap;

use call::Call;
pub(crate) use call::answers;
use sanfleet_driver::Capability;
use sanfleet_driver_http::Deadline;
use serde_json::json;

use crate::{
    appliance::{Answer, Appliance, ApplianceError, PoolRow, SystemRow},
    dataset::DatasetPath,
    wire::Wire,
};

/// Where the appliance has itself.
const ITS_OWN: &str = "syspool";

/// What it tells of one thing: names and texts, or numbers.
type Properties = BTreeMap<String, serde_json::Value>;

/// An appliance of release 3 or 4.
#[derive(Debug)]
pub(crate) struct Nms {
    call: Call,
}

impl Nms {
    pub fn new(wire: Box<dyn Wire>, deadline: Deadline) -> Self {
        Self { call: Call { wire, deadline } }
    }
}

impl Appliance for Nms {
    fn begin(&mut self, deadline: Deadline) {
        self.call.deadline = deadline;
    }

    fn deadline(&self) -> Deadline {
        self.call.deadline
    }

    fn lacks(&self) -> &'static [Capability] {
        lacking::LACKING
    }

    fn system(&mut self) -> Answer<SystemRow> {
        const WHAT: &str = "its licence";
        let licence: Properties = self.call.make(WHAT, "appliance", "get_license_info", json!([]))?;
        let name: String = self.call.make("its name", "appliance", "get_fqdn", json!([]))?;
        let signature = licence.get("machine_sig").and_then(text::plain);
        let missing = || ApplianceError::Garbled { what: WHAT, why: "it has no signature".into() };
        Ok(SystemRow { id: signature.ok_or_else(missing)?, name })
    }

    fn pools(&mut self) -> Answer<Vec<PoolRow>> {
        let names: Vec<DatasetPath> = self.call.make("pools", "volume", "get_all_names", json!([""]))?;
        let mut pools = Vec::new();
        for path in names.into_iter().filter(|name| name.as_str() != ITS_OWN) {
            let told: Properties =
                self.call.make("a pool", "volume", "get_child_props", json!([path.as_str(), ""]))?;
            let bytes = |key: &str| size::of(&told, key);
            pools.push(PoolRow {
                size: bytes("size"),
                free: bytes("available").or_else(|| bytes("free")),
                health: told.get("health").and_then(text::plain).unwrap_or_default(),
                path,
            });
        }
        Ok(pools)
    }
}

/// As every kind of result.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn read_as_all(body: &[u8]) {
    let _ = call::decode::<Vec<DatasetPath>>("", body);
    let _ = call::decode::<Vec<crate::dataset::SnapshotPath>>("", body);
    let _ = call::decode::<Vec<access::Entry>>("", body);
    if let Ok(told) = call::decode::<Properties>("", body) {
        for key in told.keys() {
            let _ = size::of(&told, key);
        }
    }
}
