//! The disks of this host, as sysfs tells of them. Only read; what sysfs does not say is unknown.
//!
//! Which block devices are a volume of the array is found by the NAA id, which arrays tell and disks tell in band.

use std::{collections::HashMap, fs, io};

use sanfleet_driver::{LinkType, Rpm};
use sanfleet_protocol::volume_id::{VolumeId, designators};
use serde::Serialize;

use super::{
    lamp::{Lamps, LedStatus},
    link_speed::LinkSpeed,
    sysfs::Folder,
};

/// Begins the paths of all disks.
pub const DEV: &str = "/dev/";

/// One disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LocalDisk {
    /// `/dev/sda`.
    pub path: String,
    /// The NAA id in hex; empty when the disk has none.
    pub vpd83: String,
    pub rpm: Rpm,
    pub link_type: LinkType,
    pub serial: String,
    pub led_status: LedStatus,
    pub link_speed: LinkSpeed,
    pub health: Health,
}

/// In libStorageMgmt's numbers. Sysfs never says that a disk is well, only that the kernel has given it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Health(pub i64);

impl Health {
    pub const UNKNOWN: Self = Self(-1);
    pub const FAILURE: Self = Self(0);
}

/// All disks of this host.
pub fn list(sysfs: &Folder) -> io::Result<Vec<LocalDisk>> {
    Ok(disks(sysfs)?.iter().map(Node::disk).collect())
}

/// The folder of the disk with this path, which may be a link such as udev makes them.
pub fn find(sysfs: &Folder, path: &str) -> Option<Folder> {
    let real = fs::canonicalize(path).ok();
    let real = real.as_deref().and_then(|real| real.to_str()).unwrap_or(path);
    let name = real.strip_prefix(DEV).filter(|name| is_disk(name))?;
    let found = disks(sysfs).ok()?.into_iter().find(|node| node.name == name)?;
    Some(found.folder)
}

/// The block devices of this host by their NAA ids.
#[derive(Debug, Default)]
pub struct DiskPaths {
    by_id: HashMap<VolumeId, Vec<String>>,
}

impl DiskPaths {
    /// Reads the ids of all disks. Without disks that is one look into one folder.
    pub fn scan(sysfs: &Folder) -> io::Result<Self> {
        let mut by_id: HashMap<VolumeId, Vec<String>> = HashMap::new();
        for node in disks(sysfs)? {
            for id in node.naa_ids() {
                by_id.entry(id).or_default().push(node.path());
            }
        }
        Ok(Self { by_id })
    }

    /// Where the disk with this id is; nowhere for what is no NAA id.
    pub fn of(&self, vpd83: &str) -> Vec<String> {
        if self.by_id.is_empty() {
            return Vec::new();
        }
        let id = VolumeId::from_lsm_vpd83(vpd83);
        id.and_then(|id| self.by_id.get(&id)).cloned().unwrap_or_default()
    }
}

/// A disk's folder below `/sys/block`.
struct Node {
    name: String,
    folder: Folder,
}

/// SCSI disks and NVMe namespaces, in the order in which they got their names.
fn disks(sysfs: &Folder) -> io::Result<Vec<Node>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(sysfs.inner("block").path())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_disk(&name) {
            found.push(Node { name, folder: Folder::new(entry.path()) });
        }
    }
    found.sort_by_key(|node| (node.name.len(), node.name.clone()));
    Ok(found)
}

/// `sda`, `nvme0n1`; not `nvme0c0n1`, which is a path of a namespace and no device.
fn is_disk(name: &str) -> bool {
    let scsi = name.strip_prefix("sd").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_lowercase()));
    scsi || name.strip_prefix("nvme").is_some_and(|rest| !rest.contains('c'))
}

impl Node {
    fn path(&self) -> String {
        format!("{DEV}{}", self.name)
    }

    fn disk(&self) -> LocalDisk {
        LocalDisk {
            path: self.path(),
            vpd83: self.naa_ids().first().and_then(VolumeId::lsm_vpd83).unwrap_or_default(),
            rpm: self.rpm(),
            link_type: self.link_type(),
            serial: self.serial(),
            led_status: Lamps::of_disk(&self.folder).map_or(LedStatus::UNKNOWN, |lamps| lamps.status()),
            link_speed: LinkSpeed::of_disk(&self.folder),
            health: self.health(),
        }
    }

    /// `offline` is what the kernel makes of a SCSI disk that its error handling could not bring back, `dead` of an NVMe controller.
    fn health(&self) -> Health {
        match self.folder.text("device/state").as_deref() {
            Some("offline" | "dead") => Health::FAILURE,
            _ => Health::UNKNOWN,
        }
    }

    /// From the page itself, or from what the kernel has read out of it.
    fn naa_ids(&self) -> Vec<VolumeId> {
        let from_page =
            self.folder.read("device/vpd_pg83").and_then(|page| designators(&page).ok()).unwrap_or_default();
        let mut ids: Vec<_> = from_page.into_iter().filter(|id| id.lsm_vpd83().is_some()).collect();
        if ids.is_empty() {
            let wwid = self.folder.text("device/wwid").or_else(|| self.folder.text("wwid"));
            ids.extend(
                wwid.and_then(|wwid| wwid.parse::<VolumeId>().ok()).filter(|id| id.lsm_vpd83().is_some()),
            );
        }
        ids
    }

    /// The block device characteristics page (SBC-4 §6.6.2) tells the speed, the queue only whether anything turns.
    fn rpm(&self) -> Rpm {
        if let Some([_, 0xb1, _, _, high, low, ..]) = self.folder.read("device/vpd_pgb1").as_deref() {
            match u16::from_be_bytes([*high, *low]) {
                1 => return Rpm::NON_ROTATING,
                speed @ 0x401..=0xfffe => return Rpm(speed.into()),
                _ => {}
            }
        }
        match self.folder.text("queue/rotational").as_deref() {
            Some("0") => Rpm::NON_ROTATING,
            Some("1") => Rpm::ROTATING_UNKNOWN_SPEED,
            _ => Rpm::UNKNOWN,
        }
    }

    /// By what the disk hangs on in the tree of devices.
    fn link_type(&self) -> LinkType {
        let place = self.folder.in_tree();
        let place = place.path().to_string_lossy();
        let marks = [
            ("/nvme", LinkType::PCIE),
            ("/usb", LinkType::USB),
            ("/ata", LinkType::ATA),
            ("/session", LinkType::ISCSI),
            ("/rport-", LinkType::FC),
            ("/end_device-", LinkType::SAS),
        ];
        marks.iter().find(|(mark, _)| place.contains(mark)).map_or(LinkType::NO_SUPPORT, |(_, link)| *link)
    }

    /// The unit serial number page (SPC-5 §7.7.16), or what an NVMe controller says.
    fn serial(&self) -> String {
        let from_page = self.folder.read("device/vpd_pg80").and_then(|page| {
            let length = usize::from(*page.get(3)?);
            page.get(4..)?.get(..length).map(|serial| String::from_utf8_lossy(serial).trim().to_owned())
        });
        from_page.or_else(|| self.folder.text("device/serial")).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lsm::sysfs::fake::Sysfs;

    const NAA: &str = "naa.60014053fef180bf1000000000000000";

    #[test]
    fn a_volume_is_found_at_all_of_its_paths_whatever_the_case_of_its_digits() {
        let id: VolumeId = NAA.parse().unwrap();
        let sysfs = Sysfs::new()
            .with("block/sdaa/device/wwid", format!("{NAA}\n").as_bytes())
            .with("block/sdb/device/vpd_pg83", &sanfleet_protocol::volume_id::page(&[id]))
            .with("block/sdc/device/wwid", b"naa.60014053fef180bf1000000000000001\n")
            .with("block/loop0/wwid", format!("{NAA}\n").as_bytes());
        let paths = DiskPaths::scan(&sysfs.root()).unwrap();
        assert_eq!(paths.of("60014053FEF180BF1000000000000000"), ["/dev/sdb", "/dev/sdaa"]);
        assert_eq!(paths.of(""), Vec::<String>::new());
        assert_eq!(paths.of("60014053fef180bf1000000000000009"), Vec::<String>::new());
    }

    #[test]
    fn a_disk_is_told_with_what_sysfs_has_of_it() {
        let sysfs = Sysfs::new()
            .with("block/sda/device/wwid", NAA.as_bytes())
            .with("block/sda/device/vpd_pg80", b"\0\x80\0\x08  S3R1AL")
            .with("block/sda/device/vpd_pgb1", b"\0\xb1\0\x3c\x1c\x20\0\0")
            .with("block/nvme0n1/wwid", b"eui.0025385b71b00001")
            .with("block/nvme0n1/device/serial", b"S4EV  \n")
            .with("block/nvme0n1/queue/rotational", b"0\n")
            .with("block/nvme0c0n1/wwid", b"eui.0025385b71b00001");
        let disks = list(&sysfs.root()).unwrap();
        assert_eq!(disks.len(), 2);
        let [sda, nvme] = &disks[..] else { panic!() };
        assert_eq!(
            (sda.path.as_str(), sda.vpd83.as_str(), sda.serial.as_str()),
            ("/dev/sda", &NAA[4..], "S3R1AL")
        );
        assert_eq!(sda.rpm, Rpm(7200));
        assert_eq!((nvme.vpd83.as_str(), nvme.serial.as_str(), nvme.rpm), ("", "S4EV", Rpm::NON_ROTATING));
        assert_eq!(nvme.link_type, LinkType::PCIE);
        assert_eq!(
            (sda.led_status, sda.link_speed, sda.health),
            (LedStatus::UNKNOWN, LinkSpeed::UNKNOWN, Health::UNKNOWN)
        );
    }

    #[test]
    fn a_disk_is_in_ill_health_only_where_the_kernel_has_given_it_up() {
        for (state, health) in [
            ("running", Health::UNKNOWN),
            ("live", Health::UNKNOWN),
            ("transport-offline", Health::UNKNOWN),
            ("offline", Health::FAILURE),
            ("dead", Health::FAILURE),
        ] {
            let sysfs = Sysfs::new().with("block/sda/device/state", state.as_bytes());
            assert_eq!(list(&sysfs.root()).unwrap()[0].health, health, "{state}");
        }
    }

    #[test]
    fn pages_that_are_cut_say_nothing() {
        let sysfs = Sysfs::new()
            .with("block/sda/device/vpd_pg80", b"\0\x80\0\xff")
            .with("block/sda/device/vpd_pg83", b"\0\x83")
            .with("block/sda/device/vpd_pgb1", b"\0\xb1");
        let disks = list(&sysfs.root()).unwrap();
        assert_eq!((disks[0].vpd83.as_str(), disks[0].serial.as_str(), disks[0].rpm), ("", "", Rpm::UNKNOWN));
    }
}
