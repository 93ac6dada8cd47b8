//! One open block device of a Linux host, and how it is asked who it is.
//!
//! It refuses to go by a name: the node that was opened must have the number that was asked for, and the disk sequence too
//! where the kernel has one. Ids come from the device itself at the moment of asking, never from sysfs.

use std::{
    fs::{File, OpenOptions},
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd},
        unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt},
    },
};

use rustix::fs::OFlags;
use sanfleet_protocol::{VolumeId, v1::DeviceKind};

use crate::{
    deadline::Deadline,
    discover::superblock,
    fabric::loopback::{self, LoopFabric},
    host::{
        DeviceNumber, FileSystem, HostError, OpenDevice, SysDevice,
        ioctl::{self, NvmeStructure},
        linux::{LinuxHost, act, claim::claim, nvme, scsi},
    },
};

/// Direct I/O wants memory and offset aligned to the logical block; no disk has a larger one.
const BLOCK: usize = 4096;
/// What is read to see that a device answers: so many pieces of so many bytes.
const SAMPLES: u64 = 64;
const SAMPLE: usize = 1 << 20;
/// Superblocks, partition tables and the metadata of RAID and LVM are all within this, from one end or the other.
const EDGE_BYTES: u64 = 1 << 20;

/// How a kind of device is asked for its ids.
#[derive(Debug)]
enum Asking {
    Scsi,
    Nvme,
    Loop(Option<LoopFabric>),
    /// It has no ids of its own: a partition, a map, a virtual disk.
    Nothing,
}

#[derive(Debug)]
pub struct LinuxDevice {
    file: File,
    number: DeviceNumber,
    name: String,
    asking: Asking,
}

/// Opens the device read-only and proves that it is the one that sysfs described.
pub fn open(host: &LinuxHost, device: &SysDevice) -> Result<Box<dyn OpenDevice>, HostError> {
    // In sysfs a '/' in a device's name is written as '!'.
    let path = host.options().dev_root.join(device.name.replace('!', "/"));
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(&path)
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => HostError::NotFound { what: path.display().to_string() },
            _ => HostError::os(format!("open {}", path.display()), error),
        })?;
    prove_same(&file, device)?;
    let asking = match device.kind {
        DeviceKind::Nvme => Asking::Nvme,
        DeviceKind::Loop => Asking::Loop(act::loop_fabric(host)),
        DeviceKind::Disk if device.name.starts_with("sd") => Asking::Scsi,
        _ => Asking::Nothing,
    };
    Ok(Box::new(LinuxDevice { file, number: device.number, name: device.name.clone(), asking }))
}

fn prove_same(file: &File, device: &SysDevice) -> Result<(), HostError> {
    let invalid = |why: String| Err(HostError::Invalid { what: device.name.clone(), why });
    let node = file.metadata().map_err(|e| HostError::os(format!("look at {}", device.name), e))?;
    let DeviceNumber { major, minor } = device.number;
    if !node.file_type().is_block_device() || node.rdev() != rustix::fs::makedev(major, minor) {
        return invalid(format!("its node is not block device {}", device.number));
    }
    match ioctl::block_disk_sequence(file) {
        // Partitions share the sequence of their disk, and kernels before 5.15 have none.
        Ok(now) if device.disk_sequence != 0 && now != device.disk_sequence => {
            invalid(format!("is disk {now} now, and was disk {} when it was found", device.disk_sequence))
        }
        _ => Ok(()),
    }
}

impl OpenDevice for LinuxDevice {
    fn number(&self) -> DeviceNumber {
        self.number
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn identify(&self) -> Result<Vec<VolumeId>, HostError> {
        match &self.asking {
            Asking::Scsi => scsi::ids(&self.file, &self.name),
            Asking::Nvme => self.nvme_ids(),
            Asking::Loop(Some(fabric)) => self.loop_ids(fabric),
            Asking::Loop(None) | Asking::Nothing => Ok(Vec::new()),
        }
    }

    fn size_bytes(&self) -> Result<u64, HostError> {
        ioctl::block_size_bytes(&self.file)
            .map_err(|e| HostError::os(format!("ask {} for its size", self.name), e))
    }

    fn file_system(&self) -> Result<Option<FileSystem>, HostError> {
        let end = self.size_bytes()?;
        superblock::parse(|offset, buffer| read_within(&self.file, end, offset, buffer))
            .map_err(|e| HostError::os(format!("read the superblock of {}", self.name), e))
    }

    fn read_first_block(&self) -> Result<(), HostError> {
        let what = || format!("read {}", self.name);
        let direct = self.reopen(OFlags::DIRECT).map_err(|e| HostError::os(what(), e))?;
        let mut block = Aligned::new(BLOCK);
        direct.read_exact_at(block.bytes(), 0).map_err(|e| HostError::os(what(), e))
    }

    fn reads_as_zeros(&self) -> Result<bool, HostError> {
        let claim = claim(self.file.as_fd(), &self.name, OFlags::DIRECT)?;
        let end = self.size_bytes()?;
        let edge = EDGE_BYTES.min(end);
        let mut memory = Aligned::new(usize::try_from(edge).unwrap_or(BLOCK));
        for start in [0, end - edge] {
            let bytes = memory.bytes();
            claim
                .read_exact_at(bytes, start)
                .map_err(|e| HostError::os(format!("read {} at byte {start}", self.name), e))?;
            if bytes.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn read_samples(&self, deadline: Deadline) -> Result<u64, HostError> {
        let direct =
            self.reopen(OFlags::DIRECT).map_err(|e| HostError::os(format!("read {}", self.name), e))?;
        let patience = deadline.left();
        let (end, mut memory) = (self.size_bytes()?, Aligned::new(SAMPLE));
        let (length, mut read) = (SAMPLE as u64, 0);
        // Where pieces would overlap there are fewer of them.
        let pieces = SAMPLES.min(end / length);
        for piece in 0..pieces {
            if deadline.has_passed() {
                return Err(HostError::Timeout { what: format!("reading {}", self.name), after: patience });
            }
            let start = (end / pieces * piece).next_multiple_of(BLOCK as u64).min(end - length);
            direct
                .read_exact_at(memory.bytes(), start)
                .map_err(|e| HostError::os(format!("read {} at byte {start}", self.name), e))?;
            read += length;
        }
        Ok(read)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.file.as_fd())
    }
}

impl LinuxDevice {
    /// Opens the descriptor again, in another way, by itself and not by its name.
    fn reopen(&self, flags: OFlags) -> io::Result<File> {
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
    }

    fn nvme_ids(&self) -> Result<Vec<VolumeId>, HostError> {
        let ask = |structure| {
            ioctl::nvme_identify(&self.file, structure)
                .map_err(|e| HostError::os(format!("ask {} for its ids (identify)", self.name), e))
        };
        let namespace = ask(NvmeStructure::Namespace)?;
        // Controllers before NVMe 1.3 do not know the list of ids; what they have is in the namespace data.
        let listed = ioctl::nvme_identify(&self.file, NvmeStructure::NamespaceIds).unwrap_or_default();
        Ok(nvme::ids(&namespace, &listed))
    }

    fn loop_ids(&self, fabric: &LoopFabric) -> Result<Vec<VolumeId>, HostError> {
        match loopback::backing_inode(&self.file) {
            // A part of a file is not the volume that is published for the whole of it.
            Ok((inode, whole)) if whole => fabric.ids_of(inode),
            Ok(_) => Ok(Vec::new()),
            Err(error) => Err(HostError::os(format!("ask {} what is behind it", self.name), error)),
        }
    }
}

/// Zeroed memory that begins where direct I/O wants it.
struct Aligned {
    memory: Vec<u8>,
    length: usize,
}

impl Aligned {
    fn new(length: usize) -> Self {
        Self { memory: vec![0; length + BLOCK], length }
    }

    fn bytes(&mut self) -> &mut [u8] {
        let start = self.memory.as_ptr().align_offset(BLOCK);
        let end = start.saturating_add(self.length);
        self.memory.get_mut(start..end).unwrap_or_default()
    }
}

/// Reads past the end are an end of file, as for a file: a parser asks for places that a small device does not have.
fn read_within(file: &File, end: u64, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    let last = offset.checked_add(buffer.len() as u64);
    match last.is_some_and(|last| last <= end) {
        true => file.read_exact_at(buffer, offset),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
