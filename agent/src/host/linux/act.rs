//! What changes a Linux host: devices come and go, file systems are mounted and unmounted.
//!
//! Each function checks, acts and verifies, and does nothing when the world already is as asked. None of them chooses a
//! device by its name.

use std::{os::fd::BorrowedFd, path::PathBuf};

use sanfleet_protocol::{MountPoint, VolumeId};

use crate::{
    deadline::Deadline,
    fabric::{
        Fabric, Wanted,
        fc::{self, FcFabric},
        iscsi::{self, IscsiFabric},
        loopback::LoopFabric,
    },
    host::{Host, HostError, OpenDevice, SysDevice, Usage, linux::LinuxHost},
    verify::VerifiedDevice,
};

mod directory;
mod format;
mod grow;
mod identity;
mod layers;
mod mount;
mod persist;
mod unmount;

pub use directory::{check_mount_point, open as open_directory};
pub use format::make_file_system;
pub use grow::{grow_file_system, reread_size, resize_map};
pub use identity::set_file_system_id;
pub use layers::{close_layers, open_layers, physical_volumes};
pub use mount::mount;
pub use persist::{forget_mount, persist_mount};
pub use unmount::unmount;

pub fn open(host: &LinuxHost, device: &SysDevice) -> Result<Box<dyn OpenDevice>, HostError> {
    super::device::open(host, device)
}

pub fn rescan(
    host: &LinuxHost,
    fabric: &str,
    wanted: Wanted<'_>,
    deadline: Deadline,
) -> Result<bool, HostError> {
    match fabrics(host).into_iter().find(|known| known.name() == fabric) {
        Some(fabric) => fabric.rescan(wanted, deadline),
        None => Err(HostError::Invalid {
            what: format!("fabric {fabric}"),
            why: format!("this host has {}", listed(&host.fabrics())),
        }),
    }
}

/// Flushes the device and takes it away. Which fabric it came over follows from what it is.
pub fn detach(host: &LinuxHost, device: VerifiedDevice, deadline: Deadline) -> Result<(), HostError> {
    match fabrics(host).into_iter().find(|fabric| fabric.brought(&device)) {
        Some(fabric) => fabric.detach(device, deadline),
        None => Err(HostError::Invalid {
            what: device.device().name(),
            why: "came over no fabric that this agent can take it away from".to_owned(),
        }),
    }
}

/// Over whichever fabrics they came.
pub fn drop_unmapped(host: &LinuxHost, volume: &VolumeId, deadline: Deadline) -> Result<bool, HostError> {
    let mut changed = false;
    for fabric in fabrics(host) {
        changed |= fabric.drop_unmapped(volume, deadline)?;
    }
    Ok(changed)
}

/// Those that are configured.
fn fabrics(host: &LinuxHost) -> Vec<Box<dyn Fabric + '_>> {
    let simulated = loop_fabric(host).map(|fabric| Box::new(fabric) as Box<dyn Fabric>);
    let iscsi = iscsi_fabric(host).map(|fabric| Box::new(fabric) as Box<dyn Fabric>);
    let fc = fc_fabric(host).map(|fabric| Box::new(fabric) as Box<dyn Fabric>);
    simulated.into_iter().chain(iscsi).chain(fc).collect()
}

pub fn sync_file_system(_: &LinuxHost, at: &MountPoint) -> Result<(), HostError> {
    let directory = directory::open(at)?;
    rustix::fs::syncfs(&directory).map_err(|e| HostError::os(format!("write back {at}"), e))
}

pub fn usage(at: &MountPoint) -> Result<Usage, HostError> {
    // By its path, and not by a descriptor, which would keep an unmount at the same moment from being done.
    let found =
        rustix::fs::statvfs(at.as_path()).map_err(|e| HostError::os(format!("ask {at} for its size"), e))?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Ok(Usage { size_bytes: bytes(found.f_blocks), free_bytes: bytes(found.f_bavail) })
}

/// The descriptor to act by.
fn descriptor(device: &dyn OpenDevice) -> Result<BorrowedFd<'_>, HostError> {
    device.descriptor().ok_or_else(|| HostError::Invalid {
        what: device.name(),
        why: "is not a device of this kernel".to_owned(),
    })
}

/// The simulated fabric, where one is configured.
pub fn loop_fabric(host: &LinuxHost) -> Option<LoopFabric> {
    let options = host.options();
    let directory = options.loop_fabric.clone()?;
    Some(LoopFabric::new(directory, host.initiators(), options.sysfs_root.clone(), options.dev_root.clone()))
}

fn iscsi_fabric(host: &LinuxHost) -> Option<IscsiFabric<&LinuxHost>> {
    let options = host.options();
    let places = iscsi::Places {
        sysfs_root: options.sysfs_root.clone(),
        // Where Debian has them, and where open-iscsi itself does.
        nodes: vec![options.etc_root.join("iscsi/nodes"), PathBuf::from("/var/lib/iscsi/nodes")],
        locks: options.run_root.join("sanfleet-agent/iscsi"),
    };
    let settings = options.iscsi.clone()?;
    Some(IscsiFabric::new(places, settings, host))
}

fn fc_fabric(host: &LinuxHost) -> Option<FcFabric<&LinuxHost>> {
    let options = host.options();
    let places = fc::Places {
        sysfs_root: options.sysfs_root.clone(),
        locks: options.run_root.join("sanfleet-agent/fc"),
    };
    Some(FcFabric::new(places, options.fc?, host))
}

fn listed(fabrics: &[String]) -> String {
    match fabrics {
        [] => "no fabric".to_owned(),
        some => some.join(", "),
    }
}
