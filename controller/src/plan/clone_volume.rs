//! The plan of *clone*: which volume, which hosts, which names.

use sanfleet_protocol::{HostId, MountPoint, RunId, v1};

use super::{Chosen, Occupied, PlanError, Source, fleet, planned, simulated, volume, volume_prefix};
use crate::{
    catalog::{Catalog, VolumeRecord},
    runs::{AnyProcedure, CloneVolume, Limits, Procedure, Template},
    selector::Selector,
};

/// What was asked for, parsed.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub source: Source,
    pub hosts: Selector,
    pub mount_point: MountPoint,
    pub read_write: bool,
    pub name: Option<String>,
    pub limits: Limits,
    pub skip_unfit: bool,
}

/// Plans the run `run`.
pub fn plan(
    catalog: &Catalog,
    wanted: &Wanted,
    occupied: &Occupied,
    run: RunId,
) -> Result<(AnyProcedure, v1::Plan), PlanError> {
    let volume_name = volume_prefix(wanted.name.as_deref(), run)?;
    let (array, volume) = volume::find(catalog, &wanted.source)?;
    let source_id = volume::id(volume)?;
    let at = &wanted.mount_point;
    let chosen = fleet::choose(catalog, &wanted.hosts, array, at, occupied, wanted.skip_unfit)?;
    let params = CloneVolume {
        to: chosen.first.placement(array.name.clone(), at.clone(), wanted.read_write),
        source_volume: volume.key.volume.to_string(),
        source_id,
        volume_name,
        file_system: volume::file_system(catalog, volume),
        source: match &wanted.source {
            Source::At(host, at) => Some((host.clone(), at.clone())),
            Source::Volume(..) => None,
        },
    };
    Ok(described(wanted, params, volume, chosen, volume::mounts(catalog, volume)))
}

fn described(
    wanted: &Wanted,
    params: CloneVolume,
    volume: &VolumeRecord,
    chosen: Chosen,
    users: Vec<(HostId, String)>,
) -> (AnyProcedure, v1::Plan) {
    let mode = if params.to.read_write { "read-write" } else { "read-only" };
    let each = format!("a copy of {}, {mode} at {}", volume.name, params.to.mount_point);
    let mut warnings = chosen.warnings();
    if !users.is_empty() {
        warnings.push(format!(
            "{} is mounted at {}: a copy is as after a power cut; `sanfleet backup attach` holds the application still",
            volume.name,
            users.iter().map(|(host, at)| format!("{host}:{at}")).collect::<Vec<_>>().join(", ")
        ));
    }
    warnings.extend(simulated(&params.to.array, &params.to.fabric));
    let steps = steps(&params, volume, mode, &chosen);
    let hosts = chosen.effects("+", &each);
    let procedure = chosen.procedure(Template::CloneVolume(params), wanted.limits);
    let title = procedure.title();
    let plan = v1::Plan {
        procedure: CloneVolume::NAME.to_owned(),
        title,
        steps,
        warnings,
        hosts,
        ..Default::default()
    };
    (procedure, plan)
}

fn steps(params: &CloneVolume, volume: &VolumeRecord, mode: &str, chosen: &Chosen) -> Vec<v1::PlanStep> {
    let to = &params.to;
    let (on, name) = chosen.words(&params.volume_name);
    let steps = CloneVolume::STEPS.iter().map(|step| match step.name {
        "check" => planned(step, "?", &on, format!("see that {} is free", to.mount_point)),
        "make" => {
            planned(step, "+", &to.array, format!("clone {} ({} bytes)", volume.name, volume.size_bytes))
        }
        "mask" => planned(step, "+", &to.array, format!("let {on} see {name}, and nobody else")),
        "attach" => planned(step, "+", &on, format!("find {name} on fabric {}", to.fabric)),
        _ => planned(step, "+", &on, format!("mount {name} {mode} at {}", to.mount_point)),
    });
    steps.collect()
}
