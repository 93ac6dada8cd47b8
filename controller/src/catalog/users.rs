//! Who uses a volume, as far as hosts and arrays have said.

use std::collections::BTreeSet;

use sanfleet_protocol::HostId;

use super::Catalog;
use crate::matching::{DeviceKey, Identity, VolumeRef};

impl Catalog {
    /// Hosts that see the volume, mounted or not, and initiators that it is masked to: each in words.
    pub fn users(&self, volume: &VolumeRef) -> Vec<String> {
        let seen = self.devices_of(volume).map(|key| {
            let inventory = self.host(&key.host).and_then(|record| record.inventory.as_ref());
            let mounts = inventory.map(|inventory| inventory.mounts_of(&key.device)).unwrap_or_default();
            match mounts.as_slice() {
                [] => format!("host {} sees it as {}", key.host, key.device),
                mounts => format!("host {} has it mounted at {}", key.host, mounts.join(", ")),
            }
        });
        let masked =
            self.volume(volume).into_iter().flat_map(|record| record.masked_to.keys()).map(|initiator| {
                let owners: Vec<String> = self.owners(initiator).map(|host| format!("host {host}")).collect();
                match owners.is_empty() {
                    true => format!("it is masked to {initiator}, which no host has reported"),
                    false => format!("it is masked to {initiator} of {}", owners.join(" and ")),
                }
            });
        seen.chain(masked).collect()
    }

    /// The volumes that a host sees.
    pub fn volumes_on(&self, host: &HostId) -> Vec<String> {
        let inventory = self.host(host).and_then(|record| record.inventory.as_ref());
        let devices = inventory.into_iter().flat_map(|inventory| inventory.devices());
        let volumes = devices.filter_map(|(device, _)| match self.identify(host, &device.name) {
            Identity::Unknown => None,
            Identity::Volume(volume) => Some(volume.to_string()),
            Identity::Ambiguous(_) => Some(format!("device {}", device.name)),
        });
        volumes.collect()
    }

    /// The hosts whose newest report shows the volume smaller than this.
    pub fn behind(&self, volume: &VolumeRef, size_bytes: u64) -> BTreeSet<HostId> {
        let small = |key: &&DeviceKey| {
            let inventory = self.host(&key.host).and_then(|record| record.inventory.as_ref());
            let device = inventory.and_then(|inventory| inventory.device(&key.device));
            device.is_some_and(|device| device.size_bytes < size_bytes)
        };
        self.devices_of(volume).filter(small).map(|key| key.host.clone()).collect()
    }
}
