//! Who uses a verified device, as far as this mount namespace and sysfs tell.

use std::collections::BTreeSet;

use crate::{
    host::{Host, HostError, MountEntry, SysDevice},
    layers,
    verify::VerifiedDevice,
};

/// Mounts of the device and devices on top of it, for people to read; empty when there is none.
pub fn of(host: &dyn Host, device: &VerifiedDevice) -> Result<Vec<String>, HostError> {
    let devices = host.devices()?;
    let stack = stack(&devices, device);
    let holders: BTreeSet<&String> = stack.iter().flat_map(|device| &device.holders).collect();
    let mut users = mounted(host, &stack)?;
    users.extend(holders.into_iter().map(|holder| format!("the device {holder} on top of it")));
    Ok(users)
}

/// Mounts of the device, and of all that rests on it.
pub fn mounts(host: &dyn Host, device: &VerifiedDevice) -> Result<Vec<String>, HostError> {
    mounted(host, &stack(&host.devices()?, device))
}

/// The device and all that rests on it.
fn stack<'a>(devices: &'a [SysDevice], device: &VerifiedDevice) -> Vec<&'a SysDevice> {
    let own = devices.iter().filter(|known| known.number == device.number());
    own.flat_map(|own| [own].into_iter().chain(layers::above(devices, own))).collect()
}

fn mounted(host: &dyn Host, stack: &[&SysDevice]) -> Result<Vec<String>, HostError> {
    let is_on = |entry: &MountEntry| stack.iter().any(|device| device.number == entry.device);
    let mounts = host.mounts()?.into_iter().filter(is_on);
    Ok(mounts.map(|entry| format!("the mount {}", entry.mount_point.display())).collect())
}
