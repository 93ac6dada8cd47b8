//! What ought to be there, and what may be done to it next.

use std::collections::{BTreeMap, BTreeSet};

use super::{act::Act, chance::Chance};

pub const MIB: u64 = 1 << 20;

/// Names with what is known of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model {
    pub volumes: BTreeMap<String, Content>,
    pub volume_sources: BTreeMap<String, String>,
    /// Bytes.
    pub file_systems: BTreeMap<String, u64>,
    pub file_system_sources: BTreeMap<String, String>,
    /// With their file system.
    pub snapshots: BTreeMap<String, String>,
    /// With their initiators.
    pub groups: BTreeMap<String, BTreeSet<String>>,
    /// Group and volume.
    pub masks: BTreeSet<(String, String)>,
    /// Paths with their file system.
    pub exports: BTreeMap<String, String>,
}

/// What a volume is and holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    pub bytes: u64,
    /// The first byte of the first block, which whoever made the volume writes, and that of the second, which comes by ranges.
    pub blocks: [u8; 2],
}

impl Content {
    pub fn new(bytes: u64) -> Self {
        Self { bytes, blocks: [0, 0] }
    }
}

impl Model {
    /// The next change; none when there is nothing yet to make it of.
    pub fn next(&self, chance: &mut Chance, number: usize) -> Option<Act> {
        let (name, size) = (format!("n{number}"), MIB * (1 + chance.below(8) as u64));
        Some(match chance.below(22) {
            0..3 => Act::CreateVolume(name, size),
            3 => Act::CloneVolume(self.any_volume(chance)?, name),
            4 => {
                let grown = self.any_volume(chance)?;
                let bytes = self.volumes[&grown].bytes + size;
                Act::GrowVolume(grown, bytes)
            }
            5 => Act::RenameVolume(self.any_volume(chance)?, name),
            6 => Act::DeleteVolume(
                chance.one(self.volumes.keys().filter(|name| self.is_free_volume(name)))?.clone(),
            ),
            7 => {
                let source = self.any_volume(chance)?;
                let target = chance.one(self.volumes.keys().filter(|name| **name != source))?.clone();
                Act::CopyRange(source, target)
            }
            8 => Act::CreateFs(name, size),
            9 => Act::CloneFs(self.any_fs(chance)?, name),
            10 => Act::DeleteFs(
                chance.one(self.file_systems.keys().filter(|name| self.is_free_fs(name)))?.clone(),
            ),
            11 => Act::Snapshot(self.any_fs(chance)?, name),
            12 | 13 => Act::Export(self.any_fs(chance)?, format!("/{name}")),
            14 => Act::Unexport(chance.one(self.exports.keys())?.clone()),
            15 => Act::CreateGroup(name.clone(), initiator(&name)),
            16 => Act::DeleteGroup(
                chance
                    .one(self.groups.keys().filter(|group| self.masks.iter().all(|mask| mask.0 != **group)))?
                    .clone(),
            ),
            17 => Act::AddInitiator(chance.one(self.groups.keys())?.clone(), initiator(&name)),
            18 => {
                let (group, initiators) = chance.one(self.groups.iter().filter(|group| group.1.len() > 1))?;
                Act::RemoveInitiator(group.clone(), chance.one(initiators)?.clone())
            }
            19 | 20 => {
                let mask = (chance.one(self.groups.keys())?.clone(), self.any_volume(chance)?);
                (!self.masks.contains(&mask)).then_some(Act::Mask(mask.0, mask.1))?
            }
            _ => {
                let (group, volume) = chance.one(&self.masks)?.clone();
                Act::Unmask(group, volume)
            }
        })
    }

    fn any_volume(&self, chance: &mut Chance) -> Option<String> {
        chance.one(self.volumes.keys()).cloned()
    }

    fn any_fs(&self, chance: &mut Chance) -> Option<String> {
        chance.one(self.file_systems.keys()).cloned()
    }

    fn is_free_volume(&self, name: &str) -> bool {
        self.volume_sources.values().all(|source| source != name)
            && self.masks.iter().all(|mask| mask.1 != name)
    }

    fn is_free_fs(&self, name: &str) -> bool {
        self.file_system_sources.values().all(|source| source != name)
            && self.exports.values().all(|exported| exported != name)
    }

    pub fn apply(&mut self, act: &Act) {
        match act.clone() {
            Act::CreateVolume(name, size) => drop(self.volumes.insert(name, Content::new(size))),
            Act::CloneVolume(source, name) => {
                self.volumes.insert(name.clone(), self.volumes[&source]);
                self.volume_sources.insert(name, source);
            }
            Act::GrowVolume(name, bytes) => self.volumes.get_mut(&name).unwrap().bytes = bytes,
            Act::RenameVolume(old, new) => self.rename(&old, &new),
            Act::DeleteVolume(name) => {
                self.volumes.remove(&name);
                self.volume_sources.remove(&name);
            }
            Act::CopyRange(source, target) => {
                let byte = self.volumes[&source].blocks[0];
                self.volumes.get_mut(&target).unwrap().blocks[1] = byte;
            }
            Act::CreateFs(name, size) => drop(self.file_systems.insert(name, size)),
            Act::CloneFs(source, name) => {
                self.file_systems.insert(name.clone(), self.file_systems[&source]);
                self.file_system_sources.insert(name, source);
            }
            Act::DeleteFs(name) => {
                self.file_systems.remove(&name);
                self.file_system_sources.remove(&name);
                self.snapshots.retain(|_, fs| *fs != name);
            }
            Act::Snapshot(fs, name) => drop(self.snapshots.insert(name, fs)),
            Act::Export(fs, path) => drop(self.exports.insert(path, fs)),
            Act::Unexport(path) => drop(self.exports.remove(&path)),
            Act::CreateGroup(name, initiator) => drop(self.groups.insert(name, [initiator].into())),
            Act::DeleteGroup(name) => drop(self.groups.remove(&name)),
            Act::AddInitiator(group, initiator) => {
                self.groups.get_mut(&group).unwrap().insert(initiator);
            }
            Act::RemoveInitiator(group, initiator) => {
                self.groups.get_mut(&group).unwrap().remove(&initiator);
            }
            Act::Mask(group, volume) => drop(self.masks.insert((group, volume))),
            Act::Unmask(group, volume) => drop(self.masks.remove(&(group, volume))),
        }
    }

    fn rename(&mut self, old: &str, new: &str) {
        let content = self.volumes.remove(old).unwrap();
        self.volumes.insert(new.to_owned(), content);
        let renamed = |name: String| if name == old { new.to_owned() } else { name };
        self.volume_sources = std::mem::take(&mut self.volume_sources)
            .into_iter()
            .map(|(name, source)| (renamed(name), renamed(source)))
            .collect();
        self.masks = std::mem::take(&mut self.masks)
            .into_iter()
            .map(|(group, volume)| (group, renamed(volume)))
            .collect();
    }
}

/// An initiator is of one group at most, so each has its own.
fn initiator(name: &str) -> String {
    format!("iqn.2026-01.example:{name}")
}
