//! How devices are stacked: what a device rests on, what rests on it, and where on a volume a file system is. Pure: it looks at
//! a list of devices and touches none.

use std::collections::VecDeque;

use sanfleet_protocol::{Layers, LogicalVolume, v1::DeviceKind};

use crate::host::SysDevice;

/// The devices at the bottom of a stack, on which all of its data are: of a multipath map its paths, of a partition its disk's.
/// A device that rests on nothing is its own.
pub fn bottoms<'a>(devices: &'a [SysDevice], device: &'a SysDevice) -> Vec<&'a SysDevice> {
    beneath(devices, device)
        .into_iter()
        .filter(|device| directly_beneath(devices, device).is_empty())
        .collect()
}

/// The device and everything that it rests on.
pub fn beneath<'a>(devices: &'a [SysDevice], device: &'a SysDevice) -> Vec<&'a SysDevice> {
    walk(device, |above| directly_beneath(devices, above))
}

/// Everything that rests on the device, itself not among it.
pub fn above<'a>(devices: &'a [SysDevice], device: &'a SysDevice) -> Vec<&'a SysDevice> {
    let rests_on = |below: &'a SysDevice| {
        devices
            .iter()
            .filter(|above| {
                directly_beneath(devices, above).iter().any(|device| device.number == below.number)
            })
            .collect()
    };
    walk(device, rests_on).into_iter().skip(1).collect()
}

/// The device of the file system on this volume, when it is there.
pub fn within<'a>(devices: &'a [SysDevice], volume: &'a SysDevice, layers: &Layers) -> Option<&'a SysDevice> {
    let base = base(devices, volume, layers)?;
    match &layers.lvm {
        None => Some(base),
        Some(lvm) => devices.iter().find(|map| is(map, lvm) && is_whole_on(devices, map, base)),
    }
}

/// The partition, or the whole volume where there is none.
pub fn base<'a>(devices: &'a [SysDevice], volume: &'a SysDevice, layers: &Layers) -> Option<&'a SysDevice> {
    let Some(number) = layers.partition else { return Some(volume) };
    let is_it =
        |part: &&SysDevice| part.parent.as_ref() == Some(&volume.name) && part.partition == Some(number);
    devices.iter().find(is_it)
}

fn is(map: &SysDevice, lvm: &LogicalVolume) -> bool {
    map.lvm.as_ref().is_some_and(|known| known.is(lvm))
}

/// True when nothing but LVM is between the two, and no other device beneath.
fn is_whole_on(devices: &[SysDevice], map: &SysDevice, base: &SysDevice) -> bool {
    let below = |above: &'_ SysDevice| match above.lvm {
        Some(_) => directly_beneath(devices, above),
        None => Vec::new(),
    };
    let ends: Vec<_> = walk(map, below).into_iter().filter(|device| device.lvm.is_none()).collect();
    matches!(ends.as_slice(), [end] if end.number == base.number)
}

fn directly_beneath<'a>(devices: &'a [SysDevice], above: &SysDevice) -> Vec<&'a SysDevice> {
    // The kernel's own partitions have a disk and no devices that they rest on; those of a map have both.
    let is_parent = |device: &SysDevice| {
        above.kind == DeviceKind::Partition && above.parent.as_ref() == Some(&device.name)
    };
    devices.iter().filter(|device| above.slaves.contains(&device.name) || is_parent(device)).collect()
}

/// A device and all that follows from it, each once, the nearest first.
fn walk<'a>(from: &'a SysDevice, next: impl Fn(&'a SysDevice) -> Vec<&'a SysDevice>) -> Vec<&'a SysDevice> {
    let (mut found, mut waiting) = (Vec::new(), VecDeque::from([from]));
    while let Some(device) = waiting.pop_front() {
        // By number: whoever asks may have looked a moment earlier.
        if !found.iter().any(|known: &&SysDevice| known.number == device.number) {
            found.push(device);
            waiting.extend(next(device));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{
        Host,
        sim::{SimDevice, SimHost},
    };

    /// A disk with two partitions, the second of them LVM's with a thin pool, and a map over two paths.
    fn devices() -> Vec<SysDevice> {
        let devices = [
            SimDevice::disk("sda", Vec::new()),
            SimDevice::partition("sda1", "sda", 1),
            SimDevice::partition("sda2", "sda", 2),
            SimDevice::lvm("dm-0", "vg-pool_tdata", &["sda2"]),
            SimDevice::lvm("dm-1", "vg-pool-tpool", &["dm-0"]),
            SimDevice::lvm("dm-2", "vg-thin", &["dm-1"]),
            SimDevice::disk("sdb", Vec::new()),
            SimDevice::lvm("dm-3", "vg2-wide", &["sda2", "sdb"]),
            SimDevice::disk("sdc", Vec::new()),
            SimDevice::disk("sdd", Vec::new()),
            SimDevice::multipath("dm-4", Vec::new(), &["sdc", "sdd"]),
            SimDevice::partition("dm-5", "dm-4", 1),
        ];
        SimHost::builder().devices(devices).build().devices().unwrap()
    }

    fn named<'a>(devices: &'a [SysDevice], name: &str) -> &'a SysDevice {
        devices.iter().find(|device| device.name == name).unwrap()
    }

    fn names(devices: &[&SysDevice]) -> String {
        devices.iter().map(|device| device.name.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn layers(partition: u32, lvm: Option<(&str, &str)>) -> Layers {
        let lvm = lvm.map(|(group, name)| LogicalVolume {
            group: group.parse().unwrap(),
            name: name.parse().unwrap(),
        });
        Layers { partition: std::num::NonZeroU32::new(partition), lvm }
    }

    #[test]
    fn a_stack_ends_at_disks_and_paths() {
        let devices = devices();
        for (name, ends) in [
            ("sda", "sda"),
            ("sda1", "sda"),
            ("dm-2", "sda"),
            ("dm-3", "sdb sda"),
            ("dm-4", "sdc sdd"),
            ("dm-5", "sdc sdd"),
        ] {
            assert_eq!(names(&bottoms(&devices, named(&devices, name))), ends, "{name}");
        }
    }

    #[test]
    fn whatever_rests_on_a_disk_is_above_it() {
        let devices = devices();
        assert_eq!(names(&above(&devices, named(&devices, "sda"))), "sda1 sda2 dm-0 dm-3 dm-1 dm-2");
        assert_eq!(names(&above(&devices, named(&devices, "dm-4"))), "dm-5");
        assert_eq!(names(&above(&devices, named(&devices, "dm-2"))), "");
    }

    #[test]
    fn a_file_system_is_found_through_a_partition_and_lvm_only_where_all_of_it_is_on_the_volume() {
        let devices = devices();
        let find = |volume: &str, layers: &Layers| {
            within(&devices, named(&devices, volume), layers).map(|device| device.name.as_str())
        };
        assert_eq!(find("sda", &Layers::default()), Some("sda"));
        assert_eq!(find("sda", &layers(1, None)), Some("sda1"));
        assert_eq!(find("sda", &layers(2, Some(("vg", "thin")))), Some("dm-2"));
        assert_eq!(find("dm-4", &layers(1, None)), Some("dm-5"));
        assert_eq!(find("sda", &layers(1, Some(("vg", "thin")))), None, "on the other partition");
        assert_eq!(find("sda", &layers(0, Some(("vg", "thin")))), None, "not on the disk itself");
        assert_eq!(find("sda", &layers(2, Some(("vg2", "wide")))), None, "half of it is on another disk");
        assert_eq!(find("sda", &layers(3, None)), None);
        assert_eq!(find("sdb", &layers(1, None)), None);
    }
}
