//! Which hosts a procedure on many would reach, by which way, and which it would not and why.

use std::collections::BTreeMap;

use sanfleet_protocol::{HostId, MountPoint, v1};

use super::{PlanError, online, way_to};
use crate::{
    catalog::{ArrayRecord, Catalog},
    runs::{AnyProcedure, Limits, Rollout, Target, Template},
    selector::Selector,
};

/// So many reasons are told one by one.
const TOLD: usize = 5;

/// Who uses which place, in words: attachments and runs under way.
#[derive(Debug, Clone, Default)]
pub struct Occupied(pub BTreeMap<(HostId, MountPoint), String>);

/// The hosts that are meant: one at least.
#[derive(Debug, Clone)]
pub struct Chosen {
    pub first: Target,
    others: Vec<Target>,
    unfit: Vec<(HostId, PlanError)>,
}

impl Occupied {
    pub fn by(&self, host: &HostId, at: &MountPoint) -> Option<&String> {
        self.0.get(&(host.clone(), at.clone()))
    }
}

/// The hosts of the selector, each with its way to the array.
///
/// # Errors
/// A name that no host has, a selector that fits nobody; and, unless `skip_unfit`, any host on which it could not be done.
pub fn choose(
    catalog: &Catalog,
    selector: &Selector,
    array: &ArrayRecord,
    at: &MountPoint,
    occupied: &Occupied,
    skip_unfit: bool,
) -> Result<Chosen, PlanError> {
    for name in selector.exact_names() {
        let host: HostId = name.parse().map_err(|_| PlanError::NoHosts { selector: name.to_owned() })?;
        if catalog.host(&host).is_none() {
            return Err(PlanError::UnknownHost { host });
        }
    }
    let (mut ready, mut unfit) = (Vec::new(), Vec::new());
    for (host, record) in catalog.hosts() {
        let Some(inventory) = &record.inventory else { continue };
        if !selector.selects(host, inventory) {
            continue;
        }
        match target(catalog, host, array, at, occupied) {
            Ok(target) => ready.push(target),
            Err(why) => unfit.push((host.clone(), why)),
        }
    }
    let all = ready.len() + unfit.len();
    match (ready.is_empty(), unfit.as_slice()) {
        (true, []) => return Err(PlanError::NoHosts { selector: selector.to_string() }),
        (_, []) => {}
        // Of one host the reason itself is the answer.
        (true, [(_, why)]) => return Err(why.clone()),
        (false, _) if skip_unfit => {}
        (_, reasons) => return Err(PlanError::Unfit { unfit: reasons.len(), all, why: told(reasons) }),
    }
    let mut ready = ready.into_iter();
    match ready.next() {
        Some(first) => Ok(Chosen { first, others: ready.collect(), unfit }),
        None => Err(PlanError::NoHosts { selector: selector.to_string() }),
    }
}

fn target(
    catalog: &Catalog,
    host: &HostId,
    array: &ArrayRecord,
    at: &MountPoint,
    occupied: &Occupied,
) -> Result<Target, PlanError> {
    let inventory = online(catalog, host)?;
    let taken = |by: String| PlanError::TargetTaken { host: host.clone(), at: at.clone(), by };
    if let Some(by) = occupied.by(host, at) {
        return Err(taken(by.clone()));
    }
    if let Some((device, _)) = inventory.mounted_at(at) {
        return Err(taken(format!("device {}", device.name)));
    }
    let (fabric, initiator) = way_to(catalog, host, inventory, array)?;
    Ok(Target { host: host.clone(), initiator, fabric })
}

fn told(unfit: &[(HostId, PlanError)]) -> String {
    let mut reasons: Vec<String> = unfit.iter().take(TOLD).map(|(_, why)| why.to_string()).collect();
    if unfit.len() > TOLD {
        reasons.push(format!("and {} more", unfit.len() - TOLD));
    }
    reasons.join("; ")
}

impl Chosen {
    pub fn count(&self) -> usize {
        1 + self.others.len()
    }

    fn all(&self) -> impl Iterator<Item = &Target> {
        [&self.first].into_iter().chain(&self.others)
    }

    /// For the plan: who is left out and why.
    pub fn warnings(&self) -> Vec<String> {
        self.unfit.iter().map(|(host, why)| format!("host {host} is left out: {why}")).collect()
    }

    /// Host by host, the same for each. Of one host the steps tell it all.
    pub fn effects(&self, effect: &str, what: &str) -> Vec<v1::PlanHost> {
        let row = |target: &Target| v1::PlanHost {
            host: target.host.to_string(),
            effect: effect.to_owned(),
            what: what.to_owned(),
        };
        if self.others.is_empty() { Vec::new() } else { self.all().map(row).collect() }
    }

    /// How steps speak of the host, and of its volume.
    pub fn words(&self, volume_name: &str) -> (String, String) {
        match self.others.is_empty() {
            true => (self.first.host.to_string(), volume_name.to_owned()),
            false => ("each host".to_owned(), "its volume".to_owned()),
        }
    }

    /// What is done: on one host the thing itself, on several a run for each.
    pub fn procedure(self, template: Template, limits: Limits) -> AnyProcedure {
        if self.others.is_empty() {
            return match template {
                Template::Provision(params) => AnyProcedure::Provision(params),
                Template::CloneVolume(params) => AnyProcedure::CloneVolume(params),
            };
        }
        let targets: Vec<Target> = self.all().cloned().collect();
        AnyProcedure::Rollout(Rollout { template, targets, limits })
    }
}

/// How careful a rollout over so many hosts is to be, from what was asked for.
pub fn limits(asked: Option<&v1::RolloutLimits>) -> Limits {
    let asked = asked.copied().unwrap_or_default();
    Limits {
        canary: asked.canary,
        batch: asked.batch,
        batch_percent: asked.batch_percent,
        max_failures: asked.max_failures,
    }
}
