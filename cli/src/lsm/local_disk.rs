//! The disks of this host, as sysfs tells of them. Only read; what sysfs does not say is unknown.
//!
//! Which block devices are a volume of the array is found by the NAA id, which arrays tell and disks tell in band.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

use sanfleet_driver::{LinkType, Rpm};
use sanfleet_protocol::volume_id::{VolumeId, designators};
use serde::Serialize;

/// Where sysfs is, unless a test says otherwise.
pub const SYSFS: &str = "/sys";

/// More than any page of a disk holds.
const MAX_FILE: usize = 128 << 10;

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
}

impl LocalDisk {
    /// Sysfs knows nothing of the lamps.
    pub const LED_UNKNOWN: u64 = 1;
    pub const HEALTH_UNKNOWN: i64 = -1;
}

/// All disks of this host.
pub fn list(sysfs: &Path) -> io::Result<Vec<LocalDisk>> {
    Ok(disks(sysfs)?.iter().map(Node::disk).collect())
}

/// The block devices of this host by their NAA ids.
#[derive(Debug, Default)]
pub struct DiskPaths {
    by_id: HashMap<VolumeId, Vec<String>>,
}

impl DiskPaths {
    /// Reads the ids of all disks. Without disks that is one look into one folder.
    pub fn scan(sysfs: &Path) -> io::Result<Self> {
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
    folder: PathBuf,
}

/// SCSI disks and NVMe namespaces, in the order in which they got their names.
fn disks(sysfs: &Path) -> io::Result<Vec<Node>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(sysfs.join("block"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_disk(&name) {
            found.push(Node { name, folder: entry.path() });
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
        format!("/dev/{}", self.name)
    }

    fn disk(&self) -> LocalDisk {
        LocalDisk {
            path: self.path(),
            vpd83: self.naa_ids().first().and_then(VolumeId::lsm_vpd83).unwrap_or_default(),
            rpm: self.rpm(),
            link_type: self.link_type(),
            serial: self.serial(),
        }
    }

    /// From the page itself, or from what the kernel has read out of it.
    fn naa_ids(&self) -> Vec<VolumeId> {
        let from_page =
            self.read("device/vpd_pg83").and_then(|page| designators(&page).ok()).unwrap_or_default();
        let mut ids: Vec<_> = from_page.into_iter().filter(|id| id.lsm_vpd83().is_some()).collect();
        if ids.is_empty() {
            let wwid = self.text("device/wwid").or_else(|| self.text("wwid"));
            ids.extend(
                wwid.and_then(|wwid| wwid.parse::<VolumeId>().ok()).filter(|id| id.lsm_vpd83().is_some()),
            );
        }
        ids
    }

    /// The block device characteristics page (SBC-4 §6.6.2) tells the speed, the queue only whether anything turns.
    fn rpm(&self) -> Rpm {
        if let Some([_, 0xb1, _, _, high, low, ..]) = self.read("device/vpd_pgb1").as_deref() {
            match u16::from_be_bytes([*high, *low]) {
                1 => return Rpm::NON_ROTATING,
                speed @ 0x401..=0xfffe => return Rpm(speed.into()),
                _ => {}
            }
        }
        match self.text("queue/rotational").as_deref() {
            Some("0") => Rpm::NON_ROTATING,
            Some("1") => Rpm::ROTATING_UNKNOWN_SPEED,
            _ => Rpm::UNKNOWN,
        }
    }

    /// By what the disk hangs on in the tree of devices.
    fn link_type(&self) -> LinkType {
        let place = fs::canonicalize(&self.folder).unwrap_or_default();
        let place = place.to_string_lossy();
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
        let from_page = self.read("device/vpd_pg80").and_then(|page| {
            let length = usize::from(*page.get(3)?);
            page.get(4..)?.get(..length).map(|serial| String::from_utf8_lossy(serial).trim().to_owned())
        });
        from_page.or_else(|| self.text("device/serial")).unwrap_or_default()
    }

    fn text(&self, file: &str) -> Option<String> {
        let bytes = self.read(file)?;
        let text = String::from_utf8_lossy(&bytes).trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    /// A file that a disk does not have, or that it does not let us read, is one that says nothing.
    fn read(&self, file: &str) -> Option<Vec<u8>> {
        let bytes = fs::read(self.folder.join(file)).ok()?;
        (bytes.len() <= MAX_FILE).then_some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAA: &str = "naa.60014053fef180bf1000000000000000";

    struct Sysfs(tempfile::TempDir);

    impl Sysfs {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(folder.path().join("block")).unwrap();
            Self(folder)
        }

        fn with(self, disk: &str, file: &str, bytes: &[u8]) -> Self {
            let path = self.0.path().join("block").join(disk).join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
            self
        }
    }

    #[test]
    fn a_volume_is_found_at_all_of_its_paths_whatever_the_case_of_its_digits() {
        let id: VolumeId = NAA.parse().unwrap();
        let sysfs = Sysfs::new()
            .with("sdaa", "device/wwid", format!("{NAA}\n").as_bytes())
            .with("sdb", "device/vpd_pg83", &sanfleet_protocol::volume_id::page(&[id]))
            .with("sdc", "device/wwid", b"naa.60014053fef180bf1000000000000001\n")
            .with("loop0", "wwid", format!("{NAA}\n").as_bytes());
        let paths = DiskPaths::scan(sysfs.0.path()).unwrap();
        assert_eq!(paths.of("60014053FEF180BF1000000000000000"), ["/dev/sdb", "/dev/sdaa"]);
        assert_eq!(paths.of(""), Vec::<String>::new());
        assert_eq!(paths.of("60014053fef180bf1000000000000009"), Vec::<String>::new());
    }

    #[test]
    fn a_disk_is_told_with_what_sysfs_has_of_it() {
        let sysfs = Sysfs::new()
            .with("sda", "device/wwid", NAA.as_bytes())
            .with("sda", "device/vpd_pg80", b"\0\x80\0\x08  S3R1AL")
            .with("sda", "device/vpd_pgb1", b"\0\xb1\0\x3c\x1c\x20\0\0")
            .with("nvme0n1", "wwid", b"eui.0025385b71b00001")
            .with("nvme0n1", "device/serial", b"S4EV  \n")
            .with("nvme0n1", "queue/rotational", b"0\n")
            .with("nvme0c0n1", "wwid", b"eui.0025385b71b00001");
        let disks = list(sysfs.0.path()).unwrap();
        assert_eq!(disks.len(), 2);
        let [sda, nvme] = &disks[..] else { panic!() };
        assert_eq!(
            (sda.path.as_str(), sda.vpd83.as_str(), sda.serial.as_str()),
            ("/dev/sda", &NAA[4..], "S3R1AL")
        );
        assert_eq!(sda.rpm, Rpm(7200));
        assert_eq!((nvme.vpd83.as_str(), nvme.serial.as_str(), nvme.rpm), ("", "S4EV", Rpm::NON_ROTATING));
        assert_eq!(nvme.link_type, LinkType::PCIE);
    }

    #[test]
    fn pages_that_are_cut_say_nothing() {
        let sysfs = Sysfs::new()
            .with("sda", "device/vpd_pg80", b"\0\x80\0\xff")
            .with("sda", "device/vpd_pg83", b"\0\x83")
            .with("sda", "device/vpd_pgb1", b"\0\xb1");
        let disks = list(sysfs.0.path()).unwrap();
        assert_eq!((disks[0].vpd83.as_str(), disks[0].serial.as_str(), disks[0].rpm), ("", "", Rpm::UNKNOWN));
    }
}
