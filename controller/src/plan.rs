//! What a run would do, computed from the catalog alone: no clock, no I/O, nothing touched.
//!
//! A plan that comes back without an error is not yet allowed: before a run begins the agents are asked, and the run's own
//! first step looks once more.

use sanfleet_driver::PortType;
use sanfleet_protocol::{ArrayId, HostId, Initiator, Layers, MountPoint, RunId, VolumeId, size, v1};

pub use attachment::Which;
pub use fleet::{Chosen, Occupied, limits};
pub use identity::{AsPlanned, sealed};
pub use volume::Source;
pub use writers::refuse_second_writer;

use crate::{
    catalog::{ArrayRecord, Catalog, HostRecord, Inventory},
    matching::{Identity, VolumeRef},
    runs::{Procedure, Step},
};

pub mod adopt;
pub mod attachment;
pub mod backup_attach;
pub mod backup_detach;
pub mod clone_volume;
mod fleet;
pub mod host_retire;
mod identity;
pub mod provision;
#[cfg(test)]
mod tests;
mod volume;
pub mod volume_delete;
pub mod volume_detach;
pub mod volume_move;
pub mod volume_resize;
mod writers;

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
    #[error(
        "{host}:{at} is on device {device}, which is no volume of the arrays that were listed so far; not yet: {}",
        unlisted.join(", ")
    )]
    NotListed { host: HostId, at: MountPoint, device: String, unlisted: Vec<String> },
    #[error("{host}:{at} is {layers} of its volume: that can be copied, and nothing else is done with it")]
    Layered { host: HostId, at: MountPoint, layers: Layers },
    #[error("volume {volume} holds {found} and not a file system")]
    NoFileSystem { volume: String, found: String },
    #[error("{host}:{at} is on device {device}, whose id several volumes claim: {}", claimants.join(", "))]
    Ambiguous { host: HostId, at: MountPoint, device: String, claimants: Vec<String> },
    #[error("two machines report and are commanded as host {host}")]
    TwoMachines { host: HostId },
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
    #[error("attachment {id} was not made by copying, and its volume would be deleted: it is {what}'s")]
    NoCopy { id: String, what: String },
    #[error("no host that has reported is {selector}")]
    NoHosts { selector: String },
    #[error("{unfit} of {all} hosts cannot take part: {why}")]
    Unfit { unfit: usize, all: usize, why: String },
    #[error("no array is named {array}")]
    UnknownArray { array: ArrayId },
    #[error("no array is known")]
    NoArrays,
    #[error("array {array} has no volume {volume:?}")]
    UnknownVolume { array: ArrayId, volume: String },
    #[error("array {array}: {fits} volumes are named {volume:?}")]
    SeveralVolumes { array: ArrayId, volume: String, fits: usize },
    #[error("array {array} has no pool {pool:?} that holds volumes")]
    UnknownPool { array: ArrayId, pool: String },
    #[error("no pool has {} free: the largest is {largest}", size::shown(*needed))]
    NoSpace { needed: u64, largest: String },
    #[error("{} are too few for a file system: at least {}", size::shown(*size_bytes), size::shown(*least))]
    TooSmall { size_bytes: u64, least: u64 },
    #[error("array {array} gives volume {volume} no id that a host could see")]
    NoVolumeId { array: ArrayId, volume: String },
    #[error(
        "no host has reported an xfs, ext4 or btrfs on volume {volume}, and a persistent mount goes by a UUID of its own"
    )]
    NothingToPersist { volume: String },
    #[error("a mount of {layers} is not made to come back at every start of its host")]
    LayeredPersist { layers: Layers },
    #[error("volume {volume} is used: {}", users.join("; "))]
    VolumeUsed { volume: String, users: Vec<String> },
    #[error("volume {volume} has {}, and is never made smaller: {} were asked for", size::shown(*now), size::shown(*wanted))]
    Shrinks { volume: String, now: u64, wanted: u64 },
    #[error("host {host} is cordoned")]
    Cordoned { host: HostId },
    #[error("volume {volume} is not masked to {initiator} of host {host}")]
    NotMasked { volume: String, host: HostId, initiator: Initiator },
    #[error("host {host} has volumes that no attachment accounts for: {}", what.join(", "))]
    NotAccounted { host: HostId, what: Vec<String> },
    #[error("volume {volume} would be written to by host {host} too: it is mounted read-write at {}", by.join(", "))]
    SecondWriter { volume: VolumeId, host: HostId, by: Vec<String> },
    #[error("{what} is named twice")]
    Twice { what: String },
    #[error("{wanted} volumes are more than the {most} that one run copies together")]
    TooMany { wanted: usize, most: usize },
    #[error("copies of several volumes are of one moment only when they are held still together")]
    NotHeldTogether,
    #[error("the world has moved since the plan was made: it would be another one now")]
    Moved,
    #[error("the plan was made more than a day ago")]
    Stale,
    #[error("run {run} was made of this plan already")]
    DoneAlready { run: RunId },
}

impl PlanError {
    pub fn kind(&self) -> v1::api_error::Kind {
        use v1::api_error::Kind;
        match self {
            Self::UnknownHost { .. }
            | Self::NothingMounted { .. }
            | Self::NoAttachment { .. }
            | Self::NoHosts { .. }
            | Self::UnknownArray { .. }
            | Self::NoArrays
            | Self::UnknownVolume { .. }
            | Self::UnknownPool { .. } => Kind::NotFound,
            Self::HostOffline { .. } | Self::ArrayUnreachable { .. } | Self::NotListed { .. } => {
                Kind::Unavailable
            }
            Self::NotOnArray { .. }
            | Self::SameHost { .. }
            | Self::BadName { .. }
            | Self::DeadMan { .. }
            | Self::SeveralVolumes { .. }
            | Self::NoVolumeId { .. }
            | Self::NoCopy { .. }
            | Self::NothingToPersist { .. }
            | Self::Layered { .. }
            | Self::LayeredPersist { .. }
            | Self::NoFileSystem { .. }
            | Self::Twice { .. }
            | Self::TooMany { .. }
            | Self::NotHeldTogether
            | Self::Shrinks { .. }
            | Self::TooSmall { .. } => Kind::Invalid,
            Self::Ambiguous { .. }
            | Self::NameTaken { .. }
            | Self::NoFabric { .. }
            | Self::SharedInitiator { .. }
            | Self::TargetTaken { .. }
            | Self::RunUnderWay { .. }
            | Self::Unfit { .. }
            | Self::NoSpace { .. }
            | Self::NotAccounted { .. }
            | Self::NotMasked { .. }
            | Self::Cordoned { .. }
            | Self::TwoMachines { .. }
            | Self::VolumeUsed { .. }
            | Self::SecondWriter { .. }
            | Self::Moved
            | Self::Stale
            | Self::DoneAlready { .. } => Kind::Conflict,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::UnknownHost { .. } => "`sanfleet host list` shows the hosts that have reported",
            Self::HostOffline { .. } => {
                "start sanfleet-agent.service there, or see in its log why it cannot reach the bus"
            }
            Self::NothingMounted { .. } => "`sanfleet map HOST` shows what is mounted from arrays",
            Self::NotOnArray { .. } => {
                "only volumes of arrays can be copied; `sanfleet array list` shows the arrays, `sanfleet array add` adds one"
            }
            Self::NotListed { .. } => {
                "try again in a moment; `sanfleet array list` shows which arrays were listed, and why others were not"
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
            Self::NoCopy { .. } => "only copies are taken down with all that is on them",
            Self::LayeredPersist { .. } => "leave out --persist",
            Self::Layered { .. } => "use the volume's own name, and see to what lies between by hand",
            Self::NoFileSystem { .. } => {
                "name it by HOST:MOUNT-POINT, so that it is known what to look for on the copy"
            }
            Self::NothingToPersist { .. } => "leave out --persist, or let a host see the volume first",
            Self::NoHosts { .. } => "`sanfleet host list` shows the hosts that have reported",
            Self::Unfit { .. } => "put that right, choose others, or leave them out with --skip-unfit",
            Self::UnknownArray { .. } | Self::NoArrays => {
                "`sanfleet array list` shows the arrays, `sanfleet array add` adds one"
            }
            Self::UnknownVolume { .. } | Self::SeveralVolumes { .. } | Self::NoVolumeId { .. } => {
                "`sanfleet volume list` shows the volumes with their ids"
            }
            Self::UnknownPool { .. } => "`sanfleet array show` lists the pools",
            Self::NoSpace { .. } => {
                "`sanfleet array show` lists the pools; --thin takes space only when it is written to"
            }
            Self::SecondWriter { .. } => "unmount it there first; no two hosts may write to one volume",
            Self::TooSmall { .. } => "choose a larger --size",
            Self::VolumeUsed { .. } => {
                "`sanfleet volume detach` takes an attachment down and keeps the volume"
            }
            Self::Shrinks { .. } => "choose a --size that is larger",
            Self::TwoMachines { .. } => "`sanfleet doctor` says what to do",
            Self::Cordoned { .. } => "nothing new is put there until `sanfleet host uncordon`",
            Self::NotMasked { .. } => {
                "`sanfleet host show` lists a host's initiators, `sanfleet volume list` who sees what"
            }
            Self::NotAccounted { .. } => {
                "`sanfleet adopt` takes what is mounted into account; the rest is taken down by hand"
            }
            Self::Twice { .. } | Self::TooMany { .. } => {
                "each --also names another mount point of the source, and another one on the target"
            }
            Self::NotHeldTogether => "choose another --quiesce than none",
            Self::Moved | Self::Stale => "look at the new plan with --dry-run",
            Self::DoneAlready { .. } => "`sanfleet run show` tells what became of it",
        }
    }
}

/// The host, when it is there and its agent is, with what it reported.
fn online<'a>(catalog: &'a Catalog, host: &HostId) -> Result<&'a Inventory, PlanError> {
    let record: &HostRecord =
        catalog.host(host).ok_or_else(|| PlanError::UnknownHost { host: host.clone() })?;
    match &record.inventory {
        Some(_) if record.starts.twins().is_some() => Err(PlanError::TwoMachines { host: host.clone() }),
        Some(inventory) if record.online => Ok(inventory),
        _ => Err(PlanError::HostOffline { host: host.clone() }),
    }
}

/// The host, when something may be put there.
fn open_to_new<'a>(catalog: &'a Catalog, host: &HostId) -> Result<&'a Inventory, PlanError> {
    match catalog.host(host) {
        Some(record) if record.notes.cordoned => Err(PlanError::Cordoned { host: host.clone() }),
        _ => online(catalog, host),
    }
}

/// What is mounted somewhere.
struct Found<'a> {
    volume: &'a VolumeRef,
    /// What lies between the volume and its file system.
    layers: Layers,
    file_system: v1::FileSystem,
}

/// What is mounted there.
fn found_at<'a>(
    catalog: &'a Catalog,
    host: &HostId,
    inventory: &Inventory,
    at: &MountPoint,
) -> Result<Found<'a>, PlanError> {
    let (device, _) = inventory
        .mounted_at(at)
        .ok_or_else(|| PlanError::NothingMounted { host: host.clone(), at: at.clone() })?;
    let (layers, disk) = inventory.down(device);
    let file_system = device.file_system.clone().unwrap_or_default();
    let (host, at, name) = (host.clone(), at.clone(), disk.name.clone());
    match catalog.identify(&host, &disk.name) {
        Identity::Volume(volume) => Ok(Found { volume, layers, file_system }),
        Identity::Unknown => {
            // Of a controller that has just started, or of an array that has not answered yet.
            let unlisted: Vec<String> = catalog
                .arrays()
                .filter(|array| array.state.is_none())
                .map(|array| array.name.to_string())
                .collect();
            Err(match unlisted.is_empty() {
                true => PlanError::NotOnArray { host, at, device: name },
                false => PlanError::NotListed { host, at, device: name, unlisted },
            })
        }
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
    let fabrics: &[&str] = if array.is_simulated() { &["loop"] } else { &["iscsi", "fc"] };
    let way = fabrics.iter().copied().filter(|fabric| is_on(array, fabric)).find_map(|fabric| {
        let offered = inventory.report.fabrics.iter().any(|known| known == fabric);
        let initiator = inventory.initiators.iter().find(|initiator| fits(fabric, initiator));
        initiator.filter(|_| offered).map(|initiator| (fabric, initiator))
    });
    let Some((fabric, initiator)) = way else {
        return Err(PlanError::NoFabric { host: host.clone(), array: array.name.clone() });
    };
    let others: Vec<String> =
        catalog.owners(initiator).filter(|owner| *owner != host).map(ToString::to_string).collect();
    if !others.is_empty() {
        return Err(PlanError::SharedInitiator { host: host.clone(), initiator: initiator.clone(), others });
    }
    Ok((fabric.to_owned(), initiator.clone()))
}

/// Whether the array has a port there. One that tells of no ports at all is tried over iSCSI, as the agent then says what is missing.
fn is_on(array: &ArrayRecord, fabric: &str) -> bool {
    let ports = || array.state.iter().flat_map(|state| &state.facts.target_ports);
    match fabric {
        "fc" => ports().any(|port| matches!(port.port_type, PortType::FC | PortType::FCOE)),
        "iscsi" => ports().next().is_none() || ports().any(|port| port.port_type == PortType::ISCSI),
        _ => true,
    }
}

fn fits(fabric: &str, initiator: &Initiator) -> bool {
    match initiator {
        Initiator::Iqn(_) | Initiator::Eui(_) | Initiator::Naa(_) => matches!(fabric, "loop" | "iscsi"),
        Initiator::Wwpn(_) => matches!(fabric, "loop" | "fc"),
        Initiator::Nqn(_) => fabric == "loop",
    }
}

/// The array, when it answers.
fn reachable(array: &ArrayRecord) -> Result<&ArrayRecord, PlanError> {
    let unreachable =
        |why: &str| PlanError::ArrayUnreachable { array: array.name.clone(), why: why.to_owned() };
    match (&array.error, &array.state) {
        (Some(error), _) => Err(unreachable(error)),
        (None, None) => Err(unreachable("it was not listed yet")),
        (None, Some(_)) => Ok(array),
    }
}

/// What a run's volumes are named by. It ends in digits of the run's id: nobody else has a volume of that name, so that what
/// is found under it is the run's own.
fn volume_prefix(wanted: Option<&str>, run: RunId) -> Result<String, PlanError> {
    /// With the run's digits and the place of a host in a rollout it is 63 characters, which every array takes.
    const LONGEST: usize = 40;
    let name = wanted.unwrap_or("sanfleet");
    let bad = |why| Err(PlanError::BadName { name: name.chars().take(80).collect(), why });
    if name.is_empty() || name.len() > LONGEST {
        return bad("must have 1 to 40 characters");
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return bad("holds a character that not every array takes");
    }
    Ok(format!("{name}-{}", run.short()))
}

fn simulated(array: &ArrayId, fabric: &str) -> Option<String> {
    let is = fabric == "loop";
    is.then(|| format!("array {array} is simulated: its fabric is loop devices of one machine"))
}

/// What is mounted of a copy.
fn of_copy(layers: &Layers, name: &str) -> String {
    match layers.is_none() {
        true => name.to_owned(),
        false => format!("{layers} of {name}"),
    }
}

/// How a copy is found.
fn found_on(layers: &Layers, name: &str, fabric: &str) -> String {
    let found = format!("find {name} on fabric {fabric}");
    match layers.is_none() {
        true => found,
        false => format!("{found}, give what is on it ids of its own"),
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
