//! What the simulated host does when it is told to change itself. Each act does what the real one promises.

use sanfleet_protocol::{FileSystemId, FileSystemKind, MountPoint, VolumeId};

use super::{
    SimDevice,
    world::{State, World},
};
use crate::host::{
    DeviceNumber, FileSystem, HostError, MountEntry, MountOptions, NewFileSystem, PersistentMount, Usage,
};

pub fn rescan(world: &World, fabric: &str, volume: &VolumeId) -> Result<bool, HostError> {
    let Some((_, supply)) = world.fabrics.iter().find(|(known, _)| known == fabric) else {
        return Err(invalid(fabric, "this host has no such fabric"));
    };
    if world.look(|state| state.any(|device| device.true_ids.contains(volume))) {
        return Ok(false);
    }
    let offered = world.look(|state| {
        let is_offered = |offer: &&super::SimDevice| {
            offer.sys.fabric.as_deref() == Some(fabric) && offer.true_ids.contains(volume)
        };
        state.offers.iter().find(is_offered).cloned()
    });
    let supplied = || supply.find(volume).map(|device| device.on_fabric(fabric));
    let Some(device) = offered.or_else(supplied) else { return Ok(false) };
    world.change(|state| state.add(device));
    Ok(true)
}

pub fn detach(world: &World, number: DeviceNumber) -> Result<(), HostError> {
    world.change(|state| take_away(state, number))
}

pub fn drop_unmapped(world: &World, volume: &VolumeId) -> Result<bool, HostError> {
    world.change(|state| {
        let is_left = |device: &&SimDevice| device.unmapped && device.sys.cached_ids.contains(volume);
        let left: Vec<DeviceNumber> = state.all().filter(is_left).map(|device| device.sys.number).collect();
        left.iter().try_for_each(|number| take_away(state, *number)).map(|()| !left.is_empty())
    })
}

fn take_away(state: &mut State, number: DeviceNumber) -> Result<(), HostError> {
    let Some(device) = state.numbered(number).cloned() else { return Ok(()) };
    let mount = state.mounts.iter().find(|mount| mount.device == number);
    if let Some(mount) = mount {
        return Err(busy(&device.sys.name, &format!("mounted on {}", mount.mount_point.display())));
    }
    if let Some(holder) = device.sys.holders.first() {
        return Err(busy(&device.sys.name, holder));
    }
    let is_part = |part: &&SimDevice| part.sys.parent.as_ref() == Some(&device.sys.name);
    let parts: Vec<String> = state.all().filter(is_part).map(|part| part.sys.name.clone()).collect();
    for name in device.sys.slaves.iter().chain([&device.sys.name]).chain(&parts) {
        state.remove(name);
    }
    Ok(())
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
            device.file_system_bytes = device.sys.size_bytes;
            Ok(())
        }
    })
}

pub fn set_file_system_id(
    world: &World,
    number: DeviceNumber,
    kind: FileSystemKind,
    id: FileSystemId,
) -> Result<(), HostError> {
    world.change(|state| {
        let mounted = state.mounts.iter().any(|mount| mount.device == number);
        let found = state.numbered_mut(number).and_then(|device| device.file_system.as_mut());
        match found {
            _ if mounted => Err(busy(&number.to_string(), "a mount")),
            Some(found) if found.kind == kind.as_str() => {
                found.uuid = id.to_string();
                Ok(())
            }
            _ => Err(invalid(&number.to_string(), "holds another file system, or none")),
        }
    })
}

/// A map has no size of its own to be read again.
pub fn reread_size(state: &mut State, path: DeviceNumber) {
    let path = state.numbered_mut(path).filter(|device| device.sys.slaves.is_empty());
    path.into_iter().for_each(|path| path.sys.size_bytes = path.true_bytes);
}

pub fn resize_map(state: &mut State, map: DeviceNumber) -> Result<(), HostError> {
    let there = || HostError::NotFound { what: format!("device {map}") };
    let slaves = state.numbered(map).ok_or_else(there)?.sys.slaves.clone();
    let sizes = slaves.iter().filter_map(|path| state.device(path)).map(|path| path.sys.size_bytes);
    if let (Some(least), Some(map)) = (sizes.min(), state.numbered_mut(map)) {
        map.sys.size_bytes = least;
    }
    Ok(())
}

pub fn grow_file_system(state: &mut State, number: DeviceNumber, at: &MountPoint) -> Result<(), HostError> {
    let mount = mounted_there(state, at)?;
    if mount.read_only || mount.device != number {
        return Err(invalid(at.as_str(), "is mounted read-only, or from another device"));
    }
    let device = state.numbered_mut(number);
    device.into_iter().for_each(|device| device.file_system_bytes = device.sys.size_bytes);
    Ok(())
}

pub fn persist_mount(state: &mut State, at: &MountPoint, mount: &PersistentMount) -> Result<bool, HostError> {
    match state.persistent.get(at) {
        Some(None) => Err(invalid(at.as_str(), "is somebody else's")),
        Some(Some(known)) if known == mount => Ok(false),
        _ => {
            state.persistent.insert(at.clone(), Some(mount.clone()));
            Ok(true)
        }
    }
}

pub fn forget_mount(state: &mut State, at: &MountPoint) -> Result<bool, HostError> {
    match state.persistent.get(at) {
        Some(None) => Err(invalid(at.as_str(), "is somebody else's")),
        _ => Ok(state.persistent.remove(at).is_some()),
    }
}

pub fn usage(state: &State, at: &MountPoint) -> Result<Usage, HostError> {
    let number = mounted_there(state, at)?.device;
    let size_bytes = state.numbered(number).map_or(0, |device| device.file_system_bytes);
    Ok(Usage { size_bytes, free_bytes: size_bytes / 2 })
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
