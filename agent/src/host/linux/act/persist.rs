//! Mounts that come back after a restart of the host: systemd units in a folder that the configuration names.
//!
//! A unit that is not ours is neither overwritten nor removed. Each file is written in one step, so that a crash leaves the
//! old one or the new one.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, Read},
    os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;
use sanfleet_protocol::MountPoint;

use super::iscsi_fabric;
use crate::{
    deadline::Deadline,
    fabric::Fabric,
    file::{self, Access},
    host::{
        HostError, PersistentMount,
        linux::{LinuxHost, tool::Tool, unit},
    },
    verify::VerifiedDevice,
};

const SYSTEMCTL: Tool = Tool { program: "systemctl", package: "systemd" };
/// There when systemd is what runs this host: sd_booted(3).
const SYSTEMD_RUNS: &str = "/run/systemd/system";
/// No unit of ours is larger.
const MAX_UNIT_BYTES: u64 = 64 * 1024;

/// The two files of one unit: itself, and the link that has it started.
struct Unit {
    file: PathBuf,
    link: PathBuf,
    target: PathBuf,
}

impl Unit {
    fn of(host: &LinuxHost, at: &MountPoint) -> Result<Self, HostError> {
        let (folder, name) = (&host.options().unit_dir, unit::name(at)?);
        Ok(Self {
            file: folder.join(&name),
            link: folder.join(format!("{}.wants", unit::WANTED_BY)).join(&name),
            target: Path::new("..").join(&name),
        })
    }

    /// What it says now; an error when somebody else made it.
    fn text(&self) -> Result<Option<String>, HostError> {
        let read = || -> io::Result<String> {
            let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
            let file =
                OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(&self.file)?;
            let mut text = String::new();
            file.take(MAX_UNIT_BYTES).read_to_string(&mut text)?;
            Ok(text)
        };
        match read() {
            Ok(text) if text.lines().next() == Some(unit::HEADER) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            // A symbolic link, a directory, or text of somebody else.
            _ => Err(HostError::Invalid {
                what: self.file.display().to_string(),
                why: "is a unit that sanfleet has not made; it is left alone".to_owned(),
            }),
        }
    }

    fn is_wanted(&self) -> bool {
        fs::read_link(&self.link).is_ok_and(|target| target == self.target)
    }

    fn write(&self, text: &str) -> io::Result<()> {
        file::replace(&self.file, text, Access::PUBLIC)
    }

    fn want(&self) -> io::Result<()> {
        let wants = self.link.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(wants)?;
        fs::set_permissions(wants, Permissions::from_mode(0o755))?;
        file::remove(&self.link)?;
        symlink(&self.target, &self.link)?;
        file::sync_folder_of(&self.link)
    }

    /// The link first: one that points at nothing would be an error of the next boot.
    fn remove(&self) -> io::Result<()> {
        file::remove(&self.link)?;
        file::remove(&self.file)?;
        file::sync_folder_of(&self.file)
    }
}

/// See [`Host::persist_mount`](crate::host::Host::persist_mount).
pub fn persist_mount(
    host: &LinuxHost,
    device: &VerifiedDevice,
    at: &MountPoint,
    mount: &PersistentMount,
    deadline: Deadline,
) -> Result<bool, HostError> {
    refuse_absent(host, device)?;
    let unit = Unit::of(host, at)?;
    let text = unit::text(at, mount, host.options().exec)?;
    if unit.text()?.as_ref() == Some(&text) && unit.is_wanted() {
        return Ok(false);
    }
    unit.write(&text)
        .and_then(|()| unit.want())
        .map_err(|e| HostError::os(format!("write {}", unit.file.display()), e))?;
    reload(deadline)?;
    Ok(true)
}

/// A unit whose device is not there when the host starts would be a promise that nobody keeps.
fn refuse_absent(host: &LinuxHost, device: &VerifiedDevice) -> Result<(), HostError> {
    match iscsi_fabric(host).is_some_and(|fabric| fabric.brought(device)) {
        false => Ok(()),
        true => Err(HostError::Invalid {
            what: device.device().name(),
            why: "came over iscsi, where nothing logs in when the host starts".to_owned(),
        }),
    }
}

/// See [`Host::forget_mount`](crate::host::Host::forget_mount).
pub fn forget_mount(host: &LinuxHost, at: &MountPoint, deadline: Deadline) -> Result<bool, HostError> {
    let unit = Unit::of(host, at)?;
    if unit.text()?.is_none() && !unit.is_wanted() {
        return Ok(false);
    }
    unit.remove().map_err(|e| HostError::os(format!("remove {}", unit.file.display()), e))?;
    reload(deadline)?;
    Ok(true)
}

fn reload(deadline: Deadline) -> Result<(), HostError> {
    match Path::new(SYSTEMD_RUNS).is_dir() {
        true => SYSTEMCTL.run(&["daemon-reload"], None, deadline),
        false => Ok(()),
    }
}
