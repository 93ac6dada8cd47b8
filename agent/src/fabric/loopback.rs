//! The simulated fabric: a directory on this machine that publishes the volumes of a simulated array.
//!
//! `<directory>/<initiator>/lun-<n>/` holds `disk`, a hard link to the volume's file, and `vpd_pg83`, the raw page that a SCSI
//! device would return. A volume becomes a device by a loop device on `disk`. Which volume a loop device *is* follows from
//! the inode behind it and what is published for that inode now: a path or a name proves nothing.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, OFlags, flock},
    io::Errno,
};
use sanfleet_protocol::{Initiator, VolumeId, volume_id};

use super::{Fabric, Wanted};
use crate::{
    deadline::Deadline,
    host::{
        HostError, ioctl,
        linux::{claim, holders},
    },
    verify::VerifiedDevice,
};

/// INQUIRY cannot return more than this.
const MAX_PAGE_BYTES: u64 = 65_539;
/// Another process may take the free loop device that the kernel named; this often we ask for another one.
const ATTACH_ATTEMPTS: u32 = 32;
/// How long the kernel may take to unbind after the last close.
const UNBIND_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The file behind a loop device or a published volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inode {
    pub device: u64,
    pub number: u64,
}

/// One logical unit as it is published at this moment.
#[derive(Debug)]
struct Unit {
    directory: PathBuf,
    inode: Inode,
    ids: Vec<VolumeId>,
}

/// The fabric as one host sees it.
#[derive(Debug, Clone)]
pub struct LoopFabric {
    directory: PathBuf,
    initiators: Vec<Initiator>,
    sysfs_root: PathBuf,
    dev_root: PathBuf,
}

impl LoopFabric {
    pub fn new(
        directory: PathBuf,
        initiators: Vec<Initiator>,
        sysfs_root: PathBuf,
        dev_root: PathBuf,
    ) -> Self {
        Self { directory, initiators, sysfs_root, dev_root }
    }

    /// The ids that are published for this inode to our initiators now; none when it is published nowhere.
    pub fn ids_of(&self, inode: Inode) -> Result<Vec<VolumeId>, HostError> {
        let mut pages = self.units()?.into_iter().filter(|unit| unit.inode == inode);
        let Some(first) = pages.next() else { return Ok(Vec::new()) };
        match pages.find(|unit| unit.ids != first.ids) {
            None => Ok(first.ids),
            Some(other) => Err(HostError::Invalid {
                what: shown(&other.directory),
                why: format!("publishes the file of {} under other ids", shown(&first.directory)),
            }),
        }
    }

    fn units(&self) -> Result<Vec<Unit>, HostError> {
        let mut units = Vec::new();
        for initiator in &self.initiators {
            let name = initiator.to_string();
            // An NQN may hold any character; one that would lead out of the fabric is not published on it.
            if name.contains('/') {
                continue;
            }
            let directory = self.directory.join(name);
            for directory in numbered_units(&directory)? {
                units.extend(read_unit(&directory)?);
            }
        }
        Ok(units)
    }

    fn offered(&self, volume: &VolumeId) -> Result<Option<Unit>, HostError> {
        let wanted = std::slice::from_ref(volume);
        let mut found = self.units()?.into_iter().filter(|unit| volume_id::same_volume(&unit.ids, wanted));
        let Some(first) = found.next() else { return Ok(None) };
        match found.find(|unit| unit.inode != first.inode) {
            None => Ok(Some(first)),
            Some(other) => Err(HostError::Invalid {
                what: format!("volume {volume}"),
                why: format!(
                    "{} and {} publish different files as it",
                    shown(&first.directory),
                    shown(&other.directory)
                ),
            }),
        }
    }

    fn is_attached(&self, inode: Inode) -> Result<bool, HostError> {
        let block = self.sysfs_root.join("block");
        let entries = block.read_dir().map_err(|e| HostError::os(format!("list {}", shown(&block)), e))?;
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name();
            // The directory `loop` is there as long as the device is bound.
            if !entry.path().join("loop").exists() {
                continue;
            }
            let Ok(device) = File::open(self.dev_root.join(&name)) else { continue };
            if backing_inode(&device).is_ok_and(|(found, whole)| whole && found == inode) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn attach(&self, disk: &File) -> Result<(), HostError> {
        let path = self.dev_root.join("loop-control");
        let control = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|e| HostError::os(format!("open {}", shown(&path)), e))?;
        for _ in 0..ATTACH_ATTEMPTS {
            let number =
                ioctl::loop_free_number(&control).map_err(|e| HostError::os("find a free loop device", e))?;
            let device = self.dev_root.join(format!("loop{number}"));
            match configure(&device, disk) {
                Ok(()) => return Ok(()),
                // Somebody else took it between the two calls.
                Err(Errno::BUSY) => {}
                Err(error) => return Err(HostError::os(format!("attach {}", shown(&device)), error)),
            }
        }
        Err(HostError::Busy {
            what: "every free loop device".to_owned(),
            by: "other processes that attach at the same time".to_owned(),
        })
    }

    /// Waits until the loop device `name` is no longer the disk of this sequence number.
    fn await_unbound(&self, name: &str, sequence: Option<u64>) -> Result<(), HostError> {
        let device = self.sysfs_root.join("block").join(name);
        let give_up = Instant::now() + UNBIND_WITHIN;
        loop {
            let bound = device.join("loop").exists();
            let now =
                std::fs::read_to_string(device.join("diskseq")).ok().and_then(|t| t.trim().parse().ok());
            if !bound || (sequence.is_some() && now.is_some() && now != sequence) {
                return Ok(());
            }
            if Instant::now() >= give_up {
                return Err(HostError::Busy {
                    what: format!("{name}: it goes away when it is closed, and it"),
                    by: holders::of_device(&self.dev_root.join(name)),
                });
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Fabric for LoopFabric {
    fn name(&self) -> &'static str {
        "loop"
    }

    fn brought(&self, device: &VerifiedDevice) -> bool {
        device.device().name().starts_with("loop")
    }

    fn rescan(&self, wanted: Wanted<'_>, _: Deadline) -> Result<bool, HostError> {
        let Some(unit) = self.offered(wanted.volume)? else { return Ok(false) };
        // Two that rescan at once, the agent and an administrator, must not attach the volume twice. The lock is on the
        // directory: one on `disk` would stay as long as the loop device does.
        let lock = File::open(&unit.directory)
            .map_err(|e| HostError::os(format!("open {}", shown(&unit.directory)), e))?;
        flock(&lock, FlockOperation::LockExclusive)
            .map_err(|e| HostError::os(format!("lock {}", shown(&unit.directory)), e))?;
        let disk = open_disk(&unit.directory)?;
        let inode = inode_of(&disk).map_err(|e| HostError::os(shown(&unit.directory), e))?;
        if inode != unit.inode {
            return Err(HostError::Invalid {
                what: shown(&unit.directory),
                why: "changed while it was looked at".to_owned(),
            });
        }
        if self.is_attached(inode)? {
            return Ok(false);
        }
        self.attach(&disk)?;
        Ok(true)
    }

    fn detach(&self, device: VerifiedDevice, _: Deadline) -> Result<(), HostError> {
        let name = device.device().name();
        let Some(descriptor) = device.device().descriptor() else {
            return Err(HostError::Invalid { what: name, why: "is not a device of this kernel".to_owned() });
        };
        let claim = claim::claim(descriptor, &name, OFlags::empty())?;
        let sequence = ioctl::block_disk_sequence(&claim).ok();
        rustix::fs::fsync(&claim).map_err(|e| HostError::os(format!("write back {name}"), e))?;
        ioctl::block_flush(&claim).map_err(|e| HostError::os(format!("flush {name}"), e))?;
        ioctl::loop_clear(&claim).map_err(|e| HostError::os(format!("unbind {name}"), e))?;
        drop(claim);
        // The kernel unbinds at the last close, and we are one of those who hold it open.
        drop(device);
        self.await_unbound(&name, sequence)
    }

    /// Nothing: what is published for nobody has no id here, and is not known as the volume.
    fn drop_unmapped(&self, _: &VolumeId, _: Deadline) -> Result<bool, HostError> {
        Ok(false)
    }
}

/// The file behind a bound loop device, and whether the device is the whole of it.
pub fn backing_inode(device: &File) -> Result<(Inode, bool), Errno> {
    let backing = ioctl::loop_status(device)?;
    let whole = backing.offset == 0 && backing.size_limit == 0;
    Ok((Inode { device: backing.device, number: backing.inode }, whole))
}

fn configure(device: &Path, disk: &File) -> Result<(), Errno> {
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .open(device)
        .map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?;
    match ioctl::loop_configure(&device, disk, true) {
        // The file system below has no direct I/O.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => ioctl::loop_configure(&device, disk, false),
        other => other,
    }
}

fn numbered_units(initiator: &Path) -> Result<Vec<PathBuf>, HostError> {
    let entries = match initiator.read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(HostError::os(format!("list {}", shown(initiator)), error)),
    };
    let mut units: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_str().is_some_and(is_unit_name))
        .map(|entry| entry.path())
        .collect();
    units.sort();
    Ok(units)
}

fn is_unit_name(name: &str) -> bool {
    name.strip_prefix("lun-").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// What one directory publishes; `None` when it is being made or taken away at this moment.
fn read_unit(directory: &Path) -> Result<Option<Unit>, HostError> {
    let read = || -> io::Result<Unit> {
        let inode = inode_of(&open_regular(&directory.join("disk"), false)?)?;
        let mut page = Vec::new();
        open_regular(&directory.join("vpd_pg83"), false)?.take(MAX_PAGE_BYTES).read_to_end(&mut page)?;
        let ids = volume_id::designators(&page).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
        Ok(Unit { directory: directory.to_owned(), inode, ids })
    };
    match read() {
        Ok(unit) => Ok(Some(unit)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // A damaged page names no volume; it must not hide the others.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
        Err(error) => Err(HostError::os(format!("read {}", shown(directory)), error)),
    }
}

fn open_disk(directory: &Path) -> Result<File, HostError> {
    let path = directory.join("disk");
    open_regular(&path, true).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => HostError::NotFound { what: shown(&path) },
        _ => HostError::os(format!("open {}", shown(&path)), error),
    })
}

fn open_regular(path: &Path, write: bool) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file =
        OpenOptions::new().read(true).write(write).custom_flags(flags.bits().cast_signed()).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidData, "not a regular file")),
    }
}

fn inode_of(file: &File) -> io::Result<Inode> {
    let data = file.metadata()?;
    Ok(Inode { device: data.dev(), number: data.ino() })
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
