//! What is mounted at one place, with the block device behind it.

use std::os::fd::AsFd;

use rustix::io::Errno;
use sanfleet_protocol::MountPoint;

use super::{LinuxHost, act};
use crate::host::{DeviceNumber, Host, HostError, MountEntry, ioctl};

/// The mount at this very place. Several on top of each other are refused: which of them is meant nobody can know.
pub fn at(host: &LinuxHost, at: &MountPoint) -> Result<Option<MountEntry>, HostError> {
    let mut here = host.mounts()?.into_iter().filter(|entry| entry.mount_point == at.as_path());
    let (first, second) = (here.next(), here.next());
    match (first, second) {
        (_, Some(_)) => Err(HostError::Invalid {
            what: at.to_string(),
            why: "has several file systems mounted on top of each other".to_owned(),
        }),
        (Some(entry), None) if entry.file_system == "btrfs" => {
            let device = btrfs_device(host, at)?;
            Ok(Some(MountEntry { device, ..entry }))
        }
        (first, None) => Ok(first),
    }
}

/// The mount table tells a btrfs only by the path that it was given. Its one device is found by the id that the kernel
/// mounted it under.
fn btrfs_device(host: &LinuxHost, at: &MountPoint) -> Result<DeviceNumber, HostError> {
    let directory = act::open_directory(at)?;
    let (id, devices) =
        ioctl::btrfs_id(directory.as_fd()).map_err(|e| HostError::os(format!("ask btrfs on {at}"), e))?;
    if devices != 1 {
        return Err(HostError::Invalid {
            what: at.to_string(),
            why: format!("is a btrfs of {devices} devices; only one of a single device is one volume"),
        });
    }
    let id = sanfleet_protocol::VolumeId::Uuid(id).to_string();
    let list =
        host.options().sysfs_root.join("fs/btrfs").join(id.trim_start_matches("uuid.")).join("devices");
    let read = || -> std::io::Result<DeviceNumber> {
        let device = list.read_dir()?.next().ok_or(Errno::NODEV)??;
        let text = std::fs::read_to_string(device.path().join("dev"))?;
        number(text.trim()).ok_or_else(|| Errno::INVAL.into())
    };
    read().map_err(|e| HostError::os(format!("read {}", list.display()), e))
}

fn number(text: &str) -> Option<DeviceNumber> {
    let (major, minor) = text.split_once(':')?;
    Some(DeviceNumber { major: major.parse().ok()?, minor: minor.parse().ok()? })
}
