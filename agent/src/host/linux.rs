//! The Linux side of the seam.

use std::{collections::BTreeMap, fs, path::{Path, PathBuf}, time::Duration};

use sanfleet_protocol::{Initiator, MountPoint, VolumeId, v1, volume_id};

use super::{Changed, DeviceNumber, Host, HostError, MountEntry, MountOptions, OpenDevice, SysDevice};
use crate::verify::VerifiedDevice;

pub mod act;
mod device;
pub(crate) mod holders;
mod mounted;
mod nvme;

#[derive(Debug, Clone)]
pub struct LinuxHostOptions {
    pub sysfs_root: PathBuf,
    pub proc_root: PathBuf,
    pub dev_root: PathBuf,
    pub etc_root: PathBuf,
    pub loop_fabric: Option<PathBuf>,
    pub initiators: Vec<Initiator>,
}

impl Default for LinuxHostOptions {
    fn default() -> Self {
        Self {
            sysfs_root: "/sys".into(),
            proc_root: "/proc".into(),
            dev_root: "/dev".into(),
            etc_root: "/etc".into(),
            loop_fabric: None,
            initiators: Vec::new(),
        }
    }
}

#[derive(Debug)]
pub struct LinuxHost {
    options: LinuxHostOptions,
}

impl LinuxHost {
    pub fn new(options: LinuxHostOptions) -> Self {
        Self { options }
    }

    pub(crate) fn options(&self) -> &LinuxHostOptions {
        &self.options
    }

    fn cached(&self, backing: &Path) -> Vec<VolumeId> {
        let under = self.options.loop_fabric.as_ref().is_some_and(|fabric| backing.starts_with(fabric));
        let page = backing.parent().map(|dir| dir.join("vpd_pg83"));
        page.filter(|_| under)
            .and_then(|page| fs::read(page).ok())
            .and_then(|page| volume_id::designators(&page).ok())
            .unwrap_or_default()
    }
}

impl Host for LinuxHost {
    fn boot_id(&self) -> String {
        String::new()
    }

    fn facts(&self) -> v1::HostFacts {
        v1::HostFacts::default()
    }

    fn initiators(&self) -> Vec<Initiator> {
        self.options.initiators.clone()
    }

    fn fabrics(&self) -> Vec<String> {
        self.options.loop_fabric.iter().map(|_| "loop".to_owned()).collect()
    }

    fn devices(&self) -> Result<Vec<SysDevice>, HostError> {
        let block = self.options.sysfs_root.join("block");
        let mut devices = BTreeMap::new();
        for entry in fs::read_dir(&block).map_err(|e| HostError::os("list", e))?.filter_map(Result::ok) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let read = |file: &str| fs::read_to_string(entry.path().join(file)).map(|t| t.trim().to_owned());
            let Ok(backing) = read("loop/backing_file") else { continue };
            let Ok(number) = read("dev") else { continue };
            let Some((major, minor)) = number.split_once(':') else { continue };
            let device = SysDevice {
                number: DeviceNumber { major: major.parse().unwrap_or(0), minor: minor.parse().unwrap_or(0) },
                name: name.clone(),
                kind: v1::DeviceKind::Loop,
                size_bytes: read("size").ok().and_then(|t| t.parse::<u64>().ok()).unwrap_or(0) * 512,
                read_only: false,
                cached_ids: self.cached(Path::new(&backing)),
                vendor: String::new(),
                model: String::new(),
                serial: String::new(),
                holders: vec![],
                slaves: vec![],
                parent: None,
                disk_sequence: read("diskseq").ok().and_then(|t| t.parse().ok()).unwrap_or(0),
                fabric: None,
            };
            devices.insert(name, device);
        }
        Ok(devices.into_values().collect())
    }

    fn mounts(&self) -> Result<Vec<MountEntry>, HostError> {
        let path = self.options.proc_root.join("self/mountinfo");
        let text = fs::read_to_string(&path).map_err(|e| HostError::os("read mountinfo", e))?;
        Ok(text
            .lines()
            .filter_map(|line| {
                let (left, right) = line.split_once(" - ")?;
                let left: Vec<&str> = left.split(' ').collect();
                let (major, minor) = left.get(2)?.split_once(':')?;
                let mut right = right.split(' ');
                let file_system = right.next()?.to_owned();
                let super_options = right.nth(1)?;
                let has_ro = |list: &str| list.split(',').any(|o| o == "ro");
                Some(MountEntry {
                    mount_point: PathBuf::from(left.get(4)?),
                    device: DeviceNumber { major: major.parse().ok()?, minor: minor.parse().ok()? },
                    file_system,
                    read_only: has_ro(left.get(5)?) || has_ro(super_options),
                    root: PathBuf::from(left.get(3)?),
                })
            })
            .collect())
    }

    fn wait_for_change(&self, at_most: Duration) -> Result<Option<Changed>, HostError> {
        std::thread::sleep(at_most);
        Ok(None)
    }

    fn open(&self, device: &SysDevice) -> Result<Box<dyn OpenDevice>, HostError> {
        act::open(self, device)
    }

    fn rescan(&self, fabric: &str, volume: &VolumeId) -> Result<bool, HostError> {
        act::rescan(self, fabric, volume)
    }

    fn detach(&self, device: VerifiedDevice) -> Result<(), HostError> {
        act::detach(self, device)
    }

    fn check_mount_point(&self, at: &MountPoint) -> Result<(), HostError> {
        act::check_mount_point(self, at)
    }

    fn mount(
        &self,
        device: &VerifiedDevice,
        at: &MountPoint,
        options: &MountOptions,
    ) -> Result<(), HostError> {
        act::mount(self, device, at, options)
    }

    fn unmount(&self, at: &MountPoint) -> Result<(), HostError> {
        act::unmount(self, at)
    }

    fn sync_file_system(&self, at: &MountPoint) -> Result<(), HostError> {
        act::sync_file_system(self, at)
    }
}
