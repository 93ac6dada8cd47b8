//! What the simulated host does when it is told to change itself. Each act does what the real one promises.

use sanfleet_protocol::{MountPoint, VolumeId};

use super::world::{State, World};
use crate::host::{DeviceNumber, FileSystem, HostError, MountEntry, MountOptions, NewFileSystem};

pub fn rescan(world: &World, fabric: &str, volume: &VolumeId) -> Result<bool, HostError> {
    if !world.fabrics.iter().any(|known| known == fabric) {
        return Err(invalid(fabric, "this host has no such fabric"));
    }
    let offered = world.look(|state| {
        let is_offered = |offer: &&super::SimDevice| {
            offer.sys.fabric.as_deref() == Some(fabric) && offer.true_ids.contains(volume)
        };
        let is_there = state.any(|device| device.true_ids.contains(volume));
        state.offers.iter().find(is_offered).filter(|_| !is_there).cloned()
    });
    let Some(device) = offered else { return Ok(false) };
    world.change(|state| state.add(device));
    Ok(true)
}

pub fn detach(world: &World, number: DeviceNumber) -> Result<(), HostError> {
    world.change(|state| {
        let Some(device) = state.numbered(number).cloned() else { return Ok(()) };
        let mount = state.mounts.iter().find(|mount| mount.device == number);
        if let Some(mount) = mount {
            return Err(busy(&device.sys.name, &format!("mounted on {}", mount.mount_point.display())));
        }
        if let Some(holder) = device.sys.holders.first() {
            return Err(busy(&device.sys.name, holder));
        }
        for name in device.sys.slaves.iter().chain([&device.sys.name]) {
            state.remove(name);
        }
        Ok(())
    })
}

pub fn make_file_system(
    world: &World,
    number: DeviceNumber,
    wanted: &NewFileSystem,
) -> Result<(), HostError> {
    let made = FileSystem {
        kind: wanted.kind.to_string(),
        uuid: wanted.id.to_string(),
        label: wanted.label.to_string(),
    };
    world.change(|state| match state.numbered_mut(number) {
        None => Err(HostError::NotFound { what: format!("device {number}") }),
        Some(device) if device.sys.read_only => Err(invalid(&device.sys.name, "is read-only")),
        Some(device) => {
            device.file_system = Some(made);
            Ok(())
        }
    })
}

pub fn check_mount_point(state: &State, at: &MountPoint) -> Result<(), HostError> {
    if let Ok(mount) = mounted_there(state, at) {
        return Err(busy(at.as_str(), &format!("device {} is mounted there", mount.device)));
    }
    if state.occupied.contains(at.as_path()) {
        return Err(invalid(at.as_str(), "is not an empty directory"));
    }
    Ok(())
}

pub fn mount(
    world: &World,
    number: DeviceNumber,
    found: Option<FileSystem>,
    at: &MountPoint,
    options: &MountOptions,
) -> Result<(), HostError> {
    let found = found.map(|found| found.kind).unwrap_or_default();
    if found != options.file_system {
        let why = format!("has {found:?} and not {:?}", options.file_system);
        return Err(invalid(&number.to_string(), &why));
    }
    world.change(|state| {
        let Some(device) = state.numbered(number).cloned() else {
            return Err(HostError::NotFound { what: format!("device {number}") });
        };
        if device.sys.read_only && options.read_write {
            return Err(invalid(&device.sys.name, "is read-only"));
        }
        let entry = device.mounted_at(at.as_str(), !options.read_write);
        if mounted_there(state, at).is_ok_and(|mount| *mount == entry) {
            return Ok(());
        }
        check_mount_point(state, at)?;
        state.mounts.push(entry);
        Ok(())
    })
}

pub fn unmount(world: &World, at: &MountPoint) -> Result<(), HostError> {
    world.change(|state| {
        if mounted_there(state, at).is_err() {
            return Ok(());
        }
        if let Some(by) = state.busy.get(at.as_path()) {
            return Err(busy(at.as_str(), by));
        }
        state.mounts.retain(|mount| mount.mount_point != at.as_path());
        Ok(())
    })
}

/// The newest mount on a mount point, which hides the others.
pub fn mounted_there<'a>(state: &'a State, at: &MountPoint) -> Result<&'a MountEntry, HostError> {
    let mut newest_first = state.mounts.iter().rev();
    newest_first
        .find(|mount| mount.mount_point == at.as_path())
        .ok_or_else(|| HostError::NotFound { what: format!("mount on {at}") })
}

fn busy(what: &str, by: &str) -> HostError {
    HostError::Busy { what: what.to_owned(), by: by.to_owned() }
}

fn invalid(what: &str, why: &str) -> HostError {
    HostError::Invalid { what: what.to_owned(), why: why.to_owned() }
}
