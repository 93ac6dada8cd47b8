//! A sysfs in a folder, and a kernel and a multipathd that do there what they are told. Transports add their hosts and targets to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Mutex,
};

use rustix::io::Errno;
use sanfleet_protocol::{VolumeId, volume_id};

use super::{Claim, Machine, Target, Unit};
use crate::{
    deadline::Deadline,
    fabric::Fabric,
    host::{
        DeviceNumber, FileSystem, HostError, OpenDevice,
        linux::observe::attribute,
        sim::{SimDevice, SimHost},
    },
    verify::{VerifiedDevice, verify},
};

pub struct SimMachine {
    folder: tempfile::TempDir,
    state: Mutex<State>,
}

#[derive(Default)]
pub struct State {
    /// What every target shows now, by the kernel's number of the unit.
    pub shown: BTreeMap<u64, VolumeId>,
    /// The unit that each disk is on.
    disks: BTreeMap<String, u64>,
    /// Those that answer a scan, by host, channel and number.
    targets: BTreeMap<String, Target>,
    pub used: BTreeSet<String>,
    /// Disks that do not answer.
    pub dead: BTreeSet<String>,
    /// So often there is nothing behind the node of a disk that is opened.
    pub unready: u32,
    /// As far as hosts count, where that is not for ever.
    pub max_lun: Option<u64>,
    /// Disks that answer, and take no flush.
    pub standby: BTreeSet<String>,
    /// True when multipathd makes no map.
    pub idle: bool,
    calls: Vec<String>,
}

/// What has such a machine is one.
pub trait Simulated: fmt::Debug {
    fn machine(&self) -> &SimMachine;
}

impl Default for SimMachine {
    fn default() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), state: Mutex::default() }
    }
}

impl SimMachine {
    pub fn alter<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }

    pub fn show(&self, unit: u64, volume: VolumeId) {
        self.alter(|state| state.shown.insert(unit, volume));
    }

    /// The array shows nothing under this number any more.
    pub fn hide(&self, unit: u64) {
        self.alter(|state| state.shown.remove(&unit));
    }

    pub fn note(&self, call: String) {
        self.alter(|state| state.calls.push(call));
    }

    pub fn calls(&self) -> Vec<String> {
        self.alter(|state| std::mem::take(&mut state.calls))
    }

    pub fn at(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    pub fn file(&self, below: &str, text: &str) {
        let file = self.at(below);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    pub fn add_target(&self, target: Target) {
        fs::create_dir_all(target.directory()).unwrap();
        self.alter(|state| state.targets.insert(target.to_string(), target));
    }

    pub fn remove_target(&self, target: &Target) {
        self.alter(|state| state.targets.remove(&target.to_string()));
    }

    pub fn units(&self) -> Vec<Unit> {
        self.alter(|state| state.targets.values().flat_map(Target::units).collect())
    }

    /// Detaches the disk that has proved to be the volume.
    pub fn detach(&self, fabric: &impl Fabric, wanted: &VolumeId, soon: Deadline) -> Result<(), HostError> {
        let unit = self.units().into_iter().find(|unit| unit.cached_ids().contains(wanted)).unwrap();
        let disk = unit.disk().unwrap();
        let host = SimHost::builder().device(SimDevice::disk(&disk, vec![wanted.clone()])).build();
        let node = unit.delete().with_file_name("block").join(disk);
        self.detach_device(fabric, verify(&host, wanted).unwrap(), &node, soon)
    }

    /// Detaches the map of these disks.
    pub fn detach_map(
        &self,
        fabric: &impl Fabric,
        wanted: &VolumeId,
        disks: &[&str],
        soon: Deadline,
    ) -> Result<(), HostError> {
        let paths = disks.iter().map(|disk| SimDevice::disk(disk, vec![wanted.clone()]));
        let host = SimHost::builder().devices(paths).build();
        host.add_device(SimDevice::multipath("dm-0", vec![wanted.clone()], disks));
        let node = self.at("sys/devices/virtual/dm-0");
        self.detach_device(fabric, verify(&host, wanted).unwrap(), &node, soon)
    }

    fn detach_device(
        &self,
        fabric: &impl Fabric,
        device: VerifiedDevice,
        node: &Path,
        soon: Deadline,
    ) -> Result<(), HostError> {
        let number = self.at("sys/dev/block").join(device.number().to_string());
        fs::create_dir_all(number.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&number);
        symlink(node, number).unwrap();
        assert!(fabric.brought(&device));
        fabric.detach(device, soon)
    }

    /// The paths of the one map that there is; none of none.
    pub fn paths(&self) -> Vec<String> {
        attribute::names(&self.at("sys/class/block/dm-0/slaves"))
    }

    fn add_path(&self, disk: &str) {
        let map = self.at("sys/devices/virtual/dm-0");
        fs::create_dir_all(map.join("slaves").join(disk)).unwrap();
        self.file("sys/devices/virtual/dm-0/dm/uuid", "mpath-36001405\n");
        self.file("sys/devices/virtual/dm-0/dm/name", "36001405\n");
        fs::create_dir_all(self.at("sys/class/block").join(disk).join("holders/dm-0")).unwrap();
        let _ = symlink(&map, self.at("sys/class/block/dm-0"));
    }

    fn remove_map(&self) {
        for path in self.paths() {
            fs::remove_dir(self.at("sys/class/block").join(path).join("holders/dm-0")).unwrap();
        }
        fs::remove_file(self.at("sys/class/block/dm-0")).unwrap();
        fs::remove_dir_all(self.at("sys/devices/virtual/dm-0")).unwrap();
    }

    /// The kernel adds the unit if the target shows it.
    fn scan(&self, host: &str, words: &str) -> Result<(), HostError> {
        let [channel, target, number] = words.split(' ').collect::<Vec<_>>()[..] else { panic!("{words}") };
        let target = format!("{}:{channel}:{target}", host.strip_prefix("host").unwrap());
        let number: u64 = number.parse().unwrap();
        let unit = self.alter(|state| state.targets[&target].unit(number));
        if self.alter(|state| state.max_lun).is_some_and(|most| number > most) {
            return Err(HostError::os(format!("scan {words}"), io::Error::from(io::ErrorKind::InvalidInput)));
        }
        let Some(ids) = self.alter(|state| state.shown.get(&number).cloned()) else { return Ok(()) };
        if unit.is_there() {
            return Ok(());
        }
        let name = self.alter(|state| {
            let name = format!("sd{}", state.disks.len());
            state.disks.insert(name.clone(), number);
            name
        });
        let folder = unit.delete().parent().unwrap().to_owned();
        let disk = folder.join("block").join(&name);
        fs::create_dir_all(disk.join("holders")).unwrap();
        fs::create_dir_all(self.at("sys/class/block")).unwrap();
        symlink(&disk, self.at("sys/class/block").join(name)).unwrap();
        fs::write(folder.join("vpd_pg83"), volume_id::page(&[ids])).unwrap();
        Ok(())
    }

    fn delete(&self, unit: &Path) {
        for disk in attribute::names(&unit.join("block")) {
            fs::remove_file(self.at("sys/class/block").join(disk)).unwrap();
        }
        fs::remove_dir_all(unit).unwrap();
    }
}

impl<T: Simulated> Machine for &T {
    fn multipathd(&self, arguments: &[&str], _: Deadline) -> Result<(), HostError> {
        let machine = self.machine();
        machine.note(arguments.join(" "));
        let (used, idle) = machine.alter(|state| (state.used.contains("dm-0"), state.idle));
        match arguments {
            ["add", "path", disk] if !idle => machine.add_path(disk),
            ["remove", "map", "36001405"] if used => return Err(failed("multipathd", "map in use")),
            ["remove", "map", "36001405"] => machine.remove_map(),
            ["add" | "remove", "path", _] | ["disablequeueing" | "restorequeueing", "map", "36001405"] => {}
            other => panic!("{other:?}"),
        }
        Ok(())
    }

    fn write(&self, attribute: &Path, words: &str) -> Result<(), HostError> {
        let folder = attribute.parent().unwrap();
        let name = folder.file_name().unwrap().to_str().unwrap();
        match attribute.file_name().unwrap().to_str().unwrap() {
            "scan" => {
                self.machine().note(format!("scan {words}"));
                self.machine().scan(name, words)?;
            }
            "state" => self.machine().note(format!("{words} {name}")),
            "delete" => {
                self.machine().note(format!("delete {name}"));
                self.machine().delete(folder);
            }
            other => panic!("{other}"),
        }
        Ok(())
    }

    fn open(&self, disk: &str) -> Result<Box<dyn OpenDevice>, HostError> {
        if self.machine().alter(|state| state.dead.contains(disk)) {
            return Err(failed("sg", "no connection"));
        }
        let is_ready = |state: &mut State| match state.unready.checked_sub(1) {
            Some(less) => {
                state.unready = less;
                false
            }
            None => true,
        };
        if !self.machine().alter(is_ready) {
            return Err(HostError::os(format!("open {disk}"), Errno::NXIO));
        }
        let volume = self.machine().alter(|state| state.shown.get(&state.disks[disk]).cloned());
        Ok(Box::new(Disk { name: disk.to_owned(), volume }))
    }

    fn claim(&self, device: &dyn OpenDevice) -> Result<Claim, HostError> {
        match self.machine().alter(|state| state.used.contains(&device.name())) {
            true => Err(HostError::Busy { what: device.name(), by: "somebody".to_owned() }),
            false => Ok(Claim { disk: device.name(), file: None }),
        }
    }

    fn flush(&self, claim: &Claim) -> Result<(), HostError> {
        self.machine().note(format!("flush {}", claim.disk));
        match self.machine().alter(|state| state.standby.contains(&claim.disk)) {
            true => Err(failed("sync", "target port in standby")),
            false => Ok(()),
        }
    }
}

pub fn failed(program: &'static str, words: &str) -> HostError {
    HostError::Tool { program, status: "exit status: 8".to_owned(), words: words.to_owned() }
}

/// A disk that says what is behind it now, if anything is.
#[derive(Debug)]
struct Disk {
    name: String,
    volume: Option<VolumeId>,
}

impl OpenDevice for Disk {
    fn number(&self) -> DeviceNumber {
        DeviceNumber { major: 8, minor: 0 }
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn identify(&self) -> Result<Vec<VolumeId>, HostError> {
        let unmapped = || HostError::Unmapped { what: self.name.clone() };
        self.volume.clone().map(|volume| vec![volume]).ok_or_else(unmapped)
    }

    fn size_bytes(&self) -> Result<u64, HostError> {
        Ok(0)
    }

    fn file_system(&self) -> Result<Option<FileSystem>, HostError> {
        Ok(None)
    }

    fn read_first_block(&self) -> Result<(), HostError> {
        Ok(())
    }

    fn reads_as_zeros(&self) -> Result<bool, HostError> {
        Ok(true)
    }

    fn read_samples(&self, _: Deadline) -> Result<u64, HostError> {
        Ok(0)
    }
}
