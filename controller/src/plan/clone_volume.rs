//! The plan of *clone*: which volume, which hosts, which names.

use sanfleet_driver::VolumeKey;
use sanfleet_protocol::{ArrayId, HostId, MountPoint, RunId, v1};

use super::{
    Chosen, Occupied, PlanError, fleet, online, planned, reachable, simulated, volume_at, volume_prefix,
};
use crate::{
    catalog::{ArrayRecord, Catalog, VolumeRecord},
    runs::{AnyProcedure, CloneVolume, Limits, Procedure, Template},
    selector::Selector,
};

/// What is copied.
#[derive(Debug, Clone)]
pub enum Source {
    At(HostId, MountPoint),
    /// The volume's id or name on its array.
    Volume(ArrayId, String),
}

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
    let (array, volume) = source(catalog, wanted)?;
    let Some(source_id) = volume.id.clone() else {
        let (array, volume) = (array.name.clone(), volume.name.clone());
        return Err(PlanError::NoVolumeId { array, volume });
    };
    let at = &wanted.mount_point;
    let chosen = fleet::choose(catalog, &wanted.hosts, array, at, occupied, wanted.skip_unfit)?;
    let params = CloneVolume {
        to: chosen.first.placement(array.name.clone(), at.clone(), wanted.read_write),
        source_volume: volume.key.volume.to_string(),
        source_id,
        volume_name,
        file_system: file_system(catalog, volume),
        source: match &wanted.source {
            Source::At(host, at) => Some((host.clone(), at.clone())),
            Source::Volume(..) => None,
        },
    };
    Ok(described(wanted, params, volume, chosen, users(catalog, volume)))
}

fn source<'a>(
    catalog: &'a Catalog,
    wanted: &Wanted,
) -> Result<(&'a ArrayRecord, &'a VolumeRecord), PlanError> {
    let gone = |array: &ArrayId, volume: &str| PlanError::UnknownVolume {
        array: array.clone(),
        volume: volume.to_owned(),
    };
    match &wanted.source {
        Source::At(host, at) => {
            let volume = volume_at(catalog, host, online(catalog, host)?, at)?;
            let missing = || gone(&volume.array, volume.volume.as_str());
            let array = reachable(catalog.array(&volume.array).ok_or_else(missing)?)?;
            Ok((array, catalog.volume(volume).ok_or_else(missing)?))
        }
        Source::Volume(name, text) => {
            let unknown = || PlanError::UnknownArray { array: name.clone() };
            let array = reachable(catalog.array(name).ok_or_else(unknown)?)?;
            Ok((array, named(array, text)?))
        }
    }
}

/// The volume with this id, or else the only one of this name.
fn named<'a>(array: &'a ArrayRecord, text: &str) -> Result<&'a VolumeRecord, PlanError> {
    let volumes = || array.state.iter().flat_map(|state| state.volumes.values());
    if let Some(volume) = array.state.as_ref().and_then(|state| state.volumes.get(&VolumeKey::new(text))) {
        return Ok(volume);
    }
    let fitting: Vec<&VolumeRecord> = volumes().filter(|volume| volume.name == text).collect();
    let (array, volume) = (array.name.clone(), text.to_owned());
    match fitting.as_slice() {
        [one] => Ok(one),
        [] => Err(PlanError::UnknownVolume { array, volume }),
        several => Err(PlanError::SeveralVolumes { array, volume, fits: several.len() }),
    }
}

/// What hosts have reported to be on it; empty when none sees it.
fn file_system(catalog: &Catalog, volume: &VolumeRecord) -> String {
    let seen = catalog.devices_of(&volume.key).filter_map(|key| {
        let inventory = catalog.host(&key.host)?.inventory.as_ref()?;
        let device = inventory.report.devices.iter().find(|device| device.name == key.device)?;
        Some(device.file_system.as_ref()?.r#type.clone())
    });
    seen.into_iter().next().unwrap_or_default()
}

/// Who has the source mounted: a copy of what is in use is as after a power cut.
fn users(catalog: &Catalog, volume: &VolumeRecord) -> Vec<String> {
    let users = catalog.devices_of(&volume.key).flat_map(|key| {
        let inventory = catalog.host(&key.host).and_then(|record| record.inventory.as_ref());
        let device = inventory.and_then(|inventory| {
            Some((inventory, inventory.report.devices.iter().find(|device| device.name == key.device)?))
        });
        let at = device.map(|(inventory, device)| {
            inventory.mount_points(device).map(|at| format!("{}:{at}", key.host)).collect::<Vec<_>>()
        });
        at.unwrap_or_default()
    });
    users.collect()
}

fn described(
    wanted: &Wanted,
    params: CloneVolume,
    volume: &VolumeRecord,
    chosen: Chosen,
    users: Vec<String>,
) -> (AnyProcedure, v1::Plan) {
    let mode = if params.to.read_write { "read-write" } else { "read-only" };
    let each = format!("a copy of {}, {mode} at {}", volume.name, params.to.mount_point);
    let mut warnings = chosen.warnings();
    if !users.is_empty() {
        warnings.push(format!(
            "{} is mounted at {}: a copy is as after a power cut; `sanfleet backup attach` holds the application still",
            volume.name,
            users.join(", ")
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
