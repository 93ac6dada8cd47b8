//! What a run would do, computed from the catalog alone: no clock, no I/O, nothing touched.
//!
//! A plan that comes back without an error is not yet allowed: before a run begins the agents are asked, and the run's own
//! first step looks once more.

use sanfleet_protocol::{ArrayId, HostId, Initiator, MountPoint, RunId, v1};

use crate::{
    catalog::{ArrayRecord, Catalog, HostRecord, Inventory},
    matching::{Identity, VolumeRef},
    runs::{Procedure, Step},
};

pub mod backup_attach;
pub mod backup_detach;
#[cfg(test)]
mod tests;

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("no host is named {host}")]
    UnknownHost { host: HostId },
    #[error("host {host} is offline")]
    HostOffline { host: HostId },
    #[error("nothing is mounted at {host}:{at}")]
    NothingMounted { host: HostId, at: MountPoint },
    #[error("{host}:{at} is on device {device}, which is no volume of a known array")]
    NotOnArray { host: HostId, at: MountPoint, device: String },
    #[error("{host}:{at} is on device {device}, whose id several volumes claim: {}", claimants.join(", "))]
    Ambiguous { host: HostId, at: MountPoint, device: String, claimants: Vec<String> },
    #[error("source and target are both host {host}")]
    SameHost { host: HostId },
    #[error("array {array} cannot be reached: {why}")]
    ArrayUnreachable { array: ArrayId, why: String },
    #[error("array {array} already has a volume named {name:?}")]
    NameTaken { array: ArrayId, name: String },
    #[error("volume name {name:?} {why}")]
    BadName { name: String, why: &'static str },
    #[error("host {host} has no fabric over which array {array} can be reached")]
    NoFabric { host: HostId, array: ArrayId },
    #[error("initiator {initiator} of host {host} is also claimed by {}", others.join(", "))]
    SharedInitiator { host: HostId, initiator: Initiator, others: Vec<String> },
    #[error("{host}:{at} is used by {by}")]
    TargetTaken { host: HostId, at: MountPoint, by: String },
    #[error("run {run} is working on {host}:{at}")]
    RunUnderWay { run: RunId, host: HostId, at: MountPoint },
    #[error("dead-man's limit of {ms} ms is not between {min} and {max} ms")]
    DeadMan { ms: u32, min: u32, max: u32 },
    #[error("no attachment is {what}")]
    NoAttachment { what: String },
}

impl PlanError {
    pub fn kind(&self) -> v1::api_error::Kind {
        use v1::api_error::Kind;
        match self {
            Self::UnknownHost { .. } | Self::NothingMounted { .. } | Self::NoAttachment { .. } => {
                Kind::NotFound
            }
            Self::HostOffline { .. } | Self::ArrayUnreachable { .. } => Kind::Unavailable,
            Self::NotOnArray { .. } | Self::SameHost { .. } | Self::BadName { .. } | Self::DeadMan { .. } => {
                Kind::Invalid
            }
            Self::Ambiguous { .. }
            | Self::NameTaken { .. }
            | Self::NoFabric { .. }
            | Self::SharedInitiator { .. }
            | Self::TargetTaken { .. }
            | Self::RunUnderWay { .. } => Kind::Conflict,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::UnknownHost { .. } => "`sanfleet host list` shows the hosts that have reported",
            Self::HostOffline { .. } => "start sanfleet-agent there, or see why it cannot reach the bus",
            Self::NothingMounted { .. } => "`sanfleet map HOST` shows what is mounted from arrays",
            Self::NotOnArray { .. } => {
                "only volumes of arrays can be copied; `sanfleet array list` shows the arrays, `sanfleet array add` adds one"
            }
            Self::Ambiguous { .. } => {
                "one of the arrays has a wrong or a duplicate volume id; it must be put right there"
            }
            Self::SameHost { .. } => "choose another host with --to",
            Self::ArrayUnreachable { .. } => "`sanfleet array list` shows why",
            Self::NameTaken { .. } => "choose another name with --name",
            Self::BadName { .. } => "use letters, digits, '-' and '_', at most 63",
            Self::NoFabric { .. } => "`sanfleet host show` lists a host's fabrics and initiators",
            Self::SharedInitiator { .. } => {
                "one of these machines is a clone; give it an initiator name of its own"
            }
            Self::TargetTaken { .. } => "choose another directory with --mount, or detach what is there",
            Self::RunUnderWay { .. } => "`sanfleet run watch` shows how far it is",
            Self::DeadMan { .. } => "it bounds how long the application may be held still",
            Self::NoAttachment { .. } => "`sanfleet backup list` shows the attachments",
        }
    }
}

/// The host, when it is there and its agent is, with what it reported.
fn online<'a>(catalog: &'a Catalog, host: &HostId) -> Result<&'a Inventory, PlanError> {
    let record: &HostRecord =
        catalog.host(host).ok_or_else(|| PlanError::UnknownHost { host: host.clone() })?;
    match &record.inventory {
        Some(inventory) if record.online => Ok(inventory),
        _ => Err(PlanError::HostOffline { host: host.clone() }),
    }
}

/// The volume that is mounted there.
fn volume_at<'a>(
    catalog: &'a Catalog,
    host: &HostId,
    inventory: &Inventory,
    at: &MountPoint,
) -> Result<&'a VolumeRef, PlanError> {
    let (device, _) = inventory
        .mounted_at(at)
        .ok_or_else(|| PlanError::NothingMounted { host: host.clone(), at: at.clone() })?;
    let (host, at, name) = (host.clone(), at.clone(), device.name.clone());
    match catalog.identify(&host, &device.name) {
        Identity::Volume(volume) => Ok(volume),
        Identity::Unknown => Err(PlanError::NotOnArray { host, at, device: name }),
        Identity::Ambiguous(all) => {
            let claimants = all.iter().map(ToString::to_string).collect();
            Err(PlanError::Ambiguous { host, at, device: name, claimants })
        }
    }
}

/// How a host reaches an array, and the initiator id by which that array knows it.
fn way_to(
    catalog: &Catalog,
    host: &HostId,
    inventory: &Inventory,
    array: &ArrayRecord,
) -> Result<(String, Initiator), PlanError> {
    let fabric = if array.is_simulated() { "loop" } else { "iscsi" };
    let offered = inventory.report.fabrics.iter().any(|known| known == fabric);
    let initiator = inventory.initiators.iter().find(|initiator| fits(fabric, initiator));
    let (true, Some(initiator)) = (offered, initiator) else {
        return Err(PlanError::NoFabric { host: host.clone(), array: array.name.clone() });
    };
    let others: Vec<String> = catalog
        .owners(initiator)
        .into_iter()
        .filter(|owner| *owner != host)
        .map(ToString::to_string)
        .collect();
    if !others.is_empty() {
        return Err(PlanError::SharedInitiator { host: host.clone(), initiator: initiator.clone(), others });
    }
    Ok((fabric.to_owned(), initiator.clone()))
}

fn fits(fabric: &str, initiator: &Initiator) -> bool {
    match initiator {
        Initiator::Iqn(_) | Initiator::Eui(_) | Initiator::Naa(_) => true,
        Initiator::Wwpn(_) | Initiator::Nqn(_) => fabric == "loop",
    }
}

/// A step of the table with what it would do to what.
fn planned<P: Procedure>(step: &Step<P>, effect: &str, on: impl ToString, what: String) -> v1::PlanStep {
    v1::PlanStep {
        name: step.name.to_owned(),
        effect: effect.to_owned(),
        on: on.to_string(),
        what,
        undo: step.undo_text().to_owned(),
    }
}
