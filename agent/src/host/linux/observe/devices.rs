//! The block devices of this host, as sysfs shows them.
//!
//! Left out are places where a device could be and none is (unbound loop, ram and zram devices), optical and floppy
//! drives, which no array provides and which hang or spin up when they are opened, and the hidden paths of an NVMe head.

use std::{num::NonZeroU32, path::Path};

use sanfleet_protocol::{Initiator, LvmMap, v1::DeviceKind};

use super::{
    attribute,
    block::{self, BlockNode},
    device_ids, fabric,
};
use crate::host::{DeviceNumber, HostError, SysDevice, linux::LinuxHostOptions};

/// sysfs counts sizes in these, whatever the device's own block size is.
const SECTOR_BYTES: u64 = 512;
/// Major numbers of floppy and optical drives (Linux `Documentation/admin-guide/devices.txt`).
const REMOVABLE_DRIVES: [u32; 2] = [2, 11];

/// All devices, in the order of their numbers. A device that vanishes while it is read is left out.
pub fn devices(options: &LinuxHostOptions, own: &[Initiator]) -> Result<Vec<SysDevice>, HostError> {
    let mut devices: Vec<SysDevice> = block::nodes(&options.sysfs_root)?
        .iter()
        .filter_map(|node| device(node, options.loop_fabric.as_deref(), own))
        .collect();
    devices.sort_by_key(|device| device.number);
    inherit_from_paths(&mut devices);
    Ok(devices)
}

fn device(node: &BlockNode, loop_fabric: Option<&Path>, own: &[Initiator]) -> Option<SysDevice> {
    let number = number(&node.text("dev")?)?;
    let size_bytes = node.number::<u64>("size")?.saturating_mul(SECTOR_BYTES);
    let virtual_and_empty = size_bytes == 0 && !node.has("device") && !node.has("dm") && !node.has("md");
    let hidden = node.text("hidden").as_deref() == Some("1") || is_nvme_path(&node.name);
    if virtual_and_empty || hidden || REMOVABLE_DRIVES.contains(&number.major) {
        return None;
    }
    let kind = kind(node)?;
    let on_loop_fabric = loop_fabric.filter(|_| kind == DeviceKind::Loop).and_then(|root| {
        let backing = node.bytes("loop/backing_file")?;
        fabric::published_lun(root, own, &backing)
    });
    let [mut vendor, mut model] = ["device/vendor", "device/model"].map(|attribute| node.text(attribute));
    let mut serial = serial(node);
    if vendor.is_none() || model.is_none() || serial.is_none() {
        let udev = node.udev();
        (vendor, model, serial) = (vendor.or(udev.vendor), model.or(udev.model), serial.or(udev.serial));
    }
    Some(SysDevice {
        number,
        kind,
        size_bytes,
        read_only: node.text("ro").as_deref() == Some("1"),
        cached_ids: match &on_loop_fabric {
            Some(lun) => device_ids::from_page(&lun.join("vpd_pg83")),
            None => device_ids::cached(node, kind),
        },
        vendor: vendor.unwrap_or_default(),
        model: model.unwrap_or_default(),
        serial: serial.unwrap_or_default(),
        holders: related(node, "holders"),
        slaves: related(node, "slaves"),
        parent: node.disk().and_then(block::kernel_name).or_else(|| disk_of_map_part(node)),
        partition: node.number("partition").or_else(|| number_of_map_part(node)),
        lvm: lvm(node),
        disk_sequence: disk_sequence(node),
        fabric: match on_loop_fabric {
            Some(_) => Some(fabric::LOOP.to_owned()),
            None => fabric::of(node, kind),
        },
        name: node.name.clone(),
    })
}

/// `None` for a loop device without a file behind it.
fn kind(node: &BlockNode) -> Option<DeviceKind> {
    if node.is_partition() {
        return Some(DeviceKind::Partition);
    }
    if node.has("dm") {
        return Some(match node.text("dm/uuid") {
            Some(uuid) if uuid.starts_with("mpath-") => DeviceKind::Multipath,
            Some(uuid) if number_in(&uuid).is_some() => DeviceKind::Partition,
            _ => DeviceKind::DeviceMapper,
        });
    }
    if node.has("md") {
        return Some(DeviceKind::Md);
    }
    if node.name.starts_with("loop") {
        return node.has("loop/backing_file").then_some(DeviceKind::Loop);
    }
    Some(if node.name.starts_with("nvme") { DeviceKind::Nvme } else { DeviceKind::Disk })
}

/// Of a partition of a multipath map, which is a map itself: kpartx(8) has its number in `part1-mpath-…`.
fn number_in(dm_uuid: &str) -> Option<NonZeroU32> {
    let (number, of) = dm_uuid.strip_prefix("part")?.split_once('-')?;
    of.starts_with("mpath-").then(|| number.parse().ok()).flatten()
}

fn number_of_map_part(node: &BlockNode) -> Option<NonZeroU32> {
    number_in(&node.text("dm/uuid")?)
}

fn disk_of_map_part(node: &BlockNode) -> Option<String> {
    number_of_map_part(node)?;
    related(node, "slaves").into_iter().next()
}

fn lvm(node: &BlockNode) -> Option<LvmMap> {
    let is_lvms = node.text("dm/uuid").is_some_and(|uuid| uuid.starts_with("LVM-"));
    is_lvms.then(|| LvmMap::from_name(&node.text("dm/name")?)).flatten()
}

/// True for `nvme0c1n1`, one path of the head `nvme0n1`: the controller's number stands between the two.
fn is_nvme_path(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("nvme") else { return false };
    rest.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with('c')
}

fn number(text: &str) -> Option<DeviceNumber> {
    let (major, minor) = text.split_once(':')?;
    Some(DeviceNumber { major: major.parse().ok()?, minor: minor.parse().ok()? })
}

/// SCSI page 0x80, then what NVMe and virtio show. The page's text may be padded with blanks or NULs.
fn serial(node: &BlockNode) -> Option<String> {
    let from_page = || {
        let page = node.bytes("device/vpd_pg80")?;
        let [_, 0x80, high, low, body @ ..] = page.as_slice() else { return None };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        attribute::legible(body.get(..length).unwrap_or(body))
    };
    from_page().or_else(|| node.text("device/serial")).or_else(|| node.text("serial"))
}

fn related(node: &BlockNode, directory: &str) -> Vec<String> {
    attribute::names(&node.path(directory)).into_iter().map(|name| name.replace('!', "/")).collect()
}

/// A partition lives and dies with its disk, so it has that one's number.
fn disk_sequence(node: &BlockNode) -> u64 {
    let directory = node.disk().unwrap_or(&node.directory);
    attribute::number(&directory.join("diskseq")).unwrap_or_default()
}

/// A multipath map is known by each id that all of its paths have, not only by the one its name is made of, and came over
/// the fabric that they came over.
fn inherit_from_paths(devices: &mut [SysDevice]) {
    for place in 0..devices.len() {
        let Some(map) = devices.get(place).filter(|device| device.kind == DeviceKind::Multipath) else {
            continue;
        };
        let paths: Vec<&SysDevice> =
            devices.iter().filter(|device| map.slaves.contains(&device.name)).collect();
        let Some((first, others)) = paths.split_first() else { continue };
        let shared: Vec<_> = first
            .cached_ids
            .iter()
            .filter(|id| !map.cached_ids.contains(id))
            .filter(|id| others.iter().all(|path| path.cached_ids.contains(id)))
            .cloned()
            .collect();
        let one_fabric = others.iter().all(|path| path.fabric == first.fabric);
        let inherited = one_fabric.then(|| first.fabric.clone()).flatten();
        let describe = (first.vendor.clone(), first.model.clone());
        if let Some(map) = devices.get_mut(place) {
            map.cached_ids.extend(shared);
            map.fabric = inherited;
            (map.vendor, map.model) = describe;
        }
    }
}
