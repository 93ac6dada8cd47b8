//! The plan of *provision*: which pool, which hosts, which names.

use sanfleet_protocol::{ArrayId, FileSystemId, FileSystemKind, Label, MountPoint, RunId, size, v1};

use super::{Chosen, Occupied, PlanError, fleet, planned, reachable, simulated, volume_prefix};
use crate::{
    catalog::{ArrayRecord, Catalog, PoolRecord},
    runs::{AnyProcedure, Limits, Procedure, Provision, Target, Template},
    selector::Selector,
};

/// What was asked for, parsed.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub hosts: Selector,
    pub size_bytes: u64,
    pub file_system: FileSystemKind,
    pub label: Label,
    pub mount_point: MountPoint,
    pub array: Option<ArrayId>,
    /// Id or name.
    pub pool: Option<String>,
    pub thin: bool,
    pub name: Option<String>,
    pub limits: Limits,
    pub skip_unfit: bool,
}

/// Smaller ones cannot hold the file system's own records: mkfs.xfs(8) wants 300 MB, mkfs.btrfs(8) 109 MiB.
const fn least(kind: FileSystemKind) -> u64 {
    match kind {
        FileSystemKind::Xfs => 300 << 20,
        FileSystemKind::Btrfs => 114 << 20,
        FileSystemKind::Ext4 => 8 << 20,
    }
}

/// Plans the run `run`.
pub fn plan(
    catalog: &Catalog,
    wanted: &Wanted,
    occupied: &Occupied,
    run: RunId,
) -> Result<(AnyProcedure, v1::Plan), PlanError> {
    let (size_bytes, least) = (wanted.size_bytes, least(wanted.file_system));
    if size_bytes < least {
        return Err(PlanError::TooSmall { size_bytes, least });
    }
    let prefix = volume_prefix(wanted.name.as_deref(), run)?;
    let candidates = candidates(catalog, wanted)?;
    let mut refused = None;
    // The hosts may reach one array and not another: the first one that serves them all is taken.
    for array in candidates {
        match on_array(catalog, wanted, occupied, array) {
            Ok((pool, chosen)) => {
                let params = params(wanted, array, pool, &chosen.first, prefix, run);
                return Ok(described(wanted, params, pool, chosen));
            }
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused.unwrap_or(PlanError::NoArrays))
}

/// The array that was named, or all that answer, the one with the most free space first.
fn candidates<'a>(catalog: &'a Catalog, wanted: &Wanted) -> Result<Vec<&'a ArrayRecord>, PlanError> {
    if let Some(name) = &wanted.array {
        let unknown = || PlanError::UnknownArray { array: name.clone() };
        return Ok(vec![reachable(catalog.array(name).ok_or_else(unknown)?)?]);
    }
    let mut arrays: Vec<&ArrayRecord> = catalog.arrays().filter(|array| reachable(array).is_ok()).collect();
    arrays.sort_by_key(|array| std::cmp::Reverse(pools(array).map(|pool| pool.free_bytes).max()));
    match arrays.is_empty() {
        true => Err(PlanError::NoArrays),
        false => Ok(arrays),
    }
}

fn pools(array: &ArrayRecord) -> impl Iterator<Item = &PoolRecord> {
    array.state.iter().flat_map(|state| &state.pools).filter(|pool| pool.for_volumes)
}

fn on_array<'a>(
    catalog: &Catalog,
    wanted: &Wanted,
    occupied: &Occupied,
    array: &'a ArrayRecord,
) -> Result<(&'a PoolRecord, Chosen), PlanError> {
    let at = &wanted.mount_point;
    let chosen = fleet::choose(catalog, &wanted.hosts, array, at, occupied, wanted.skip_unfit)?;
    let volumes = u64::try_from(chosen.count()).unwrap_or(u64::MAX);
    let needed = match wanted.thin {
        true => wanted.size_bytes.min(1 << 30),
        false => wanted.size_bytes.saturating_mul(volumes),
    };
    Ok((pool(wanted, array, needed)?, chosen))
}

/// The pool that was named, or the one with the most free space; in either case it must have enough.
fn pool<'a>(wanted: &Wanted, array: &'a ArrayRecord, needed: u64) -> Result<&'a PoolRecord, PlanError> {
    let named = |pool: &&PoolRecord| {
        wanted.pool.as_ref().is_none_or(|name| pool.name == *name || pool.id.as_str() == name)
    };
    let largest = pools(array).filter(named).max_by_key(|pool| pool.free_bytes);
    let largest = largest.ok_or_else(|| PlanError::UnknownPool {
        array: array.name.clone(),
        pool: wanted.pool.clone().unwrap_or_default(),
    })?;
    if largest.free_bytes < needed {
        let free = size::shown(largest.free_bytes);
        let largest = format!("{} of array {} with {free}", largest.name, array.name);
        return Err(PlanError::NoSpace { needed, largest });
    }
    Ok(largest)
}

fn params(
    wanted: &Wanted,
    array: &ArrayRecord,
    pool: &PoolRecord,
    target: &Target,
    volume_name: String,
    run: RunId,
) -> Provision {
    Provision {
        to: target.placement(array.name.clone(), wanted.mount_point.clone(), true),
        pool: pool.id.to_string(),
        size_bytes: wanted.size_bytes,
        volume_name,
        thin: wanted.thin,
        file_system: wanted.file_system,
        label: wanted.label.clone(),
        // Of no part, and of no run: the run's own id is its journal's.
        uuid: FileSystemId::new(run.part(0, 0).uuid()),
    }
}

fn described(
    wanted: &Wanted,
    params: Provision,
    pool: &PoolRecord,
    chosen: Chosen,
) -> (AnyProcedure, v1::Plan) {
    let array = params.to.array.clone();
    let steps = steps(&params, pool, &chosen);
    let shown = size::shown(params.size_bytes);
    let (file_system, at) = (params.file_system, params.to.mount_point.clone());
    let each = format!("a new volume of {shown} with {file_system}, read-write at {at}");
    let mut warnings = chosen.warnings();
    warnings.extend(simulated(&array, &params.to.fabric));
    let size_bytes = params.size_bytes.saturating_mul(u64::try_from(chosen.count()).unwrap_or(u64::MAX));
    let hosts = chosen.effects("+", &each);
    let procedure = chosen.procedure(Template::Provision(params), wanted.limits);
    let procedure_name = Provision::NAME.to_owned();
    let title = procedure.title();
    let plan = v1::Plan {
        procedure: procedure_name,
        title,
        steps,
        warnings,
        hosts,
        size_bytes,
        ..Default::default()
    };
    (procedure, plan)
}

fn steps(params: &Provision, pool: &PoolRecord, chosen: &Chosen) -> Vec<v1::PlanStep> {
    let to = &params.to;
    let (on, name) = chosen.words(&params.volume_name);
    let steps = Provision::STEPS.iter().map(|step| match step.name {
        "check" => planned(step, "?", &on, format!("see that {} is free", to.mount_point)),
        "make" => {
            let how = if params.thin { "thin " } else { "" };
            let shown = size::shown(params.size_bytes);
            planned(step, "+", &to.array, format!("make a {how}volume of {shown} in pool {}", pool.name))
        }
        "mask" => planned(step, "+", &to.array, format!("let {on} see {name}, and nobody else")),
        "attach" => planned(step, "+", &on, format!("find {name} on fabric {}", to.fabric)),
        "format" => {
            planned(step, "+", &on, format!("make a {} on {name}, if it is blank", params.file_system))
        }
        _ => planned(step, "+", &on, format!("mount {name} read-write at {}", to.mount_point)),
    });
    steps.collect()
}
