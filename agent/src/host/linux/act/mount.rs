//! Mounting a verified device, by its own descriptor.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::{
    fs::FileType,
    io::Errno,
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, UnmountFlags, fsconfig_create,
        fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, unmount,
    },
};
use sanfleet_protocol::MountPoint;

use super::{descriptor, directory};
use crate::{
    host::{
        DeviceNumber, HostError, MountEntry, MountOptions,
        linux::{LinuxHost, mounted},
    },
    verify::VerifiedDevice,
};

/// The kernel's names of the file systems that we mount. Each was tried; others are refused.
const KNOWN: [&str; 5] = ["ext2", "ext3", "ext4", "xfs", "btrfs"];

/// See [`Host::mount`]. Fine when this device is mounted there already in the same mode.
pub fn mount(
    host: &LinuxHost,
    device: &VerifiedDevice,
    at: &MountPoint,
    options: &MountOptions,
) -> Result<(), HostError> {
    refuse_unknown(device, options)?;
    if let Some(entry) = mounted::at(host, at)? {
        return same(&entry, device.number(), at, options);
    }
    let directory = directory::open_or_make(at)?;
    let result = attach(host, device, &directory, options)
        .and_then(|made| verify(host, device.number(), at, options).inspect_err(|_| take_back(&made, at)));
    if result.is_err() {
        drop(directory);
        // The error of the mount is what matters; an empty directory left behind is not worth hiding it.
        let _ = directory::remove_made(at);
    }
    result
}

fn refuse_unknown(device: &VerifiedDevice, options: &MountOptions) -> Result<(), HostError> {
    let invalid = |why| Err(HostError::Invalid { what: device.device().name(), why });
    if !KNOWN.contains(&options.file_system.as_str()) {
        return invalid(format!("file system {:?} is none of {}", options.file_system, KNOWN.join(", ")));
    }
    match device.device().file_system()? {
        Some(found) if found.kind == options.file_system => Ok(()),
        Some(found) => invalid(format!("holds {}, not {}", found.kind, options.file_system)),
        None => invalid(format!("holds no file system that we know, not {}", options.file_system)),
    }
}

fn same(
    entry: &MountEntry,
    device: DeviceNumber,
    at: &MountPoint,
    options: &MountOptions,
) -> Result<(), HostError> {
    if entry.device != device {
        let by = format!("device {} is mounted there, not {device}", entry.device);
        return Err(HostError::Busy { what: at.to_string(), by });
    }
    match entry.read_only == options.read_write {
        false => Ok(()),
        true => {
            let mode = if entry.read_only { "read-only" } else { "read-write" };
            Err(HostError::Busy { what: at.to_string(), by: format!("the same volume, mounted {mode}") })
        }
    }
}

/// Makes the mount out of sight, and then puts it on the very directory that was checked.
fn attach(
    host: &LinuxHost,
    device: &VerifiedDevice,
    directory: &OwnedFd,
    options: &MountOptions,
) -> Result<OwnedFd, HostError> {
    let made = detached(host, device, options)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(&made, "", directory, "", flags).map_err(|e| HostError::os(what(device, options), e))?;
    Ok(made)
}

/// A mount that is nowhere, and is gone when it is dropped.
pub fn detached(
    host: &LinuxHost,
    device: &VerifiedDevice,
    options: &MountOptions,
) -> Result<OwnedFd, HostError> {
    let context = fsopen(options.file_system.as_str(), FsOpenFlags::FSOPEN_CLOEXEC)
        .map_err(|e| HostError::os(what(device, options), e))?;
    configure(&context, &source(host, device, options)?, options)
        .map_err(|error| explained(&context, what(device, options), error))?;
    let mut attributes = MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOSUID;
    if !options.read_write {
        attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY;
    }
    if !host.options().exec {
        attributes |= MountAttrFlags::MOUNT_ATTR_NOEXEC;
    }
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
        .map_err(|error| explained(&context, what(device, options), error))
}

fn what(device: &VerifiedDevice, options: &MountOptions) -> String {
    format!("mount {} as {}", device.device().name(), options.file_system)
}

/// What is mounted is our own descriptor, not a name: nothing can come between asking the device and mounting it.
fn source(host: &LinuxHost, device: &VerifiedDevice, options: &MountOptions) -> Result<String, HostError> {
    let invalid = |why: &str| HostError::Invalid { what: device.device().name(), why: why.to_owned() };
    let descriptor = descriptor(device.device())?;
    if options.file_system != "btrfs" {
        return Ok(format!("/proc/self/fd/{}", descriptor.as_raw_fd()));
    }
    // The mount table tells the device of a btrfs by the path that it was given, so there it has to be its node: that of
    // the very number that we hold open, which can be no other device's as long as we do.
    let node = host.options().dev_root.join(device.device().name());
    let data =
        rustix::fs::stat(&node).map_err(|e| HostError::os(format!("look at {}", node.display()), e))?;
    let DeviceNumber { major, minor } = device.number();
    let same = FileType::from_raw_mode(data.st_mode) == FileType::BlockDevice
        && data.st_rdev == rustix::fs::makedev(major, minor);
    match same {
        true => Ok(node.display().to_string()),
        false => Err(invalid("has a node that is another device's")),
    }
}

fn configure(context: &OwnedFd, source: &str, options: &MountOptions) -> Result<(), Errno> {
    let fd = context.as_fd();
    fsconfig_set_string(fd, "source", source)?;
    if !options.read_write {
        fsconfig_set_flag(fd, "ro")?;
    }
    // A copy has the UUID of its source, which XFS refuses when both are mounted on one host.
    if options.file_system == "xfs" {
        fsconfig_set_flag(fd, "nouuid")?;
    }
    fsconfig_create(fd)
}

/// The kernel says in words, through the context, why it would not mount.
fn explained(context: &OwnedFd, what: String, error: Errno) -> HostError {
    let mut words = Vec::new();
    let mut line = [0u8; 512];
    while words.len() < 8
        && let Ok(length) = rustix::io::read(context, &mut line)
    {
        let text = String::from_utf8_lossy(line.get(..length).unwrap_or_default());
        words.push(text.trim().to_owned());
    }
    let what = if words.is_empty() { what } else { format!("{what} ({})", words.join("; ")) };
    match error {
        Errno::BUSY => HostError::Busy { what, by: "another mount or map of the device".to_owned() },
        other => HostError::os(what, other),
    }
}

/// Takes our own mount away from wherever it is by now, and no other: it is named by its descriptor. That is the one place
/// where an unmount does not wait for users, because the descriptor itself is one, and nobody else has seen the mount.
fn take_back(made: &OwnedFd, at: &MountPoint) {
    if let Err(error) = unmount(format!("/proc/self/fd/{}", made.as_raw_fd()), UnmountFlags::DETACH) {
        tracing::error!(%at, %error, "a mount that could not be verified could not be taken back");
    }
}

/// What mountinfo now shows must be the very device.
fn verify(
    host: &LinuxHost,
    device: DeviceNumber,
    at: &MountPoint,
    options: &MountOptions,
) -> Result<(), HostError> {
    let found = mounted::at(host, at)?;
    if found.as_ref().is_some_and(|entry| same(entry, device, at, options).is_ok()) {
        return Ok(());
    }
    let shown = found.map_or_else(|| "nothing".to_owned(), |entry| format!("device {}", entry.device));
    Err(HostError::Invalid {
        what: at.to_string(),
        why: format!("shows {shown} after device {device} was mounted"),
    })
}
