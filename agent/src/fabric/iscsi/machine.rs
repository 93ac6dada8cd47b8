//! What the fabric needs of its machine besides sysfs: open-iscsi's program, the kernel's ear, and disks that answer.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
};

use rustix::fs::OFlags;

use crate::{
    deadline::Deadline,
    host::{
        Host, HostError, OpenDevice, ioctl,
        linux::{LinuxHost, claim, tool::Tool},
    },
};

const ISCSIADM: Tool = Tool { program: "iscsiadm", package: "open-iscsi" };

pub trait Machine: fmt::Debug {
    /// How it ends is for people: whether it did its work is read from sysfs.
    fn iscsiadm(&self, arguments: &[&str], deadline: Deadline) -> Result<(), HostError>;

    /// Writes into an attribute of sysfs.
    fn write(&self, attribute: &Path, words: &str) -> Result<(), HostError>;

    /// Opens a disk by the name that the kernel gave it; `NotFound` as long as there is no such disk.
    fn open(&self, disk: &str) -> Result<Box<dyn OpenDevice>, HostError>;

    /// Has a disk to ourselves and flushed, until the claim is dropped. `Busy` when anybody uses it.
    fn claim(&self, device: &dyn OpenDevice) -> Result<Claim, HostError>;
}

/// Keeps everybody else from using a disk; a simulated one needs none.
#[derive(Debug)]
pub struct Claim(pub Option<File>);

impl Machine for &LinuxHost {
    fn iscsiadm(&self, arguments: &[&str], deadline: Deadline) -> Result<(), HostError> {
        ISCSIADM.run(arguments, None, deadline)
    }

    fn write(&self, attribute: &Path, words: &str) -> Result<(), HostError> {
        let write = || OpenOptions::new().write(true).open(attribute)?.write_all(words.as_bytes());
        write().map_err(|e| HostError::os(format!("write {words:?} to {}", attribute.display()), e))
    }

    fn open(&self, disk: &str) -> Result<Box<dyn OpenDevice>, HostError> {
        let devices = self.devices()?;
        let device = devices.iter().find(|device| device.name == disk);
        let device = device.ok_or_else(|| HostError::NotFound { what: format!("disk {disk}") })?;
        Host::open(*self, device)
    }

    fn claim(&self, device: &dyn OpenDevice) -> Result<Claim, HostError> {
        let name = device.name();
        let descriptor = device.descriptor().ok_or_else(|| HostError::Invalid {
            what: name.clone(),
            why: "is not a device of this kernel".to_owned(),
        })?;
        let claim = claim::claim(descriptor, &name, OFlags::empty())?;
        rustix::fs::fsync(&claim).map_err(|e| HostError::os(format!("write back {name}"), e))?;
        ioctl::block_flush(&claim).map_err(|e| HostError::os(format!("flush {name}"), e))?;
        Ok(Claim(Some(claim)))
    }
}
