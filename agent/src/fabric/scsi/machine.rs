//! What SCSI fabrics need of their machine besides sysfs: the kernel's ear, multipathd, and disks that answer.

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
        linux::{LinuxHost, claim, tool::MULTIPATHD},
    },
};

pub trait Machine: fmt::Debug {
    /// How it ends is for people: what it did is read from sysfs.
    fn multipathd(&self, arguments: &[&str], deadline: Deadline) -> Result<(), HostError>;

    /// Writes into an attribute of sysfs.
    fn write(&self, attribute: &Path, words: &str) -> Result<(), HostError>;

    /// Opens a disk by the name that the kernel gave it; `NotFound` as long as there is no such disk.
    fn open(&self, disk: &str) -> Result<Box<dyn OpenDevice>, HostError>;

    /// Has a disk to ourselves until the claim is dropped. `Busy` when anybody uses it.
    fn claim(&self, device: &dyn OpenDevice) -> Result<Claim, HostError>;

    /// Writes back what is dirty.
    fn flush(&self, claim: &Claim) -> Result<(), HostError>;
}

/// Keeps everybody else from using a disk.
#[derive(Debug)]
pub struct Claim {
    pub disk: String,
    /// None for a simulated disk.
    pub file: Option<File>,
}

impl Machine for &LinuxHost {
    fn multipathd(&self, arguments: &[&str], deadline: Deadline) -> Result<(), HostError> {
        MULTIPATHD.run(arguments, None, deadline)
    }

    fn write(&self, attribute: &Path, words: &str) -> Result<(), HostError> {
        // Some attributes take a line, and nothing without its end.
        let line = format!("{words}\n");
        let write = || OpenOptions::new().write(true).open(attribute)?.write_all(line.as_bytes());
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
        let file = claim::claim(descriptor, &name, OFlags::empty())?;
        Ok(Claim { disk: name, file: Some(file) })
    }

    fn flush(&self, claim: &Claim) -> Result<(), HostError> {
        let Claim { disk, file: Some(file) } = claim else { return Ok(()) };
        rustix::fs::fsync(file).map_err(|e| HostError::os(format!("write back {disk}"), e))?;
        ioctl::block_flush(file).map_err(|e| HostError::os(format!("flush {disk}"), e))
    }
}
