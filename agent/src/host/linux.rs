//! The real host: Linux, through sysfs, procfs and the kernel's own notices.
//!
//! This file only says who answers what: [`observe`] reads, [`act`] changes. Reading never opens a block device.

use std::{path::PathBuf, time::Duration};

use sanfleet_protocol::{FileSystemId, FileSystemKind, Initiator, Layers, LvmName, MountPoint, VolumeId, v1};

use super::{
    Changed, Host, HostError, MountEntry, MountOptions, NewFileSystem, OpenDevice, PersistentMount,
    SysDevice, Usage,
};
use crate::{
    blank::BlankDevice,
    config::{Fc, Iscsi},
    deadline::Deadline,
    fabric::Wanted,
    verify::VerifiedDevice,
};

pub mod act;
pub(crate) mod claim;
mod device;
pub(crate) mod holders;
mod mounted;
mod nvme;
pub(crate) mod observe;
mod scsi;
pub(crate) mod tool;
mod unit;

use observe::watch::Watch;

/// Where the host is looked at. The roots differ from the defaults only in tests.
#[derive(Debug, Clone)]
pub struct LinuxHostOptions {
    pub sysfs_root: PathBuf,
    pub proc_root: PathBuf,
    pub dev_root: PathBuf,
    pub etc_root: PathBuf,
    /// Where systemd units are written.
    pub unit_dir: PathBuf,
    /// Whether programs on a mounted volume may be started.
    pub exec: bool,
    /// For what is to be empty after a restart of the host.
    pub run_root: PathBuf,
    /// How to log in to iSCSI targets, where the agent may.
    pub iscsi: Option<Iscsi>,
    /// How volumes come in over Fibre Channel, where the agent may have them scanned for.
    pub fc: Option<Fc>,
    /// The directory of the simulated fabric, where there is one.
    pub loop_fabric: Option<PathBuf>,
    /// Initiator ids from the configuration; when there are any, the system's own are not looked for.
    pub initiators: Vec<Initiator>,
}

impl Default for LinuxHostOptions {
    fn default() -> Self {
        Self {
            sysfs_root: PathBuf::from("/sys"),
            proc_root: PathBuf::from("/proc"),
            dev_root: PathBuf::from("/dev"),
            etc_root: PathBuf::from("/etc"),
            unit_dir: PathBuf::from("/etc/systemd/system"),
            exec: false,
            run_root: PathBuf::from("/run"),
            iscsi: None,
            fc: None,
            loop_fabric: None,
            initiators: Vec::new(),
        }
    }
}

#[derive(Debug)]
pub struct LinuxHost {
    options: LinuxHostOptions,
    watch: Watch,
}

impl LinuxHost {
    /// Begins to listen for changes, so that none is missed between here and the first look.
    pub fn new(options: LinuxHostOptions) -> Result<Self, HostError> {
        let watch = Watch::start(&options.proc_root.join("self/mountinfo"))?;
        Ok(Self { options, watch })
    }

    pub fn options(&self) -> &LinuxHostOptions {
        &self.options
    }
}

impl Host for LinuxHost {
    fn boot_id(&self) -> String {
        observe::facts::boot_id(&self.options.proc_root)
    }

    fn facts(&self) -> v1::HostFacts {
        observe::facts::facts(&self.options.etc_root)
    }

    fn initiators(&self) -> Vec<Initiator> {
        observe::initiators::initiators(&self.options)
    }

    fn fabrics(&self) -> Vec<String> {
        observe::fabric::fabrics(&self.options)
    }

    fn devices(&self) -> Result<Vec<SysDevice>, HostError> {
        observe::devices::devices(&self.options, &self.initiators())
    }

    fn mounts(&self) -> Result<Vec<MountEntry>, HostError> {
        observe::mounts::mounts(&self.options)
    }

    fn wait_for_change(&self, at_most: Duration) -> Result<Option<Changed>, HostError> {
        self.watch.wait(at_most)
    }

    fn open(&self, device: &SysDevice) -> Result<Box<dyn OpenDevice>, HostError> {
        act::open(self, device)
    }

    fn rescan(&self, fabric: &str, wanted: Wanted<'_>, deadline: Deadline) -> Result<bool, HostError> {
        act::rescan(self, fabric, wanted, deadline)
    }

    fn detach(&self, device: VerifiedDevice, deadline: Deadline) -> Result<(), HostError> {
        act::detach(self, device, deadline)
    }

    fn drop_unmapped(&self, volume: &VolumeId, deadline: Deadline) -> Result<bool, HostError> {
        act::drop_unmapped(self, volume, deadline)
    }

    fn physical_volumes(&self, group: &LvmName, deadline: Deadline) -> Result<u32, HostError> {
        act::physical_volumes(group, deadline)
    }

    fn open_layers(
        &self,
        copy: &VerifiedDevice,
        of_source: &Layers,
        deadline: Deadline,
    ) -> Result<bool, HostError> {
        act::open_layers(self, copy, of_source, deadline)
    }

    fn close_layers(&self, copy: &VerifiedDevice, deadline: Deadline) -> Result<bool, HostError> {
        act::close_layers(self, copy, deadline)
    }

    fn make_file_system(
        &self,
        device: &BlankDevice<'_>,
        wanted: &NewFileSystem,
        deadline: Deadline,
    ) -> Result<(), HostError> {
        act::make_file_system(device, wanted, deadline)
    }

    fn set_file_system_id(
        &self,
        device: &VerifiedDevice,
        kind: FileSystemKind,
        id: FileSystemId,
        deadline: Deadline,
    ) -> Result<(), HostError> {
        act::set_file_system_id(self, device, kind, id, deadline)
    }

    fn reread_size(&self, device: &VerifiedDevice) -> Result<(), HostError> {
        act::reread_size(self, device)
    }

    fn resize_map(&self, device: &VerifiedDevice, deadline: Deadline) -> Result<(), HostError> {
        act::resize_map(self, device, deadline)
    }

    fn grow_file_system(&self, device: &VerifiedDevice, at: &MountPoint) -> Result<(), HostError> {
        act::grow_file_system(self, device, at)
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

    fn persist_mount(
        &self,
        device: &VerifiedDevice,
        at: &MountPoint,
        mount: &PersistentMount,
        deadline: Deadline,
    ) -> Result<bool, HostError> {
        act::persist_mount(self, device, at, mount, deadline)
    }

    fn forget_mount(&self, at: &MountPoint, deadline: Deadline) -> Result<bool, HostError> {
        act::forget_mount(self, at, deadline)
    }

    fn usage(&self, at: &MountPoint) -> Result<Usage, HostError> {
        act::usage(at)
    }

    fn sync_file_system(&self, at: &MountPoint) -> Result<(), HostError> {
        act::sync_file_system(self, at)
    }
}

#[cfg(test)]
mod tests;
