//! A consistent picture of the host: devices, mounts, and what each device holds.
//!
//! sysfs and mountinfo come first and cannot hang. Only then are the devices themselves asked, each with a deadline, so that
//! one dead device costs the picture that deadline once and takes nothing else with it.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use sanfleet_protocol::{
    Initiator,
    v1::{self, DeviceKind},
};

use crate::host::{FileSystem, Host, HostError, MountEntry, SysDevice, Usage};

mod probe;
pub mod superblock;

use probe::{DeviceKey, Prober, Question};

/// How devices are asked.
#[derive(Debug, Clone, Copy)]
pub struct ProbeLimits {
    /// A device that has not answered by then is reported as unreadable.
    pub deadline: Duration,
    /// A device that has not answered by then no longer keeps another one from being asked.
    pub patience: Duration,
    /// Devices asked at the same time, not counting those that used up our patience, of which there may be three times as many.
    pub workers: usize,
    /// Most threads that are left behind in devices that never answer.
    pub left_behind: usize,
}

impl Default for ProbeLimits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(1),
            patience: Duration::from_millis(50),
            workers: 16,
            left_behind: 256,
        }
    }
}

/// What was on a device, or why it is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Not asked, because the answer would mean nothing: see [`Beneath::worth_probing`].
    NotAsked,
    Nothing,
    /// And how full it is, where it is mounted.
    FileSystem(FileSystem, Option<Usage>),
    Unreadable(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub sys: SysDevice,
    pub content: Content,
}

/// The host at one moment, in the order of device numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub boot_id: String,
    pub facts: v1::HostFacts,
    pub initiators: Vec<Initiator>,
    pub fabrics: Vec<String>,
    pub devices: Vec<Device>,
    pub mounts: Vec<MountEntry>,
}

/// Takes pictures of one host. Remembers between them which devices still owe an answer.
pub struct Discoverer {
    host: Arc<dyn Host>,
    prober: Prober,
}

impl Discoverer {
    /// `late_answer` is called, on another thread, when a device answers that was reported as unreadable: the picture is
    /// then worth taking again.
    pub fn new(host: Arc<dyn Host>, limits: ProbeLimits, late_answer: Arc<dyn Fn() + Send + Sync>) -> Self {
        let prober = Prober::new(Arc::clone(&host), limits, late_answer);
        Self { host, prober }
    }

    /// Blocks for the deadline of the probes at most, once for each device that hangs.
    pub fn snapshot(&self) -> Result<Snapshot, HostError> {
        let (devices, mounts) = settled(self.host.as_ref())?;
        let beneath = Beneath::of(&devices);
        let asked = devices.iter().filter(|device| beneath.worth_probing(device));
        let asked = asked.map(|device| Question::new(device.clone(), &mounts)).collect();
        let mut contents = self.prober.probe(asked);
        Ok(Snapshot {
            boot_id: self.host.boot_id(),
            facts: self.host.facts(),
            initiators: self.host.initiators(),
            fabrics: self.host.fabrics(),
            devices: devices.into_iter().map(|sys| with_content(sys, &mut contents)).collect(),
            mounts,
        })
    }
}

impl fmt::Debug for Discoverer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discoverer").field("prober", &self.prober).finish_non_exhaustive()
    }
}

fn with_content(sys: SysDevice, contents: &mut HashMap<DeviceKey, Content>) -> Device {
    let content = contents.remove(&DeviceKey::of(&sys)).unwrap_or(Content::NotAsked);
    Device { sys, content }
}

/// Devices and mounts that belong together: read again while the mounts change round the devices, which take longer to read, but
/// not for ever, because the change that is still under way brings a picture of its own.
fn settled(host: &dyn Host) -> Result<(Vec<SysDevice>, Vec<MountEntry>), HostError> {
    const TRIES: usize = 2;
    let mut mounts = host.mounts()?;
    let mut devices = host.devices()?;
    for _ in 1..TRIES {
        let again = host.mounts()?;
        if again == mounts {
            break;
        }
        mounts = again;
        devices = host.devices()?;
    }
    Ok((devices, mounts))
}

/// The names of devices that others are made of.
struct Beneath<'a> {
    paths: HashSet<&'a str>,
    partitioned: HashSet<&'a str>,
}

impl<'a> Beneath<'a> {
    fn of(devices: &'a [SysDevice]) -> Self {
        let maps = devices.iter().filter(|device| device.kind == DeviceKind::Multipath);
        Self {
            paths: maps.flat_map(|map| map.slaves.iter().map(String::as_str)).collect(),
            partitioned: devices.iter().filter_map(|part| part.parent.as_deref()).collect(),
        }
    }

    /// Whether a superblock on this very device would mean something.
    ///
    /// A path is not asked, because its map is, and a passive or failed path may block for minutes. A disk with partitions
    /// holds their table; a superblock in its front would be left over. An empty device has nothing to read.
    fn worth_probing(&self, device: &SysDevice) -> bool {
        let name = device.name.as_str();
        device.size_bytes > 0 && !self.paths.contains(name) && !self.partitioned.contains(name)
    }
}

#[cfg(test)]
mod tests;
