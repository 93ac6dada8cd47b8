//! The state of a simulated host, and the one lock round it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sanfleet_protocol::{HookId, Initiator, MountPoint, VolumeId, v1};

use super::{SimCall, SimDevice};
use crate::host::{Changed, DeviceNumber, MountEntry, PersistentMount, SysDevice};

#[derive(Debug)]
pub struct World {
    pub facts: v1::HostFacts,
    pub fabrics: Vec<(String, Supply)>,
    state: Mutex<State>,
    /// Rung at every change of the state: of what is visible, and of what hangs.
    altered: Condvar,
}

/// What can be reached over a fabric, beside what was offered: asked at each rescan. By default nothing.
#[derive(Clone)]
pub struct Supply(Arc<Find>);

type Find = dyn Fn(&VolumeId) -> Option<SimDevice> + Send + Sync;

impl Supply {
    pub fn new(find: impl Fn(&VolumeId) -> Option<SimDevice> + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }

    pub fn find(&self, volume: &VolumeId) -> Option<SimDevice> {
        (self.0)(volume)
    }
}

impl Default for Supply {
    fn default() -> Self {
        Self::new(|_| None)
    }
}

impl fmt::Debug for Supply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Supply")
    }
}

#[derive(Debug, Default)]
pub struct State {
    pub initiators: Vec<Initiator>,
    pub mounts: Vec<MountEntry>,
    /// What is mounted at the next start; `None` where somebody else has seen to it.
    pub persistent: BTreeMap<MountPoint, Option<PersistentMount>>,
    pub offers: Vec<SimDevice>,
    pub busy: HashMap<PathBuf, String>,
    pub occupied: HashSet<PathBuf>,
    /// Where writing waits.
    pub frozen: BTreeSet<PathBuf>,
    /// Hooks that were begun and not ended.
    pub hooked: BTreeSet<HookId>,
    pub hanging: HashSet<(String, SimCall)>,
    pub broken: HashSet<(String, SimCall)>,
    pub calls: HashMap<(String, SimCall), u32>,
    devices: Vec<SimDevice>,
    last_number: u32,
    /// Something visible has changed that nobody was told of yet.
    news: bool,
}

impl World {
    pub fn new(facts: v1::HostFacts, fabrics: Vec<(String, Supply)>) -> Self {
        Self { facts, fabrics, state: Mutex::default(), altered: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    /// Alters what the kernel would send no notice of.
    pub fn alter<T>(&self, alter: impl FnOnce(&mut State) -> T) -> T {
        let result = alter(&mut self.lock());
        self.altered.notify_all();
        result
    }

    /// Alters devices or mounts, of which the kernel sends a notice.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        self.alter(|state| {
            state.news = true;
            change(state)
        })
    }

    pub fn wait_for_change(&self, at_most: Duration) -> Option<Changed> {
        let (mut state, _) = self
            .altered
            .wait_timeout_while(self.lock(), at_most, |state| !state.news)
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut state.news).then_some(Changed)
    }

    /// Counts a call on a device, and blocks while that call hangs.
    pub fn reach(&self, name: &str, call: SimCall) {
        let key = (name.to_owned(), call);
        let mut state = self.lock();
        *state.calls.entry(key.clone()).or_default() += 1;
        let _released = self
            .altered
            .wait_while(state, |state| state.hanging.contains(&key))
            .unwrap_or_else(PoisonError::into_inner);
    }
}

impl State {
    /// What sysfs shows now. A late device comes one listing nearer.
    pub fn list(&mut self) -> Vec<SysDevice> {
        let mut shown = Vec::new();
        for device in &mut self.devices {
            match device.late.checked_sub(1) {
                Some(left) => device.late = left,
                None => shown.push(device.sys.clone()),
            }
        }
        shown.sort_by_key(|device| device.number);
        shown
    }

    /// The device gets a number and a sequence number that none has had before.
    pub fn add(&mut self, mut device: SimDevice) {
        self.last_number += 1;
        device.sys.number = DeviceNumber { major: device.major(), minor: self.last_number };
        device.sys.disk_sequence = u64::from(self.last_number);
        for slave in &mut self.devices {
            if device.sys.slaves.contains(&slave.sys.name) {
                slave.sys.holders.push(device.sys.name.clone());
            }
        }
        let partition = partition_of(&device);
        self.devices.push(device);
        partition.into_iter().for_each(|partition| self.add(partition));
    }

    pub fn remove(&mut self, name: &str) {
        self.devices.retain(|device| device.sys.name != name);
        for device in &mut self.devices {
            device.sys.holders.retain(|holder| holder != name);
        }
    }

    pub fn device(&self, name: &str) -> Option<&SimDevice> {
        self.devices.iter().find(|device| device.sys.name == name)
    }

    pub fn device_mut(&mut self, name: &str) -> Option<&mut SimDevice> {
        self.devices.iter_mut().find(|device| device.sys.name == name)
    }

    pub fn numbered(&self, number: DeviceNumber) -> Option<&SimDevice> {
        self.devices.iter().find(|device| device.sys.number == number)
    }

    pub fn numbered_mut(&mut self, number: DeviceNumber) -> Option<&mut SimDevice> {
        self.devices.iter_mut().find(|device| device.sys.number == number)
    }

    pub fn all(&self) -> impl Iterator<Item = &SimDevice> {
        self.devices.iter()
    }

    pub fn any(&self, matches: impl Fn(&SimDevice) -> bool) -> bool {
        self.devices.iter().any(matches)
    }
}

/// What the kernel finds in the table of a disk that it has just seen.
fn partition_of(disk: &SimDevice) -> Option<SimDevice> {
    let (layers, found) = disk.inside.as_ref()?;
    let number = layers.partition?;
    let part = SimDevice::partition(&format!("{}p{number}", disk.sys.name), &disk.sys.name, number.get());
    Some(match layers.lvm {
        None => part.formatted(&found.kind, &found.uuid, &found.label),
        Some(_) => part,
    })
}
