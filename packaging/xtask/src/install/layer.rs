//! What the guests of the lab have besides this machine's own files: a kernel that runs as a process, open-iscsi,
//! multipathd and LVM.
//!
//! The packages are unpacked below the build's directory and not installed: open-iscsi would start a service here.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;
use sanfleet_protocol::hash::fnv1a;

use super::{
    program::{find, run},
    say,
};

/// Packages, and for what.
const PACKAGES: [(&str, &str); 22] = [
    ("user-mode-linux", "the kernel of the guests, with its modules"),
    ("kmod", "it loads those"),
    ("libkmod2", "open-iscsi loads modules too"),
    ("open-iscsi", "hosts log in to targets with it"),
    ("libopeniscsiusr", "a library of it"),
    ("libisns0", "a library of it"),
    ("lvm2", "volumes are copied with LVM on them"),
    ("liblvm2cmd2.03", "a library of it"),
    ("libdevmapper-event1.02.1", "a library of it"),
    ("libdevmapper1.02.1", "a library of it"),
    ("dmsetup", "a part of it"),
    ("libaio1", "a library of it"),
    ("fdisk", "volumes are copied with partitions on them"),
    ("libfdisk1", "a library of it"),
    ("thin-provisioning-tools", "LVM looks over its thin pools with it"),
    ("openssh-server", "a machine is made an array over ssh"),
    ("libwrap0", "a library of it"),
    ("multipath-tools", "paths of one volume are made one device with it"),
    ("libjson-c5", "a library of it"),
    ("liburcu8", "a library of it"),
    ("libedit2", "a library of it"),
    ("udev", "it learns of paths from that"),
];
/// Links on every system that is not very old; as folders they would hide those of the machine.
const LINKS: [&str; 3] = ["bin", "sbin", "lib"];

/// The folder of what was unpacked, made when it is not on the shelf.
///
/// # Errors
/// A package cannot be fetched or unpacked.
pub fn ensure(shelf: &Path) -> anyhow::Result<PathBuf> {
    // Another list of packages makes another layer.
    let names = PACKAGES.iter().flat_map(|(package, _)| package.bytes());
    let place = shelf.join(format!("lab-{:08x}", fnv1a(names) >> 32));
    if place.is_dir() {
        return Ok(place);
    }
    let stage = shelf.join("lab.unpacking");
    remove(&stage)?;
    let (fetched, unpacked) = (stage.join("packages"), stage.join("layer"));
    fs::create_dir_all(&fetched)?;
    for (package, why) in PACKAGES {
        say(&format!("unpacking the package {package} below {}", place.display()), why);
    }
    fetch(&fetched)?;
    for package in fs::read_dir(&fetched)? {
        run(Command::new("dpkg-deb").arg("--extract").arg(package?.path()).arg(&unpacked))?;
    }
    for link in LINKS {
        let folder = unpacked.join(link);
        if folder.is_dir() {
            let content = folder.join(".");
            let usr = unpacked.join("usr").join(link);
            fs::create_dir_all(&usr)?;
            run(Command::new("cp").arg("--archive").arg(content).arg(usr))?;
            remove(&folder)?;
        }
    }
    // The last thing that is done: whatever interrupts this leaves no half of a layer in its place.
    fs::rename(&unpacked, &place).with_context(|| format!("cannot put the layer to {}", place.display()))?;
    remove(&stage)?;
    Ok(place)
}

fn fetch(folder: &Path) -> anyhow::Result<()> {
    let apt_get = find("apt-get").context("there is no apt-get here to fetch packages with")?;
    let download = || {
        let mut download = Command::new(&apt_get);
        run(download
            .args(["--quiet", "download"])
            .args(PACKAGES.map(|(package, _)| package))
            .current_dir(folder))
    };
    // A fresh machine has no package lists.
    download().or_else(|_| super::debian::update().and_then(|()| download()))
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    match folder.exists() {
        true => fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display())),
        false => Ok(()),
    }
}
