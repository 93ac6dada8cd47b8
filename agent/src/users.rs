//! Who uses a verified device, as far as this mount namespace and sysfs tell.

use crate::{
    host::{Host, HostError},
    verify::VerifiedDevice,
};

/// Mounts of the device and devices on top of it, for people to read; empty when there is none.
pub fn of(host: &dyn Host, device: &VerifiedDevice) -> Result<Vec<String>, HostError> {
    let number = device.number();
    let mounts = host.mounts()?;
    let mounted = mounts.iter().filter(|entry| entry.device == number);
    let mut users: Vec<String> =
        mounted.map(|entry| format!("the mount {}", entry.mount_point.display())).collect();
    let holders = host.devices()?.into_iter().filter(|d| d.number == number).flat_map(|d| d.holders);
    users.extend(holders.map(|holder| format!("the device {holder} on top of it")));
    Ok(users)
}
