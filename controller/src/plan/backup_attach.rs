//! The plan of *backup attach*.

use std::time::Duration;

use sanfleet_protocol::{ArrayId, HostId, MountPoint, RunId, v1, v1::QuiesceMethod};

use super::{PlanError, online, planned, reachable, simulated, volume_at, way_to};
use crate::{
    catalog::Catalog,
    runs::{BackupAttach, Placement, Procedure},
};

/// Shortest and longest time that an application may be held still, in milliseconds.
const DEAD_MAN_MS: std::ops::RangeInclusive<u32> = 200..=60_000;
const DEFAULT_DEAD_MAN_MS: u32 = 5_000;

/// What was asked for, parsed.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub source: HostId,
    pub source_mount: MountPoint,
    pub target: HostId,
    pub target_mount: MountPoint,
    pub quiesce: QuiesceMethod,
    pub read_write: bool,
    /// `None`: a name is made from the source and the run.
    pub name: Option<String>,
    /// 0: the default.
    pub dead_man_ms: u32,
}

/// Plans the run `run`.
pub fn plan(catalog: &Catalog, wanted: Wanted, run: RunId) -> Result<(BackupAttach, v1::Plan), PlanError> {
    if wanted.source == wanted.target {
        return Err(PlanError::SameHost { host: wanted.source });
    }
    let dead_man = dead_man(wanted.dead_man_ms)?;
    let source = online(catalog, &wanted.source)?;
    let target = online(catalog, &wanted.target)?;
    let volume = volume_at(catalog, &wanted.source, source, &wanted.source_mount)?;
    let array = catalog.array(&volume.array).ok_or_else(|| unreachable(&volume.array, "it was removed"))?;
    let array = reachable(array)?;
    let record = catalog.volume(volume).ok_or_else(|| unreachable(&array.name, "its volume is gone"))?;
    let Some(volume_id) = &record.id else { return Err(unreachable(&array.name, "its volume has no id")) };

    let copy_name = copy_name(wanted.name, &wanted.source, run)?;
    let taken =
        array.state.iter().flat_map(|state| state.volumes.values()).any(|known| known.name == copy_name);
    if taken {
        return Err(PlanError::NameTaken { array: array.name.clone(), name: copy_name });
    }
    if let Some((device, _)) = target.mounted_at(&wanted.target_mount) {
        let by = format!("device {}", device.name);
        return Err(PlanError::TargetTaken { host: wanted.target, at: wanted.target_mount, by });
    }
    let (fabric, initiator) = way_to(catalog, &wanted.target, target, array)?;

    let params = BackupAttach {
        source: wanted.source,
        source_mount: wanted.source_mount,
        to: Placement {
            host: wanted.target,
            mount_point: wanted.target_mount,
            read_write: wanted.read_write,
            array: array.name.clone(),
            initiator: initiator.clone(),
            fabric: fabric.clone(),
        },
        quiesce: wanted.quiesce,
        copy_name,
        dead_man,
        resolved: v1::SourceResolved {
            array: array.name.to_string(),
            volume: volume.volume.to_string(),
            volume_id: volume_id.to_string(),
            pool: record.pool.clone(),
            file_system: None,
            initiator: initiator.to_string(),
            fabric,
            application: String::new(),
        },
    };
    let plan = describe(&params, record.size_bytes);
    Ok((params, plan))
}

fn unreachable(array: &ArrayId, why: &str) -> PlanError {
    PlanError::ArrayUnreachable { array: array.clone(), why: why.to_owned() }
}

fn dead_man(ms: u32) -> Result<Duration, PlanError> {
    let ms = if ms == 0 { DEFAULT_DEAD_MAN_MS } else { ms };
    match DEAD_MAN_MS.contains(&ms) {
        true => Ok(Duration::from_millis(ms.into())),
        false => Err(PlanError::DeadMan { ms, min: *DEAD_MAN_MS.start(), max: *DEAD_MAN_MS.end() }),
    }
}

/// Every array takes 63 of these characters; a name that needs more care is not worth it.
fn copy_name(name: Option<String>, source: &HostId, run: RunId) -> Result<String, PlanError> {
    let name = name.unwrap_or_else(|| {
        let host: String = source.as_str().chars().take(32).collect();
        format!("sanfleet-{host}-{}", run.short())
    });
    let bad = |why| Err(PlanError::BadName { name: name.chars().take(80).collect(), why });
    if name.is_empty() || name.len() > 63 {
        return bad("must have 1 to 63 characters");
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return bad("holds a character that not every array takes");
    }
    Ok(name)
}

fn describe(params: &BackupAttach, size_bytes: u64) -> v1::Plan {
    let from = format!("{}:{}", params.source, params.source_mount);
    let array = &params.resolved.array;
    let name = &params.copy_name;
    let how = match params.quiesce {
        QuiesceMethod::Mysql => "hold the database's commits and freeze the file system, ",
        QuiesceMethod::Postgresql => "have the database write a checkpoint and freeze the file system, ",
        QuiesceMethod::Fsfreeze => "freeze the file system, ",
        QuiesceMethod::None | QuiesceMethod::Unspecified => "",
    };
    let mode = if params.to.read_write { "read-write" } else { "read-only" };
    let steps = BackupAttach::STEPS.iter().map(|step| match step.name {
        "resolve" => planned(
            step,
            "?",
            &params.source,
            format!("see that {from} is volume {}", params.resolved.volume_id),
        ),
        "copy" => {
            let what =
                format!("{how}clone {} ({size_bytes} bytes) as {name}, let go on", params.resolved.volume);
            planned(step, "+", array, what)
        }
        "mask" => planned(
            step,
            "+",
            array,
            format!("let {} ({}) see {name}", params.to.host, params.resolved.initiator),
        ),
        "attach" => {
            planned(step, "+", &params.to.host, format!("find {name} on fabric {}", params.resolved.fabric))
        }
        _ => planned(step, "+", &params.to.host, format!("mount {name} {mode} at {}", params.to.mount_point)),
    });
    let mut warnings = Vec::new();
    if params.quiesce == QuiesceMethod::None {
        warnings.push(
            "without a quiesce the copy is as after a power cut; what was not yet written is not in it"
                .to_owned(),
        );
    }
    warnings.extend(simulated(&params.to.array, &params.to.fabric));
    v1::Plan {
        procedure: BackupAttach::NAME.to_owned(),
        title: params.title(),
        steps: steps.collect(),
        warnings,
        ..Default::default()
    }
}
