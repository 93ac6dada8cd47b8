//! A machine in memory: it does what it is told, and refuses what LVM and the kernel would.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{Machine, MachineError, New, Outline, PoolRow, Survey, Target, VolumeRow};
use crate::identity::Serial;

/// What LVM takes sizes in.
const SECTOR: u64 = 512;
/// LVM's extents.
const EXTENT: u64 = 4 << 20;

/// Its clones are the same machine.
#[derive(Debug, Clone, Default)]
pub struct MemoryMachine(Arc<Mutex<World>>);

#[derive(Debug, Default)]
struct World {
    pools: Vec<PoolRow>,
    volumes: Vec<VolumeRow>,
    file: Option<String>,
    target: Option<Target>,
    starts: u32,
    /// What somebody else does just before the file is written.
    meddle: Option<String>,
    /// And just before something is shown.
    meddle_late: Option<String>,
    /// Showing fails, once.
    fails: bool,
}

impl MemoryMachine {
    /// With one pool of this size.
    pub fn new(size: u64) -> Self {
        let machine = Self::default();
        let pool = PoolRow { group: "vg".into(), name: "pool".into(), size, free: size };
        machine.0.lock().unwrap().pools.push(pool);
        machine
    }

    /// What the target shows now; nothing before anybody has made it show something.
    pub fn target(&self) -> Option<Target> {
        self.0.lock().unwrap().target.clone()
    }

    /// It is started again: what is in the kernel is gone.
    pub fn restart(&self) {
        let mut world = self.0.lock().unwrap();
        world.target = None;
        world.starts += 1;
    }

    /// The file says this, once, when something is about to be shown.
    pub fn meddle_late(&self, state: &str) {
        self.0.lock().unwrap().meddle_late = Some(state.to_owned());
    }

    /// Showing fails, once.
    pub fn fail_to_show(&self) {
        self.0.lock().unwrap().fails = true;
    }

    /// The file says this, once, when it is about to be written.
    pub fn meddle(&self, state: &str) {
        self.0.lock().unwrap().meddle = Some(state.to_owned());
    }
}

fn failed(words: &str) -> MachineError {
    MachineError::Failed { doing: "a test", words: words.to_owned() }
}

impl World {
    fn outline(&self) -> Outline {
        let addresses = vec!["192.0.2.1".parse().unwrap()];
        let boot = self.starts.to_string();
        Outline { hostname: "store1".into(), boot, addresses, file: self.file.clone() }
    }

    fn is_shown(&self, serial: &Serial) -> bool {
        self.target.iter().flat_map(|target| &target.shown).any(|shown| shown.serial == *serial)
    }

    fn add(&mut self, new: New<'_>, group: &str, pool: &str, size: u64) -> Result<VolumeRow, MachineError> {
        if self.volumes.iter().any(|volume| volume.name == new.name) {
            return Err(MachineError::NameTaken(new.name.to_owned()));
        }
        if !size.is_multiple_of(SECTOR) {
            return Err(failed("the size is no multiple of a sector"));
        }
        let (serial, name) = (new.serial.clone(), new.name.to_owned());
        let size = size.next_multiple_of(EXTENT);
        let row = VolumeRow { group: group.to_owned(), pool: pool.to_owned(), serial, name, size };
        self.volumes.push(row.clone());
        Ok(row)
    }
}

impl Machine for MemoryMachine {
    fn outline(&mut self) -> Result<Outline, MachineError> {
        Ok(self.0.lock().unwrap().outline())
    }

    fn survey(&mut self) -> Result<Survey, MachineError> {
        let world = self.0.lock().unwrap();
        Ok(Survey { outline: world.outline(), pools: world.pools.clone(), volumes: world.volumes.clone() })
    }

    fn make(&mut self, new: New<'_>, pool: &PoolRow, size: u64) -> Result<(), MachineError> {
        self.0.lock().unwrap().add(new, &pool.group, &pool.name, size).map(drop)
    }

    fn copy(&mut self, new: New<'_>, source: &Serial) -> Result<VolumeRow, MachineError> {
        let mut world = self.0.lock().unwrap();
        let found = world.volumes.iter().find(|volume| volume.serial == *source).cloned();
        let source = found.ok_or_else(|| MachineError::NoVolume(source.clone()))?;
        world.add(new, &source.group, &source.pool, source.size)
    }

    fn grow(&mut self, volume: &VolumeRow, size: u64) -> Result<(), MachineError> {
        let mut world = self.0.lock().unwrap();
        if !size.is_multiple_of(SECTOR) {
            return Err(failed("the size is no multiple of a sector"));
        }
        let found = world.volumes.iter_mut().find(|known| known.serial == volume.serial);
        found.ok_or_else(|| failed("no such volume"))?.size = size.next_multiple_of(EXTENT);
        Ok(())
    }

    fn remove(&mut self, volume: &VolumeRow) -> Result<(), MachineError> {
        let mut world = self.0.lock().unwrap();
        if world.is_shown(&volume.serial) {
            return Err(failed("the logical volume is in use"));
        }
        world.volumes.retain(|known| known.serial != volume.serial);
        Ok(())
    }

    fn keep(&mut self, before: Option<&str>, after: &str) -> Result<bool, MachineError> {
        let mut world = self.0.lock().unwrap();
        if let Some(others) = world.meddle.take() {
            world.file = Some(others);
        }
        let is_same = world.file.as_deref() == before;
        if is_same {
            world.file = Some(after.to_owned());
        }
        Ok(is_same)
    }

    fn show(&mut self, file: &str, target: &Target) -> Result<bool, MachineError> {
        let mut world = self.0.lock().unwrap();
        if world.fails {
            world.fails = false;
            return Err(failed("the target is stuck"));
        }
        if let Some(others) = world.meddle_late.take() {
            world.file = Some(others);
        }
        let is_same = world.file.as_deref() == Some(file);
        if is_same {
            world.target = Some(target.clone());
        }
        Ok(is_same)
    }

    fn set_patience(&mut self, _: Duration) {}
}
