//! Unmounting: never lazily, never by force, because both say done when it is not. What is unmounted is named from the
//! directory above it, which is held meanwhile, so that nobody can lead an unmount to another place.

use rustix::{
    io::Errno,
    mount::{UnmountFlags, unmount as umount2},
};
use sanfleet_protocol::MountPoint;

use super::directory;
use crate::host::{Host, HostError, linux::LinuxHost, linux::holders, linux::mounted};

/// See [`Host::unmount`]. Fine when nothing is mounted there.
pub fn unmount(host: &LinuxHost, at: &MountPoint) -> Result<(), HostError> {
    if mounted::at(host, at)?.is_some() {
        let above = directory::above(at)?;
        match umount2(above.path(), UnmountFlags::NOFOLLOW) {
            Ok(()) => {}
            Err(Errno::BUSY) => {
                return Err(HostError::Busy { what: at.to_string(), by: users(host, at)? });
            }
            Err(error) => return Err(HostError::os(format!("unmount {at}"), error)),
        }
        if let Some(entry) = mounted::at(host, at)? {
            let why = format!("still shows device {} after it was unmounted", entry.device);
            return Err(HostError::Invalid { what: at.to_string(), why });
        }
    }
    directory::remove_made(at)
}

fn users(host: &LinuxHost, at: &MountPoint) -> Result<String, HostError> {
    let below: Vec<String> = host
        .mounts()?
        .iter()
        .filter(|entry| entry.mount_point != at.as_path() && entry.mount_point.starts_with(at.as_path()))
        .map(|entry| format!("the mount {}", entry.mount_point.display()))
        .collect();
    match below.is_empty() {
        true => Ok(holders::of_file_system(at.as_path())),
        false => Ok(below.join(", ")),
    }
}
