//! The operation that shows what hosts have mounted, down to the array it comes from.

use sanfleet_protocol::{HostId, v1};

use super::{Api, Failure, fleet::chosen_hosts};
use crate::{
    catalog::{Catalog, HostRecord, Inventory},
    matching::Identity,
};

impl Api {
    pub(super) async fn map(self, request: v1::MapRequest) -> Result<v1::MapReply, Failure> {
        let catalog = self.catalog.read();
        let hosts = chosen_hosts(&catalog, &request.host)?;
        Ok(v1::MapReply {
            hosts: hosts.into_iter().map(|(host, record)| map_host(&catalog, host, record)).collect(),
        })
    }
}

fn map_host(catalog: &Catalog, host: &HostId, record: &HostRecord) -> v1::MapHost {
    let devices = record.inventory.iter().flat_map(|inventory| {
        inventory.devices().filter_map(|(device, _)| map_device(catalog, host, inventory, device))
    });
    v1::MapHost { host: host.to_string(), online: record.online, devices: devices.collect() }
}

/// A device that is mounted or that an array is behind; the others say nothing here.
fn map_device(
    catalog: &Catalog,
    host: &HostId,
    inventory: &Inventory,
    device: &v1::BlockDevice,
) -> Option<v1::MapDevice> {
    let mount_points: Vec<String> = inventory.mount_points(device).map(str::to_owned).collect();
    let mut row = v1::MapDevice {
        device: device.name.clone(),
        size_bytes: device.size_bytes,
        file_system: device.file_system.as_ref().map(|fs| fs.r#type.clone()).unwrap_or_default(),
        ..Default::default()
    };
    match catalog.identify(host, &device.name) {
        Identity::Volume(found) => {
            row.array = found.array.to_string();
            row.volume = found.volume.to_string();
            if let Some(volume) = catalog.volume(found) {
                row.volume_name = volume.name.clone();
                row.pool = volume.pool.clone();
                row.volume_id = volume.id.as_ref().map(ToString::to_string).unwrap_or_default();
            }
        }
        Identity::Ambiguous(_) => row.volume = "ambiguous".to_owned(),
        Identity::Unknown if mount_points.is_empty() => return None,
        Identity::Unknown => {}
    }
    row.mount_points = mount_points;
    Some(row)
}
