//! A machine in memory: it does what it is told, and refuses what LVM and the kernel would.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{Machine, MachineError, New, PoolRow, Survey, Target, VolumeRow};
use crate::identity::Serial;

/// LVM's extents.
const EXTENT: u64 = 4 << 20;

/// Its clones are the same machine.
#[derive(Debug, Clone, Default)]
pub struct MemoryMachine(Arc<Mutex<World>>);

#[derive(Debug, Default)]
struct World {
    pools: Vec<PoolRow>,
    volumes: Vec<VolumeRow>,
    state: Option<String>,
    target: Option<Target>,
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
        self.0.lock().unwrap().target = None;
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
    fn is_shown(&self, serial: &Serial) -> bool {
        self.target.iter().flat_map(|target| &target.shown).any(|shown| shown.serial == *serial)
    }

    fn add(&mut self, new: New<'_>, pool: &str, size: u64) {
        let (serial, name) = (new.serial.clone(), new.name.to_owned());
        let size = size.next_multiple_of(EXTENT);
        self.volumes.push(VolumeRow { group: new.group.into(), pool: pool.into(), serial, name, size });
    }
}

impl Machine for MemoryMachine {
    fn survey(&mut self) -> Result<Survey, MachineError> {
        let world = self.0.lock().unwrap();
        Ok(Survey {
            hostname: "store1".into(),
            addresses: vec!["192.0.2.1".parse().unwrap()],
            pools: world.pools.clone(),
            volumes: world.volumes.clone(),
            state: world.state.clone(),
        })
    }

    fn make(&mut self, new: New<'_>, pool: &str, size: u64) -> Result<(), MachineError> {
        self.0.lock().unwrap().add(new, pool, size);
        Ok(())
    }

    fn copy(&mut self, new: New<'_>, source: &Serial) -> Result<(), MachineError> {
        let mut world = self.0.lock().unwrap();
        let source = world.volumes.iter().find(|volume| volume.serial == *source).cloned();
        let source = source.ok_or_else(|| failed("no such volume"))?;
        world.add(new, &source.pool, source.size);
        Ok(())
    }

    fn grow(&mut self, volume: &VolumeRow, size: u64) -> Result<(), MachineError> {
        let mut world = self.0.lock().unwrap();
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
            world.state = Some(others);
        }
        let is_same = world.state.as_deref() == before;
        if is_same {
            world.state = Some(after.to_owned());
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
            world.state = Some(others);
        }
        let is_same = world.state.as_deref() == Some(file);
        if is_same {
            world.target = Some(target.clone());
        }
        Ok(is_same)
    }

    fn set_patience(&mut self, _: Duration) {}
}
