//! What the simulated host makes of partitions and of LVM.

use sanfleet_protocol::{Layers, LvmName, VolumeId};

use super::{SimDevice, world::State};
use crate::host::{DeviceNumber, HostError};

pub fn physical_volumes(state: &State, group: &LvmName) -> Result<u32, HostError> {
    let maps = || state.all().filter(|device| device.sys.lvm.as_ref().is_some_and(|map| map.group == *group));
    let mut beneath: Vec<&String> = maps().flat_map(|map| &map.sys.slaves).collect();
    beneath.sort();
    beneath.dedup();
    match u32::try_from(beneath.len()).unwrap_or(u32::MAX) {
        0 => Err(HostError::NotFound { what: format!("volume group {group}") }),
        some => Ok(some),
    }
}

pub fn open(
    state: &mut State,
    copy: DeviceNumber,
    volume: &VolumeId,
    of_source: &Layers,
) -> Result<bool, HostError> {
    let disk = state.numbered(copy).cloned();
    let disk = disk.ok_or_else(|| HostError::NotFound { what: format!("device {copy}") })?;
    let invalid = |why: &str| HostError::Invalid { what: disk.sys.name.clone(), why: why.to_owned() };
    let (held, found) = disk.inside.as_ref().ok_or_else(|| invalid("has no layers"))?;
    if held != of_source {
        return Err(invalid("has other layers"));
    }
    let Some(lvm) = of_source.on_copy(volume).lvm else { return Ok(false) };
    if state.all().any(|device| device.sys.lvm.as_ref().is_some_and(|map| map.is(&lvm))) {
        return Ok(false);
    }
    let base = match of_source.partition {
        Some(number) => format!("{}p{number}", disk.sys.name),
        None => disk.sys.name.clone(),
    };
    let map = SimDevice::lvm(&format!("dm-{}", disk.sys.name), &lvm.map_name(), &[&base]);
    state.add(map.formatted(&found.kind, &found.uuid, &found.label));
    Ok(true)
}

pub fn close(state: &mut State, volume: &VolumeId) -> Result<bool, HostError> {
    let is_own = |device: &&SimDevice| {
        device.sys.lvm.as_ref().is_some_and(|map| Layers::is_own_group(&map.group, volume))
    };
    let Some(map) = state.all().find(is_own).cloned() else { return Ok(false) };
    if state.mounts.iter().any(|mount| mount.device == map.sys.number) {
        return Err(HostError::Busy { what: map.sys.name, by: "a mount".to_owned() });
    }
    state.remove(&map.sys.name);
    Ok(true)
}
