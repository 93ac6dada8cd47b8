//! The plan of *volume delete*: refused while anyone uses the volume, and who that is.

use sanfleet_protocol::{size, v1};

use super::{PlanError, Source, planned, volume};
use crate::{
    catalog::Catalog,
    runs::{Procedure, VolumeDelete},
};

/// The volume that is meant. Who uses it is asked with [`refuse_used`].
pub fn plan(catalog: &Catalog, wanted: &Source) -> Result<(VolumeDelete, v1::Plan), PlanError> {
    let (_, found) = volume::find(catalog, wanted)?;
    let params = VolumeDelete { volume: volume::for_run(found)? };
    refuse_used(&params, catalog.users(&found.key))?;
    let plan = describe(&params);
    Ok((params, plan))
}

/// Nobody may use it.
pub fn refuse_used(params: &VolumeDelete, users: Vec<String>) -> Result<(), PlanError> {
    let volume = params.title();
    match users.is_empty() {
        true => Ok(()),
        false => Err(PlanError::VolumeUsed { volume, users }),
    }
}

fn describe(params: &VolumeDelete) -> v1::Plan {
    let volume = &params.volume;
    let shown = size::shown(volume.size_bytes);
    let steps = VolumeDelete::STEPS.iter().map(|step| match step.name {
        "check" => planned(step, "?", volume.array(), format!("see that nobody uses {}", volume.name)),
        _ => planned(
            step,
            "-",
            volume.array(),
            format!("delete {} ({}, {shown}) with all that is on it", volume.name, volume.id),
        ),
    });
    v1::Plan {
        procedure: VolumeDelete::NAME.to_owned(),
        title: format!("{} ({shown})", params.title()),
        steps: steps.collect(),
        ..Default::default()
    }
}
