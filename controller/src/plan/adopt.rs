//! The plan of *adopt*: what is mounted there, and how the host has come to see it.

use sanfleet_protocol::{HostId, MountPoint, v1};

use super::{Occupied, PlanError, Source, online, planned, volume, way_to};
use crate::{
    catalog::Catalog,
    runs::{Adopt, Placement, Procedure},
};

/// Takes what is mounted there into account, unless it is already.
pub fn plan(
    catalog: &Catalog,
    host: &HostId,
    at: &MountPoint,
    occupied: &Occupied,
) -> Result<(Adopt, v1::Plan), PlanError> {
    if let Some(by) = occupied.by(host, at) {
        return Err(PlanError::TargetTaken { host: host.clone(), at: at.clone(), by: by.clone() });
    }
    let inventory = online(catalog, host)?;
    let (array, found) = volume::find(catalog, &Source::At(host.clone(), at.clone()))?;
    let (fabric, initiator) = way_to(catalog, host, inventory, array)?;
    let volume = volume::for_run(found)?;
    if !found.masked_to.contains_key(&initiator) {
        return Err(PlanError::NotMasked { volume: volume.name, host: host.clone(), initiator });
    }
    let read_write = inventory.mount(at).is_some_and(|mount| !mount.read_only);
    let array = array.name.clone();
    let at = Placement { host: host.clone(), mount_point: at.clone(), read_write, array, initiator, fabric };
    let params = Adopt { volume, at };
    let plan = describe(&params);
    Ok((params, plan))
}

fn describe(params: &Adopt) -> v1::Plan {
    let (volume, at) = (&params.volume, &params.at);
    let steps = Adopt::STEPS.iter().map(|step| match step.name {
        "volume" => {
            planned(step, "?", &at.host, format!("see that {} is mounted at {}", volume.name, at.mount_point))
        }
        _ => planned(
            step,
            "?",
            volume.array(),
            format!("see that {} is masked to {}", volume.name, at.initiator),
        ),
    });
    v1::Plan {
        procedure: Adopt::NAME.to_owned(),
        title: params.title(),
        steps: steps.collect(),
        ..Default::default()
    }
}
