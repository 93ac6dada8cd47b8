//! The plan of *backup attach*.

use std::{collections::BTreeSet, time::Duration};

use sanfleet_protocol::{ArrayId, HostId, MountPoint, QuiesceBy, RunId, v1};

use super::{
    Found, PlanError, found_at, found_on, of_copy, online, open_to_new, planned, reachable, simulated, way_to,
};
use crate::{
    catalog::{Catalog, Inventory},
    runs::{BackupAttach, Copying, Placement, Procedure, Step},
};

/// Shortest and longest time that an application may be held still, in milliseconds.
const DEAD_MAN_MS: std::ops::RangeInclusive<u32> = 200..=60_000;
const DEFAULT_DEAD_MAN_MS: u32 = 5_000;
/// One application has no more volumes, and all of them have to be copied within its limit.
const MOST: usize = 16;

/// What was asked for, parsed.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub source: HostId,
    pub target: HostId,
    pub main: Way,
    pub also: Vec<Way>,
    pub quiesce: QuiesceBy,
    pub read_write: bool,
    /// `None`: a name is made from the source and the run.
    pub name: Option<String>,
    /// 0: the default.
    pub dead_man_ms: u32,
    pub verify: bool,
    /// When the copies are taken down by themselves, in milliseconds since 1970; 0 for never.
    pub expires_at_unix_ms: i64,
}

/// From a mount point of the source to one of the target.
#[derive(Debug, Clone)]
pub struct Way {
    pub from: MountPoint,
    pub to: MountPoint,
}

/// Plans the run `run`.
pub fn plan(catalog: &Catalog, wanted: Wanted, run: RunId) -> Result<(BackupAttach, v1::Plan), PlanError> {
    if wanted.source == wanted.target {
        return Err(PlanError::SameHost { host: wanted.source });
    }
    let dead_man = dead_man(wanted.dead_man_ms)?;
    if wanted.quiesce == QuiesceBy::None && !wanted.also.is_empty() {
        return Err(PlanError::NotHeldTogether);
    }
    refuse_twice(&wanted)?;
    let hosts = Hosts {
        catalog,
        wanted: &wanted,
        source: online(catalog, &wanted.source)?,
        target: open_to_new(catalog, &wanted.target)?,
    };
    let names = copy_names(wanted.name.clone(), &wanted.source, run, wanted.also.len())?;
    let ways = [&wanted.main].into_iter().chain(&wanted.also);
    let copies: Vec<(Copying, u64)> =
        ways.zip(names).map(|(way, name)| hosts.copying(way, name)).collect::<Result<_, _>>()?;
    refuse_one_volume_twice(&copies)?;
    let sizes: Vec<u64> = copies.iter().map(|(_, size)| *size).collect();
    let mut copies = copies.into_iter().map(|(copying, _)| copying);
    let Some(main) = copies.next() else { return Err(PlanError::TooMany { wanted: 0, most: MOST }) };
    let params = BackupAttach {
        source: wanted.source,
        main,
        also: copies.collect(),
        quiesce: wanted.quiesce,
        dead_man,
        verify: wanted.verify,
        expires_at_unix_ms: wanted.expires_at_unix_ms,
    };
    let plan = describe(&params, &sizes);
    Ok((params, plan))
}

/// The two hosts, and what is wanted of them.
struct Hosts<'a> {
    catalog: &'a Catalog,
    wanted: &'a Wanted,
    source: &'a Inventory,
    target: &'a Inventory,
}

impl Hosts<'_> {
    /// One volume with the way of its copy, and its size.
    fn copying(&self, way: &Way, name: String) -> Result<(Copying, u64), PlanError> {
        let Self { catalog, wanted, source, target } = self;
        let Found { volume, layers, .. } = found_at(catalog, &wanted.source, source, &way.from)?;
        let array =
            catalog.array(&volume.array).ok_or_else(|| unreachable(&volume.array, "it was removed"))?;
        let array = reachable(array)?;
        let record = catalog.volume(volume).ok_or_else(|| unreachable(&array.name, "its volume is gone"))?;
        let Some(volume_id) = &record.id else {
            return Err(unreachable(&array.name, "its volume has no id"));
        };
        let mut known = array.state.iter().flat_map(|state| state.volumes.values());
        if known.any(|known| known.name == name) {
            return Err(PlanError::NameTaken { array: array.name.clone(), name });
        }
        if let Some((device, _)) = target.mounted_at(&way.to) {
            let (host, at, by) = (wanted.target.clone(), way.to.clone(), format!("device {}", device.name));
            return Err(PlanError::TargetTaken { host, at, by });
        }
        let (fabric, initiator) = way_to(catalog, &wanted.target, target, array)?;
        let copying = Copying {
            source_mount: way.from.clone(),
            to: Placement {
                host: wanted.target.clone(),
                mount_point: way.to.clone(),
                read_write: wanted.read_write,
                array: array.name.clone(),
                initiator: initiator.clone(),
                fabric: fabric.clone(),
            },
            name,
            resolved: v1::SourceResolved {
                layers: (!layers.is_none()).then(|| v1::Layers::from(&layers)),
                array: array.name.to_string(),
                volume: volume.volume.to_string(),
                volume_id: volume_id.to_string(),
                pool: record.pool.clone(),
                initiator: initiator.to_string(),
                fabric,
                ..Default::default()
            },
            layers,
        };
        Ok((copying, record.size_bytes))
    }
}

fn refuse_twice(wanted: &Wanted) -> Result<(), PlanError> {
    let volumes = wanted.also.len() + 1;
    if volumes > MOST {
        return Err(PlanError::TooMany { wanted: volumes, most: MOST });
    }
    let (mut from, mut to) = (BTreeSet::new(), BTreeSet::new());
    for way in [&wanted.main].into_iter().chain(&wanted.also) {
        if !from.insert(&way.from) {
            return Err(PlanError::Twice { what: format!("{}:{}", wanted.source, way.from) });
        }
        if !to.insert(&way.to) {
            return Err(PlanError::Twice { what: format!("{}:{}", wanted.target, way.to) });
        }
    }
    Ok(())
}

/// One volume may be mounted at two places.
fn refuse_one_volume_twice(copies: &[(Copying, u64)]) -> Result<(), PlanError> {
    let mut seen = BTreeSet::new();
    match copies.iter().find(|(copying, _)| !seen.insert(&copying.resolved.volume_id)) {
        Some((copying, _)) => {
            Err(PlanError::Twice { what: format!("volume {}", copying.resolved.volume_id) })
        }
        None => Ok(()),
    }
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

/// Every array takes 63 of these characters; a name that needs more care is not worth it. The first copy has the name, the others a
/// number after it.
fn copy_names(
    name: Option<String>,
    source: &HostId,
    run: RunId,
    further: usize,
) -> Result<Vec<String>, PlanError> {
    let name = name.unwrap_or_else(|| {
        let host: String = source.as_str().chars().take(32).collect();
        format!("sanfleet-{host}-{}", run.short())
    });
    let bad = |why| Err(PlanError::BadName { name: name.chars().take(80).collect(), why });
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return bad("holds a character that not every array takes");
    }
    let numbered = (2..).map(|number| format!("{name}-{number}")).take(further);
    let names: Vec<String> = [name.clone()].into_iter().chain(numbered).collect();
    if names.iter().any(|name| name.is_empty() || name.len() > 63) {
        return bad("must have 1 to 63 characters, the number of a further volume among them");
    }
    Ok(names)
}

fn describe(params: &BackupAttach, sizes: &[u64]) -> v1::Plan {
    let freeze = if params.also.is_empty() { "freeze the file system" } else { "freeze the file systems" };
    let how = match &params.quiesce {
        QuiesceBy::Mysql => format!("hold the database's commits and {freeze}, "),
        QuiesceBy::Postgresql => format!("have the database write a checkpoint and {freeze}, "),
        QuiesceBy::Hook(hook) => format!("run hook {hook} and {freeze}, "),
        QuiesceBy::Fsfreeze => format!("{freeze}, "),
        QuiesceBy::None => String::new(),
    };
    let clones: Vec<String> = params.copies().zip(sizes).map(clone_of).collect();
    let all_at_once = format!("{how}clone {}, let go on", clones.join(" and "));
    let steps = BackupAttach::STEPS.iter().flat_map(|step| match step.name {
        "copy" => vec![planned(step, "+", arrays(params), all_at_once.clone())],
        "verify" if !params.verify => Vec::new(),
        _ => params.copies().map(|copying| of_one(params, copying, step)).collect(),
    });
    let mut warnings = Vec::new();
    if params.quiesce == QuiesceBy::None {
        warnings.push(
            "without a quiesce the copy is as after a power cut; what was not yet written is not in it"
                .to_owned(),
        );
    }
    let mut simulated: Vec<String> =
        params.copies().filter_map(|one| simulated(&one.to.array, &one.to.fabric)).collect();
    simulated.dedup();
    warnings.extend(simulated);
    v1::Plan {
        procedure: BackupAttach::NAME.to_owned(),
        title: params.title(),
        steps: steps.collect(),
        warnings,
        ..Default::default()
    }
}

fn clone_of((copying, size_bytes): (&Copying, &u64)) -> String {
    format!("{} ({size_bytes} bytes) as {}", copying.resolved.volume, copying.name)
}

fn arrays(params: &BackupAttach) -> String {
    let arrays: Vec<String> = params.arrays().iter().map(ToString::to_string).collect();
    arrays.join(", ")
}

/// What a step does to one of the copies.
fn of_one(params: &BackupAttach, copying: &Copying, step: &Step<BackupAttach>) -> v1::PlanStep {
    let Copying { source_mount, to, name, resolved, layers } = copying;
    match step.name {
        "resolve" => {
            let what = format!("see that {}:{source_mount} is volume {}", params.source, resolved.volume_id);
            planned(step, "?", &params.source, what)
        }
        "mask" => {
            let what = format!("let {} ({}) see {name}", to.host, to.initiator);
            planned(step, "+", &to.array, what)
        }
        "attach" => planned(step, "+", &to.host, found_on(layers, name, &to.fabric)),
        "verify" => planned(step, "?", &to.host, format!("read samples of {name}")),
        _ => {
            let mode = if to.read_write { "read-write" } else { "read-only" };
            let what = of_copy(layers, name);
            planned(step, "+", &to.host, format!("mount {what} {mode} at {}", to.mount_point))
        }
    }
}
