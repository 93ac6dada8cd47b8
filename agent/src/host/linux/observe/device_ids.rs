//! The ids that the kernel cached for a device: a hint where to look, never proof.
//!
//! The one-line `wwid` of SCSI is only a fallback: the kernel shows one id of several there, and for a device whose strong
//! id is a UUID a T10 text that all disks of the vendor share.

use std::path::Path;

use sanfleet_protocol::{VolumeId, v1::DeviceKind, volume_id};

use super::{attribute, block::BlockNode};

pub fn cached(node: &BlockNode, kind: DeviceKind) -> Vec<VolumeId> {
    match kind {
        DeviceKind::Disk => of_scsi_unit(&node.path("device")),
        DeviceKind::Nvme => nvme(node),
        DeviceKind::Multipath => multipath(node).into_iter().collect(),
        // A part of a volume, or something made of several, is not the volume.
        DeviceKind::Unspecified
        | DeviceKind::Partition
        | DeviceKind::DeviceMapper
        | DeviceKind::Loop
        | DeviceKind::Md => Vec::new(),
    }
}

/// The ids in a file that holds a raw VPD page 0x83; none when it is not there or no such page.
pub fn from_page(file: &Path) -> Vec<VolumeId> {
    attribute::bytes(file).and_then(|page| volume_id::designators(&page).ok()).unwrap_or_default()
}

/// What the kernel cached for a SCSI unit, by its own directory and not its disk's.
pub fn of_scsi_unit(directory: &Path) -> Vec<VolumeId> {
    let ids = from_page(&directory.join("vpd_pg83"));
    if !ids.is_empty() {
        return ids;
    }
    attribute::text(&directory.join("wwid")).and_then(|wwid| wwid.parse().ok()).into_iter().collect()
}

fn multipath(node: &BlockNode) -> Option<VolumeId> {
    VolumeId::from_multipath_wwid(node.text("dm/uuid")?.strip_prefix("mpath-")?).ok()
}

/// Linux `drivers/nvme/host/sysfs.c`: `wwid` is the strongest id that the namespace has; the others have a file each.
fn nvme(node: &BlockNode) -> Vec<VolumeId> {
    let nguid = node.text("nguid").and_then(|text| nonzero(text.replace('-', ""))).map(VolumeId::Nguid);
    let uuid = node.text("uuid").and_then(|text| nonzero(text.replace('-', ""))).filter(|uuid| {
        // A namespace without a UUID shows its NGUID in the file `uuid`.
        nguid != Some(VolumeId::Nguid(*uuid))
    });
    let eui = node.text("eui").and_then(|text| nonzero(text.replace(' ', ""))).map(VolumeId::Eui8);
    let wwid = node.text("wwid").and_then(|text| VolumeId::from_nvme_wwid(&text).ok());

    let mut ids = Vec::new();
    for id in [wwid, uuid.map(VolumeId::Uuid), nguid, eui].into_iter().flatten() {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

/// Exactly `N` bytes in hex digits; all zeros means that the device has no such id.
fn nonzero<const N: usize>(digits: String) -> Option<[u8; N]> {
    if digits.len() != 2 * N || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    (bytes != [0; N]).then_some(bytes)
}
