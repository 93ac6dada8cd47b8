//! A simulated device: what sysfs says of it, and what it really is.

use std::{num::NonZeroU32, path::PathBuf, sync::Arc};

use rustix::io::Errno;
use sanfleet_protocol::{Layers, LvmMap, VolumeId, v1::DeviceKind};

use super::{SimCall, World, world::State};
use crate::{
    deadline::Deadline,
    host::{DeviceNumber, FileSystem, HostError, MountEntry, OpenDevice, SysDevice},
};

#[derive(Debug, Clone)]
pub struct SimDevice {
    pub(super) sys: SysDevice,
    /// What it answers when it is asked for its ids.
    pub(super) true_ids: Vec<VolumeId>,
    /// What the array has given it, where the kernel has not asked again yet.
    pub(super) true_bytes: u64,
    pub(super) file_system: Option<FileSystem>,
    pub(super) file_system_bytes: u64,
    /// What lies between it and a file system further in.
    pub(super) inside: Option<(Layers, FileSystem)>,
    /// It holds data of a kind that nobody knows.
    pub(super) scribbled: bool,
    /// In how many listings it is still missing.
    pub(super) late: u32,
    /// Its array has no such unit any more.
    pub(super) unmapped: bool,
}

impl SimDevice {
    /// A disk of 1 GiB with these ids, both cached and true.
    pub fn disk(name: &str, ids: Vec<VolumeId>) -> Self {
        Self::of_kind(DeviceKind::Disk, name, ids)
    }

    /// A loop device on the simulated fabric.
    pub fn loopback(name: &str, ids: Vec<VolumeId>) -> Self {
        Self::of_kind(DeviceKind::Loop, name, ids).on_fabric("loop")
    }

    /// A map over paths that were added before it.
    pub fn multipath(name: &str, ids: Vec<VolumeId>, paths: &[&str]) -> Self {
        let mut map = Self::of_kind(DeviceKind::Multipath, name, ids);
        map.sys.slaves = paths.iter().map(|path| (*path).to_owned()).collect();
        map
    }

    pub fn partition(name: &str, disk: &str, number: u32) -> Self {
        let mut partition = Self::of_kind(DeviceKind::Partition, name, Vec::new());
        partition.sys.parent = Some(disk.to_owned());
        partition.sys.partition = NonZeroU32::new(number);
        partition
    }

    /// A map of LVM, by the name that device mapper has for it.
    pub fn lvm(name: &str, map_name: &str, on: &[&str]) -> Self {
        let mut map = Self::of_kind(DeviceKind::DeviceMapper, name, Vec::new());
        map.sys.lvm = LvmMap::from_name(map_name);
        map.sys.slaves = on.iter().map(|below| (*below).to_owned()).collect();
        map
    }

    pub fn of_kind(kind: DeviceKind, name: &str, ids: Vec<VolumeId>) -> Self {
        Self {
            sys: SysDevice {
                number: DeviceNumber { major: 0, minor: 0 },
                name: name.to_owned(),
                kind,
                size_bytes: 1 << 30,
                read_only: false,
                cached_ids: ids.clone(),
                vendor: "SANFLEET".to_owned(),
                model: "Simulated".to_owned(),
                serial: String::new(),
                holders: Vec::new(),
                slaves: Vec::new(),
                parent: None,
                partition: None,
                lvm: None,
                disk_sequence: 0,
                fabric: None,
            },
            true_ids: ids,
            true_bytes: 1 << 30,
            file_system: None,
            file_system_bytes: 1 << 30,
            inside: None,
            scribbled: false,
            late: 0,
            unmapped: false,
        }
    }

    pub fn size(mut self, bytes: u64) -> Self {
        self.sys.size_bytes = bytes;
        (self.true_bytes, self.file_system_bytes) = (bytes, bytes);
        self
    }

    pub fn read_only(mut self) -> Self {
        self.sys.read_only = true;
        self
    }

    pub fn on_fabric(mut self, fabric: &str) -> Self {
        self.sys.fabric = Some(fabric.to_owned());
        self
    }

    pub fn formatted(mut self, kind: &str, uuid: &str, label: &str) -> Self {
        let (kind, uuid, label) = (kind.to_owned(), uuid.to_owned(), label.to_owned());
        self.file_system = Some(FileSystem { kind, uuid, label });
        self
    }

    /// Its file system is further in: a disk that is brought in shows its partition at once, and its logical volume when LVM is
    /// told to.
    pub fn holding(mut self, layers: &Layers, kind: &str, uuid: &str) -> Self {
        let found = FileSystem { kind: kind.to_owned(), uuid: uuid.to_owned(), label: String::new() };
        self.inside = Some((layers.clone(), found));
        self
    }

    /// Its file system was made when it was smaller, or larger.
    pub fn file_system_of(mut self, bytes: u64) -> Self {
        self.file_system_bytes = bytes;
        self
    }

    pub fn scribbled(mut self) -> Self {
        self.scribbled = true;
        self
    }

    /// It is something other than what the kernel cached.
    pub fn really(mut self, ids: Vec<VolumeId>) -> Self {
        self.true_ids = ids;
        self
    }

    /// It is missing in the next `listings` listings of devices, and then there.
    pub fn late(mut self, listings: u32) -> Self {
        self.late = listings;
        self
    }

    pub(super) fn named(mut self, name: &str) -> Self {
        self.sys.name = name.to_owned();
        self
    }

    pub(super) fn mounted_at(&self, at: &str, read_only: bool) -> MountEntry {
        MountEntry {
            mount_point: PathBuf::from(at),
            device: self.sys.number,
            file_system: self.file_system.as_ref().map(|it| it.kind.clone()).unwrap_or_default(),
            read_only,
            root: PathBuf::from("/"),
        }
    }

    /// As Linux numbers them (`Documentation/admin-guide/devices.txt`); the dynamic ones as they often come out.
    pub(super) fn major(&self) -> u32 {
        match self.sys.kind {
            DeviceKind::Loop => 7,
            DeviceKind::Md => 9,
            DeviceKind::Multipath | DeviceKind::DeviceMapper => 254,
            DeviceKind::Nvme | DeviceKind::Partition => 259,
            DeviceKind::Disk | DeviceKind::Unspecified => 8,
        }
    }
}

/// An open simulated device: it finds out at each call what the device is by then.
#[derive(Debug)]
pub struct SimOpenDevice {
    world: Arc<World>,
    number: DeviceNumber,
    name: String,
}

impl SimOpenDevice {
    pub fn new(world: Arc<World>, device: &SysDevice) -> Self {
        Self { world, number: device.number, name: device.name.clone() }
    }

    /// Blocks while the call hangs; then the device, or ENODEV when it is gone.
    pub fn reach(&self, call: SimCall) -> Result<SimDevice, HostError> {
        self.world.reach(&self.name, call);
        if self.world.look(|state| state.broken.contains(&(self.name.clone(), call))) {
            return Err(HostError::os(self.name.clone(), Errno::IO));
        }
        let device = self.world.look(|state| state.numbered(self.number).cloned());
        device.ok_or_else(|| HostError::os(self.name.clone(), Errno::NODEV))
    }
}

impl OpenDevice for SimOpenDevice {
    fn number(&self) -> DeviceNumber {
        self.number
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn identify(&self) -> Result<Vec<VolumeId>, HostError> {
        let device = self.reach(SimCall::Identify)?;
        match device.unmapped {
            true => Err(HostError::Unmapped { what: self.name.clone() }),
            false => Ok(device.true_ids),
        }
    }

    fn size_bytes(&self) -> Result<u64, HostError> {
        let size = self.world.look(|state| state.numbered(self.number).map(|device| device.sys.size_bytes));
        size.ok_or_else(|| HostError::os(self.name.clone(), Errno::NODEV))
    }

    fn file_system(&self) -> Result<Option<FileSystem>, HostError> {
        Ok(self.reach(SimCall::Read)?.file_system)
    }

    fn read_first_block(&self) -> Result<(), HostError> {
        self.reach(SimCall::Read).map(|_| ())
    }

    fn read_samples(&self, _: Deadline) -> Result<u64, HostError> {
        Ok(self.reach(SimCall::Read)?.sys.size_bytes.min(64 << 20))
    }

    fn reads_as_zeros(&self) -> Result<bool, HostError> {
        let device = self.reach(SimCall::Read)?;
        let mounted = |state: &State| state.mounts.iter().find(|it| it.device == self.number).cloned();
        match self.world.look(mounted) {
            Some(mount) => Err(HostError::Busy {
                what: self.name(),
                by: format!("the mount {}", mount.mount_point.display()),
            }),
            None => Ok(device.file_system.is_none() && !device.scribbled),
        }
    }
}
