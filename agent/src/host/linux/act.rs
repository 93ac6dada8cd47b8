//! The acting half of the host.

use sanfleet_protocol::{MountPoint, VolumeId};

use super::LinuxHost;
use crate::{
    host::{HostError, MountOptions, OpenDevice, SysDevice},
    verify::VerifiedDevice,
};

fn not_built<T>(what: &str) -> Result<T, HostError> {
    Err(HostError::Invalid { what: what.to_owned(), why: "not built yet".to_owned() })
}

pub fn open(_host: &LinuxHost, _device: &SysDevice) -> Result<Box<dyn OpenDevice>, HostError> {
    not_built("open")
}

pub fn rescan(_host: &LinuxHost, _fabric: &str, _volume: &VolumeId) -> Result<bool, HostError> {
    not_built("rescan")
}

pub fn detach(_host: &LinuxHost, _device: VerifiedDevice) -> Result<(), HostError> {
    not_built("detach")
}

pub fn check_mount_point(_host: &LinuxHost, _at: &MountPoint) -> Result<(), HostError> {
    not_built("check_mount_point")
}

pub fn mount(
    _host: &LinuxHost,
    _device: &VerifiedDevice,
    _at: &MountPoint,
    _options: &MountOptions,
) -> Result<(), HostError> {
    not_built("mount")
}

pub fn unmount(_host: &LinuxHost, _at: &MountPoint) -> Result<(), HostError> {
    not_built("unmount")
}

pub fn sync_file_system(_host: &LinuxHost, _at: &MountPoint) -> Result<(), HostError> {
    not_built("sync_file_system")
}
