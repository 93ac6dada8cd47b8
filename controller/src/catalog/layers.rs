//! From what is mounted down to its volume, as a host has reported it: what lies between.

use std::num::NonZeroU32;

use sanfleet_protocol::{
    Layers, LogicalVolume,
    v1::{BlockDevice, DeviceKind},
};

/// What lies between this device and the volume, and the device of that. LVM and one partition are seen through; whatever else there
/// is (encryption, RAID, a logical volume on several devices) is where it ends.
pub fn down<'a>(devices: &'a [BlockDevice], top: &'a BlockDevice) -> (Layers, &'a BlockDevice) {
    let (lvm, base) = match logical_volume(top).zip(base(devices, top)) {
        Some((lvm, base)) => (Some(lvm), base),
        None => (None, top),
    };
    let disk = (base.kind() == DeviceKind::Partition)
        .then(|| named(devices, &base.parent).zip(NonZeroU32::new(base.partition)));
    match disk.flatten() {
        Some((disk, number)) => (Layers { partition: Some(number), lvm }, disk),
        None => (Layers { partition: None, lvm }, base),
    }
}

fn logical_volume(device: &BlockDevice) -> Option<LogicalVolume> {
    Some(LogicalVolume {
        group: device.volume_group.parse().ok()?,
        name: device.logical_volume.parse().ok()?,
    })
}

/// The one device that a logical volume rests on, through whatever LVM has made for itself in between.
fn base<'a>(devices: &'a [BlockDevice], top: &'a BlockDevice) -> Option<&'a BlockDevice> {
    let (mut seen, mut at) = (vec![top], 0);
    while let Some(map) = seen.get(at) {
        let is_lvms = !map.volume_group.is_empty();
        let below = map.slaves.iter().filter(|_| is_lvms).filter_map(|name| named(devices, name));
        let below: Vec<&BlockDevice> = below.filter(|device| !seen.contains(device)).collect();
        seen.extend(below);
        at += 1;
    }
    let mut ends = seen.into_iter().filter(|device| device.volume_group.is_empty());
    ends.next().filter(|_| ends.next().is_none())
}

fn named<'a>(devices: &'a [BlockDevice], name: &str) -> Option<&'a BlockDevice> {
    devices.iter().find(|device| device.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str, kind: DeviceKind, slaves: &[&str]) -> BlockDevice {
        let slaves = slaves.iter().map(|name| (*name).to_owned()).collect();
        BlockDevice { name: name.into(), kind: kind.into(), slaves, ..Default::default() }
    }

    fn part(name: &str, disk: &str, number: u32) -> BlockDevice {
        BlockDevice { parent: disk.into(), partition: number, ..device(name, DeviceKind::Partition, &[]) }
    }

    fn lvm(name: &str, group: &str, volume: &str, slaves: &[&str]) -> BlockDevice {
        BlockDevice {
            volume_group: group.into(),
            logical_volume: volume.into(),
            ..device(name, DeviceKind::DeviceMapper, slaves)
        }
    }

    #[test]
    fn a_partition_and_lvm_are_seen_through_and_nothing_else_is() {
        let devices = [
            device("sda", DeviceKind::Disk, &[]),
            part("sda2", "sda", 2),
            lvm("dm-0", "vg", "", &["sda2"]),
            lvm("dm-1", "vg", "", &["sda2"]),
            lvm("dm-2", "vg", "thin", &["dm-0", "dm-1"]),
            device("sdb", DeviceKind::Disk, &[]),
            lvm("dm-3", "vg2", "wide", &["sda2", "sdb"]),
            device("dm-4", DeviceKind::DeviceMapper, &["sdb"]),
            lvm("dm-5", "vg3", "safe", &["dm-4"]),
        ];
        for (top, said, volume) in [
            ("sda", "the whole volume", "sda"),
            ("sda2", "partition 2", "sda"),
            ("dm-2", "logical volume vg/thin on partition 2", "sda"),
            ("dm-3", "the whole volume", "dm-3"),
            ("dm-4", "the whole volume", "dm-4"),
            ("dm-5", "logical volume vg3/safe", "dm-4"),
        ] {
            let (layers, bottom) = down(&devices, named(&devices, top).unwrap());
            assert_eq!((layers.to_string().as_str(), bottom.name.as_str()), (said, volume), "{top}");
        }
    }
}
