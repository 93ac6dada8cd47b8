//! The plan of *clone*: which volume, which hosts, which names.

use sanfleet_protocol::{FileSystemId, HostId, MountPoint, RunId, v1};

use super::{
    Chosen, Occupied, PlanError, Source, fleet, found_on, of_copy, planned, simulated, volume, volume_prefix,
};
use crate::{
    catalog::{Catalog, VolumeRecord},
    runs::{AnyProcedure, CloneVolume, Limits, NewIdentity, Procedure, Template},
    selector::Selector,
};

/// What was asked for, parsed.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub source: Source,
    pub hosts: Selector,
    pub mount_point: MountPoint,
    pub read_write: bool,
    /// Mounted again at every start of the host.
    pub persist: bool,
    /// When it is taken down by itself, in milliseconds since 1970; 0 for never.
    pub expires_at_unix_ms: i64,
    pub name: Option<String>,
    pub limits: Limits,
    pub skip_unfit: bool,
}

/// What a host may see on a volume, as agents name it, that nobody mounts.
const CONTAINERS: [&str; 3] = ["LVM2_member", "crypto_LUKS", "linux_raid_member"];

/// Plans the run `run`.
pub fn plan(
    catalog: &Catalog,
    wanted: &Wanted,
    occupied: &Occupied,
    run: RunId,
) -> Result<(AnyProcedure, v1::Plan), PlanError> {
    let volume_name = volume_prefix(wanted.name.as_deref(), run)?;
    let volume::Content { array, volume, layers, file_system: on_it } =
        volume::find_content(catalog, &wanted.source)?;
    let source_id = volume::id(volume)?;
    let at = &wanted.mount_point;
    let chosen = fleet::choose(catalog, &wanted.hosts, array, at, occupied, wanted.skip_unfit)?;
    if layers.is_none() && CONTAINERS.contains(&on_it.r#type.as_str()) {
        return Err(PlanError::NoFileSystem { volume: volume.name.clone(), found: on_it.r#type });
    }
    let identity = identity(&on_it, wanted, run);
    if wanted.persist && !layers.is_none() {
        return Err(PlanError::LayeredPersist { layers });
    }
    if wanted.persist && identity.is_none() {
        return Err(PlanError::NothingToPersist { volume: volume.name.clone() });
    }
    let params = CloneVolume {
        to: chosen.first.placement(array.name.clone(), at.clone(), wanted.read_write),
        source_volume: volume.key.volume.to_string(),
        source_id,
        volume_name,
        identity,
        persist: wanted.persist,
        expires_at_unix_ms: wanted.expires_at_unix_ms,
        file_system: on_it.r#type,
        layers,
        source: match &wanted.source {
            Source::At(host, at) => Some((host.clone(), at.clone())),
            Source::Volume(..) => None,
        },
    };
    Ok(described(wanted, params, volume, chosen, volume::mounts(catalog, volume)))
}

/// A copy that is written to, or that stays, gets a UUID of its own, where the kind of its file system can be given one.
fn identity(on_it: &v1::FileSystem, wanted: &Wanted, run: RunId) -> Option<NewIdentity> {
    let stays = wanted.read_write && wanted.expires_at_unix_ms == 0 || wanted.persist;
    let (file_system, of_source) = (on_it.r#type.parse().ok()?, on_it.uuid.parse().ok()?);
    // Of no part, and of no run: the run's own id is its journal's.
    let own = FileSystemId::new(run.part(0, 0).uuid());
    stays.then_some(NewIdentity { file_system, own, of_source })
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
    if params.identity.is_none() && params.to.read_write {
        warnings.push(
            "the copy keeps the UUID of its source: never show both to a host that mounts by UUID".to_owned(),
        );
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
        "attach" => planned(step, "+", &on, found_on(&params.layers, &name, &to.fabric)),
        "identify" => planned(step, "~", &on, format!("give the file system on {name} a UUID of its own")),
        "persist" => planned(step, "+", &on, format!("mount {name} at every start, by its UUID")),
        _ => {
            let what = of_copy(&params.layers, &name);
            planned(step, "+", &on, format!("mount {what} {mode} at {}", to.mount_point))
        }
    });
    let is_done = |step: &v1::PlanStep| match step.name.as_str() {
        "identify" => params.identity.is_some(),
        "persist" => params.persist,
        _ => true,
    };
    steps.filter(is_done).collect()
}
