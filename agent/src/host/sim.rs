//! A host in memory: the twin of the real one, for tests and for fleets of simulated agents.
//!
//! Its devices can be late, wrong, doubled, gone, or silent until they are released. It does what it is told and no more:
//! it does not verify on the caller's behalf, because that is what is tested with it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use sanfleet_protocol::{FileSystemId, FileSystemKind, Initiator, Layers, LvmName, MountPoint, VolumeId, v1};

use super::{
    Changed, Host, HostError, MountEntry, MountOptions, NewFileSystem, OpenDevice, PersistentMount,
    SysDevice, Usage,
};
use crate::{blank::BlankDevice, deadline::Deadline, fabric::Wanted, verify::VerifiedDevice};

mod acts;
mod device;
mod guard;
mod layers;
mod world;

pub use device::SimDevice;
use device::SimOpenDevice;
pub use guard::SimGuards;
pub use world::Supply;
use world::World;

/// A way to touch a device, each of which can be made to hang.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SimCall {
    Open,
    Identify,
    /// Any reading of its content, and mounting it.
    Read,
}

/// A handle on a simulated host: its clones are the same host.
#[derive(Debug, Clone)]
pub struct SimHost {
    world: Arc<World>,
}

/// What a simulated host is made of.
#[derive(Debug, Default)]
pub struct SimHostBuilder {
    initiators: Vec<Initiator>,
    fabrics: Vec<(String, Supply)>,
    devices: Vec<SimDevice>,
    facts: v1::HostFacts,
}

impl SimHostBuilder {
    pub fn hostname(mut self, name: &str) -> Self {
        self.facts.hostname = name.to_owned();
        self
    }

    pub fn initiator(mut self, initiator: Initiator) -> Self {
        self.initiators.push(initiator);
        self
    }

    /// A fabric on which nothing is found but what is [`SimHost::offer`]ed.
    pub fn fabric(self, name: &str) -> Self {
        self.fabric_with(name, Supply::default())
    }

    /// A fabric on which a rescan finds what the supply has for it.
    pub fn fabric_with(mut self, name: &str, supply: Supply) -> Self {
        self.fabrics.push((name.to_owned(), supply));
        self
    }

    pub fn device(mut self, device: SimDevice) -> Self {
        self.devices.push(device);
        self
    }

    pub fn devices(mut self, devices: impl IntoIterator<Item = SimDevice>) -> Self {
        self.devices.extend(devices);
        self
    }

    pub fn build(self) -> SimHost {
        let facts = v1::HostFacts {
            os_name: "Simulated".to_owned(),
            os_version: "1".to_owned(),
            kernel: "6.1.0-sim".to_owned(),
            architecture: std::env::consts::ARCH.to_owned(),
            cpus: 2,
            memory_bytes: 4 << 30,
            ..self.facts
        };
        let host = SimHost { world: Arc::new(World::new(facts, self.fabrics)) };
        host.set_initiators(self.initiators);
        for device in self.devices {
            host.add_device(device);
        }
        host
    }
}

/// What is done to the host from outside.
impl SimHost {
    pub fn builder() -> SimHostBuilder {
        SimHostBuilder::default()
    }

    /// A device appears: at once, or later if it was made [`SimDevice::late`].
    pub fn add_device(&self, device: SimDevice) {
        self.world.change(|state| state.add(device));
    }

    /// A device is gone, without a word before; what has it open gets errors from now on.
    pub fn remove_device(&self, name: &str) {
        self.world.change(|state| state.remove(name));
    }

    /// A second device with the same ids, that is no path of a multipath map.
    pub fn double(&self, name: &str, second: &str) {
        self.world.change(|state| {
            let double = state.device(name).map(|device| device.clone().named(second));
            double.into_iter().for_each(|device| state.add(device));
        });
    }

    /// What the device really is from now on. Its cached ids stay: this is a LUN number used again, and no uevent tells of it.
    pub fn set_true_ids(&self, name: &str, ids: Vec<VolumeId>) {
        self.world.alter(|state| {
            state.device_mut(name).into_iter().for_each(|device| device.true_ids = ids.clone());
        });
    }

    /// The array gives it another size, which nobody here notices until the size is read again. Of a map's paths each has to
    /// be told: one that is not shows its old size for ever.
    pub fn resize(&self, name: &str, bytes: u64) {
        self.world.alter(|state| {
            state.device_mut(name).into_iter().for_each(|device| device.true_bytes = bytes);
        });
    }

    /// How large the file system on the device is, whoever looks.
    pub fn file_system_bytes(&self, name: &str) -> Option<u64> {
        self.world.look(|state| {
            let device = state.device(name)?;
            device.file_system.as_ref().map(|_| device.file_system_bytes)
        })
    }

    /// Every such call on the device blocks until it is released.
    pub fn hang(&self, name: &str, call: SimCall) {
        self.world.alter(|state| {
            state.hanging.insert((name.to_owned(), call));
        });
    }

    pub fn release(&self, name: &str, call: SimCall) {
        self.world.alter(|state| {
            state.hanging.remove(&(name.to_owned(), call));
        });
    }

    pub fn release_all(&self) {
        self.world.alter(|state| state.hanging.clear());
    }

    /// Every such call on the device is an error from now on.
    pub fn break_device(&self, name: &str, call: SimCall) {
        self.world.alter(|state| {
            state.broken.insert((name.to_owned(), call));
        });
    }

    /// How often the device was touched in this way, answered or not.
    pub fn calls(&self, name: &str, call: SimCall) -> u32 {
        self.world.look(|state| state.calls.get(&(name.to_owned(), call)).copied().unwrap_or_default())
    }

    /// The volume can be reached over the fabric: a rescan for one of its true ids makes the device appear.
    pub fn offer(&self, fabric: &str, device: SimDevice) {
        self.world.alter(|state| state.offers.push(device.on_fabric(fabric)));
    }

    /// The volume is no longer offered. A device that has appeared stays, as a stale one.
    pub fn withdraw(&self, volume: &VolumeId) {
        self.world.alter(|state| state.offers.retain(|offer| !offer.true_ids.contains(volume)));
    }

    /// The array takes the unit behind the device away. The kernel keeps the device, and what it cached of it.
    pub fn unmap(&self, name: &str) {
        self.world.alter(|state| {
            state.device_mut(name).into_iter().for_each(|device| device.unmapped = true);
        });
    }

    pub fn set_mounts(&self, mounts: Vec<MountEntry>) {
        self.world.change(|state| state.mounts = mounts);
    }

    /// Mounts a device by name, as somebody other than the agent would.
    pub fn mount_by_hand(&self, name: &str, at: &str) {
        self.world.change(|state| {
            let entry = state.device(name).map(|device| device.mounted_at(at, false));
            state.mounts.extend(entry);
        });
    }

    /// Somebody uses what is mounted there: it cannot be unmounted.
    pub fn make_busy(&self, at: &str, by: &str) {
        self.world.alter(|state| {
            state.busy.insert(PathBuf::from(at), by.to_owned());
        });
    }

    pub fn make_idle(&self, at: &str) {
        self.world.alter(|state| {
            state.busy.remove(&PathBuf::from(at));
        });
    }

    /// A directory with something in it: nothing can be mounted there.
    pub fn occupy(&self, at: &str) {
        self.world.alter(|state| {
            state.occupied.insert(PathBuf::from(at));
        });
    }

    /// Somebody else has written down a mount there.
    pub fn claim_unit(&self, at: &MountPoint) {
        self.world.alter(|state| state.persistent.insert(at.clone(), None));
    }

    pub fn set_initiators(&self, initiators: Vec<Initiator>) {
        self.world.change(|state| state.initiators = initiators);
    }

    /// Says that something changed though nothing has.
    pub fn false_alarm(&self) {
        self.world.change(|_| ());
    }
}

impl Host for SimHost {
    fn boot_id(&self) -> String {
        "00000000-0000-4000-8000-000000000001".to_owned()
    }

    fn facts(&self) -> v1::HostFacts {
        self.world.facts.clone()
    }

    fn initiators(&self) -> Vec<Initiator> {
        self.world.look(|state| state.initiators.clone())
    }

    fn fabrics(&self) -> Vec<String> {
        self.world.fabrics.iter().map(|(name, _)| name.clone()).collect()
    }

    fn devices(&self) -> Result<Vec<SysDevice>, HostError> {
        Ok(self.world.alter(world::State::list))
    }

    fn mounts(&self) -> Result<Vec<MountEntry>, HostError> {
        Ok(self.world.look(|state| state.mounts.clone()))
    }

    fn wait_for_change(&self, at_most: Duration) -> Result<Option<Changed>, HostError> {
        Ok(self.world.wait_for_change(at_most))
    }

    fn open(&self, device: &SysDevice) -> Result<Box<dyn OpenDevice>, HostError> {
        let open = SimOpenDevice::new(Arc::clone(&self.world), device);
        open.reach(SimCall::Open)?;
        Ok(Box::new(open))
    }

    fn rescan(&self, fabric: &str, wanted: Wanted<'_>, _: Deadline) -> Result<bool, HostError> {
        acts::rescan(&self.world, fabric, wanted.volume)
    }

    fn detach(&self, device: VerifiedDevice, _: Deadline) -> Result<(), HostError> {
        acts::detach(&self.world, device.number())
    }

    fn drop_unmapped(&self, volume: &VolumeId, _: Deadline) -> Result<bool, HostError> {
        acts::drop_unmapped(&self.world, volume)
    }

    fn physical_volumes(&self, group: &LvmName, _: Deadline) -> Result<u32, HostError> {
        self.world.look(|state| layers::physical_volumes(state, group))
    }

    fn open_layers(&self, copy: &VerifiedDevice, of_source: &Layers, _: Deadline) -> Result<bool, HostError> {
        self.world.change(|state| layers::open(state, copy.number(), copy.volume(), of_source))
    }

    fn close_layers(&self, copy: &VerifiedDevice, _: Deadline) -> Result<bool, HostError> {
        self.world.change(|state| layers::close(state, copy.volume()))
    }

    fn make_file_system(
        &self,
        device: &BlankDevice<'_>,
        wanted: &NewFileSystem,
        _: Deadline,
    ) -> Result<(), HostError> {
        acts::make_file_system(&self.world, device.number(), wanted)
    }

    fn set_file_system_id(
        &self,
        device: &VerifiedDevice,
        kind: FileSystemKind,
        id: FileSystemId,
        _: Deadline,
    ) -> Result<(), HostError> {
        acts::set_file_system_id(&self.world, device.number(), kind, id)
    }

    fn reread_size(&self, device: &VerifiedDevice) -> Result<(), HostError> {
        let paths = device.paths().iter().map(|path| path.number());
        self.world
            .change(|state| paths.chain([device.number()]).for_each(|path| acts::reread_size(state, path)));
        Ok(())
    }

    fn resize_map(&self, device: &VerifiedDevice, _: Deadline) -> Result<(), HostError> {
        self.world.change(|state| acts::resize_map(state, device.number()))
    }

    fn grow_file_system(&self, device: &VerifiedDevice, at: &MountPoint) -> Result<(), HostError> {
        self.world.change(|state| acts::grow_file_system(state, device.number(), at))
    }

    fn check_mount_point(&self, at: &MountPoint) -> Result<(), HostError> {
        self.world.look(|state| acts::check_mount_point(state, at))
    }

    fn mount(
        &self,
        device: &VerifiedDevice,
        at: &MountPoint,
        options: &MountOptions,
    ) -> Result<(), HostError> {
        // Mounting reads the device, so that it hangs where reading hangs.
        let found = device.device().file_system()?;
        acts::mount(&self.world, device.number(), found, at, options)
    }

    fn unmount(&self, at: &MountPoint) -> Result<(), HostError> {
        acts::unmount(&self.world, at)
    }

    fn persist_mount(
        &self,
        _: &VerifiedDevice,
        at: &MountPoint,
        mount: &PersistentMount,
        _: Deadline,
    ) -> Result<bool, HostError> {
        self.world.alter(|state| acts::persist_mount(state, at, mount))
    }

    fn forget_mount(&self, at: &MountPoint, _: Deadline) -> Result<bool, HostError> {
        self.world.alter(|state| acts::forget_mount(state, at))
    }

    fn usage(&self, at: &MountPoint) -> Result<Usage, HostError> {
        self.world.look(|state| acts::usage(state, at))
    }

    fn sync_file_system(&self, at: &MountPoint) -> Result<(), HostError> {
        self.world.look(|state| acts::mounted_there(state, at).map(|_| ()))
    }
}

#[cfg(test)]
mod tests;
