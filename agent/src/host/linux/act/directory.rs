//! The directory that a file system is mounted on. It is reached without following a symbolic link, so that nobody can
//! lead a mount to another place, and one that we make carries a mark, so that the unmount takes it away again.

use std::{
    ffi::OsStr,
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, Dir, Mode, OFlags, ResolveFlags, Stat, StatVfsMountFlags, XattrFlags},
    io::Errno,
};
use sanfleet_protocol::MountPoint;

use crate::host::{Host, HostError, linux::LinuxHost};

/// On a directory that we made. It lives and dies with the directory, so the two cannot get out of step.
const MADE: &str = "trusted.sanfleet.made";

/// See [`Host::check_mount_point`].
pub fn check_mount_point(host: &LinuxHost, at: &MountPoint) -> Result<(), HostError> {
    nothing_mounted(host, at)?;
    refuse_strangers(at)?;
    match open(at) {
        Ok(directory) => refuse_contents(&directory, at),
        Err(HostError::NotFound { .. }) => could_be_made(at),
        Err(other) => Err(other),
    }
}

/// Opens the directory; no part of the path may be a symbolic link.
pub fn open(at: &MountPoint) -> Result<OwnedFd, HostError> {
    open_path(at.as_path()).map_err(|error| path_error(at.as_path(), error))
}

/// Opens the empty directory, and makes it and what is missing above it.
pub fn open_or_make(at: &MountPoint) -> Result<OwnedFd, HostError> {
    for part in ancestors(at) {
        match open_path(part) {
            Ok(_) => {}
            Err(Errno::NOENT) => make(part)?,
            Err(error) => return Err(path_error(part, error)),
        }
    }
    refuse_strangers(at)?;
    let directory = open(at)?;
    refuse_contents(&directory, at)?;
    Ok(directory)
}

/// A mount point, named from the directory above it, which is held.
#[derive(Debug)]
pub struct Above<'a> {
    directory: OwnedFd,
    name: &'a OsStr,
}

impl Above<'_> {
    /// Good for as long as this is held. Only its last part could be a symbolic link.
    pub fn path(&self) -> PathBuf {
        Path::new("/proc/self/fd").join(self.directory.as_raw_fd().to_string()).join(self.name)
    }
}

/// What is mounted there is not opened, which would keep it busy.
pub fn above(at: &MountPoint) -> Result<Above<'_>, HostError> {
    let (directory, name) = parent_of(at.as_path()).map_err(|error| path_error(at.as_path(), error))?;
    Ok(Above { directory, name })
}

/// Removes the directories that [`open_or_make`] made here, as far as they are empty.
pub fn remove_made(at: &MountPoint) -> Result<(), HostError> {
    for part in ancestors(at).into_iter().rev() {
        let Ok(directory) = open_path(part) else { continue };
        if !is_made(&directory) {
            return Ok(());
        }
        match remove(part) {
            Ok(()) => {}
            // Somebody put something there, or uses it: it is theirs now.
            Err(Errno::NOTEMPTY | Errno::BUSY) => return Ok(()),
            Err(error) => return Err(path_error(part, error)),
        }
    }
    Ok(())
}

/// Whoever may write to a directory above may put another in the place of what is below it. So each above is ours or root's and
/// nobody else writes to it; or only with the sticky bit, and then what is below is ours or root's as well.
fn refuse_strangers(at: &MountPoint) -> Result<(), HostError> {
    let mut is_shared = false;
    for part in ancestors(at) {
        let found = match open_path(part).and_then(rustix::fs::fstat) {
            Ok(found) => found,
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(path_error(part, error)),
        };
        let refused = |why: String| Err(HostError::Invalid { what: part.display().to_string(), why });
        let is_above = part != at.as_path();
        if (is_above || is_shared) && is_strangers(&found) {
            return refused(format!("belongs to user {}, who could lead a mount elsewhere", found.st_uid));
        }
        is_shared = others_write_to(&found);
        if is_above && is_shared && !Mode::from_raw_mode(found.st_mode).contains(Mode::SVTX) {
            return refused("can be written to by others, who could lead a mount elsewhere".to_owned());
        }
    }
    Ok(())
}

fn is_strangers(found: &Stat) -> bool {
    found.st_uid != 0 && found.st_uid != rustix::process::geteuid().as_raw()
}

fn others_write_to(found: &Stat) -> bool {
    let mode = Mode::from_raw_mode(found.st_mode);
    mode.contains(Mode::WOTH) || (mode.contains(Mode::WGRP) && found.st_gid != 0)
}

fn nothing_mounted(host: &LinuxHost, at: &MountPoint) -> Result<(), HostError> {
    match host.mounts()?.into_iter().find(|entry| entry.mount_point == at.as_path()) {
        None => Ok(()),
        Some(entry) => Err(HostError::Busy {
            what: at.to_string(),
            by: format!("{} of device {} is mounted there", entry.file_system, entry.device),
        }),
    }
}

fn open_path(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)
}

/// The path of the mount point and of each directory above it, from the top, without the root.
fn ancestors(at: &MountPoint) -> Vec<&Path> {
    let mut parts: Vec<&Path> = at.as_path().ancestors().filter(|part| part.parent().is_some()).collect();
    parts.reverse();
    parts
}

/// The directory above, and the last part of the path.
fn parent_of(path: &Path) -> Result<(OwnedFd, &OsStr), Errno> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(Errno::INVAL) };
    Ok((open_path(parent)?, name))
}

fn make(path: &Path) -> Result<(), HostError> {
    let make = || {
        let (parent, name) = parent_of(path)?;
        match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
            Err(Errno::EXIST) => return Ok(()),
            other => other?,
        }
        // Where the file system keeps no such mark the directory stays behind, empty: no reason not to mount.
        match rustix::fs::fsetxattr(open_path(path)?, MADE, b"1", XattrFlags::empty()) {
            Err(Errno::OPNOTSUPP | Errno::PERM) => Ok(()),
            other => other,
        }
    };
    make().map_err(|error| HostError::os(format!("make directory {}", path.display()), error))
}

fn is_made(directory: &OwnedFd) -> bool {
    rustix::fs::fgetxattr(directory, MADE, &mut [0u8; 8]).is_ok()
}

fn remove(path: &Path) -> Result<(), Errno> {
    let (parent, name) = parent_of(path)?;
    rustix::fs::unlinkat(parent, name, rustix::fs::AtFlags::REMOVEDIR)
}

fn refuse_contents(directory: &OwnedFd, at: &MountPoint) -> Result<(), HostError> {
    let list = || -> rustix::io::Result<bool> {
        for entry in Dir::read_from(directory.as_fd())? {
            if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
                return Ok(false);
            }
        }
        Ok(true)
    };
    match list() {
        Ok(true) => Ok(()),
        Ok(false) => Err(HostError::Invalid {
            what: at.to_string(),
            why: "is a directory that is not empty; a mount would hide what is in it".to_owned(),
        }),
        Err(error) => Err(HostError::os(format!("list {at}"), error)),
    }
}

fn could_be_made(at: &MountPoint) -> Result<(), HostError> {
    for part in ancestors(at).into_iter().rev().skip(1).chain([Path::new("/")]) {
        match open_path(part) {
            Ok(directory) => return refuse_read_only(&directory, part),
            Err(Errno::NOENT) => {}
            Err(error) => return Err(path_error(part, error)),
        }
    }
    Err(HostError::NotFound { what: "/".to_owned() })
}

fn refuse_read_only(directory: &OwnedFd, path: &Path) -> Result<(), HostError> {
    let limits = rustix::fs::fstatvfs(directory)
        .map_err(|e| HostError::os(format!("look at {}", path.display()), e))?;
    match limits.f_flag.contains(StatVfsMountFlags::RDONLY) {
        false => Ok(()),
        true => Err(HostError::Invalid {
            what: path.display().to_string(),
            why: "is on a read-only file system, no directory can be made in it".to_owned(),
        }),
    }
}

fn path_error(path: &Path, error: Errno) -> HostError {
    let what = path.display().to_string();
    let invalid = |why: &str| HostError::Invalid { what: what.clone(), why: why.to_owned() };
    match error {
        Errno::NOENT => HostError::NotFound { what },
        Errno::NOTDIR => invalid("is not a directory"),
        Errno::LOOP => invalid("leads through a symbolic link"),
        other => HostError::os(format!("open {what}"), io::Error::from(other)),
    }
}
