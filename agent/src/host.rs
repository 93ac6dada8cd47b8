//! The one seam to the operating system. Everything the agent knows of its host or does to it passes here.
//!
//! [`linux::LinuxHost`] is the real side; [`sim::SimHost`] is its simulated twin, whose devices can be late, wrong,
//! doubled or gone. All calls may block: the caller puts them on a blocking thread with a deadline.

use std::{fmt, io, net::SocketAddr, num::NonZeroU32, os::fd::BorrowedFd, path::PathBuf, time::Duration};

use rustix::io::Errno;
use sanfleet_protocol::{
    FileSystemId, FileSystemKind, Initiator, Label, Layers, LvmMap, LvmName, MountPoint, VolumeId, v1,
};

use crate::{blank::BlankDevice, deadline::Deadline, fabric::Wanted, verify::VerifiedDevice};

pub mod ioctl;
pub mod linux;
pub mod sim;

/// A block device by its number: the only name of it that the kernel itself goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceNumber {
    pub major: u32,
    pub minor: u32,
}

impl fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// What sysfs says of a block device, learnt without touching the device: it may be stale, and it is never proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SysDevice {
    pub number: DeviceNumber,
    /// The kernel's name, for people to read.
    pub name: String,
    pub kind: v1::DeviceKind,
    pub size_bytes: u64,
    pub read_only: bool,
    /// Ids that the kernel cached: a hint where to look.
    pub cached_ids: Vec<VolumeId>,
    pub vendor: String,
    pub model: String,
    pub serial: String,
    pub holders: Vec<String>,
    pub slaves: Vec<String>,
    /// For a partition: the name of its disk, and its number in the table of that.
    pub parent: Option<String>,
    pub partition: Option<NonZeroU32>,
    /// For a map of LVM.
    pub lvm: Option<LvmMap>,
    /// 0 where the kernel has none (before 5.15).
    pub disk_sequence: u64,
    /// The fabric it came over, where that can be told.
    pub fabric: Option<String>,
}

/// One line of mountinfo, in the parts that matter here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountEntry {
    pub mount_point: PathBuf,
    pub device: DeviceNumber,
    pub file_system: String,
    pub read_only: bool,
    /// The part of the file system that is mounted; `/` unless it is a bind mount or a subvolume.
    pub root: PathBuf,
}

/// What a superblock says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileSystem {
    /// The kernel's name of it: ext4, xfs, btrfs…
    pub kind: String,
    pub uuid: String,
    pub label: String,
}

/// A file system to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFileSystem {
    pub kind: FileSystemKind,
    pub id: FileSystemId,
    pub label: Label,
}

/// A mount that comes back after the host's next start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersistentMount {
    pub volume: VolumeId,
    pub kind: FileSystemKind,
    pub id: FileSystemId,
    pub read_write: bool,
}

/// How much a mounted file system can hold and how much of that is free, as `statfs` counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    pub size_bytes: u64,
    pub free_bytes: u64,
}

/// How to mount. `nodev` and `nosuid` are always set, and `noexec` is the host's own choice; so they are not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountOptions {
    pub file_system: String,
    pub read_write: bool,
}

/// Why the host did not do it.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error("{what}: not there")]
    NotFound { what: String },
    #[error("{what} is in use: {by}")]
    Busy { what: String, by: String },
    /// It stands for a unit that its target does not have any more. Nothing can be read from it or written to it.
    #[error("{what}: its array says that there is no such unit")]
    Unmapped { what: String },
    #[error("{what}: {why}")]
    Invalid { what: String, why: String },
    #[error("{what} did not answer within {} ms", after.as_millis())]
    Timeout { what: String, after: Duration },
    #[error("{what} is {found}, not volume {wanted}")]
    OtherVolume { what: String, wanted: VolumeId, found: String },
    #[error("no session to target {target} at {portal}")]
    NoSession {
        target: String,
        portal: SocketAddr,
        #[source]
        source: Box<HostError>,
    },
    #[error("no port of this host sees {ports} online")]
    NoPort { ports: String },
    #[error("{program} is not installed; it is in the package {package}")]
    Missing { program: &'static str, package: &'static str },
    #[error("{program} failed ({status}): {words}")]
    Tool { program: &'static str, status: String, words: String },
    #[error("{what}")]
    Os {
        what: String,
        #[source]
        source: io::Error,
    },
}

impl HostError {
    pub fn os(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Os { what: what.into(), source: source.into() }
    }

    /// There is no such node, or nothing behind it: the kernel shows the node of a disk a moment before the disk can be opened
    /// (`ENXIO`), and a moment longer.
    pub fn is_absence(&self) -> bool {
        let nothing = [Errno::NXIO, Errno::NODEV].map(|errno| Some(errno.raw_os_error()));
        match self {
            Self::NotFound { .. } => true,
            Self::Os { source, .. } => nothing.contains(&source.raw_os_error()),
            _ => false,
        }
    }

    pub fn is_retryable(&self) -> bool {
        match self {
            // A network comes back.
            Self::Timeout { .. } | Self::Busy { .. } | Self::NoSession { .. } | Self::NoPort { .. } => true,
            Self::NotFound { .. }
            | Self::Unmapped { .. }
            | Self::Invalid { .. }
            | Self::OtherVolume { .. }
            | Self::Missing { .. }
            | Self::Tool { .. } => false,
            Self::Os { source, .. } => {
                matches!(source.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
            }
        }
    }
}

/// An open block device. As long as it is held, the kernel cannot put another device behind it.
pub trait OpenDevice: Send + Sync + fmt::Debug {
    fn number(&self) -> DeviceNumber;

    /// For people to read.
    fn name(&self) -> String;

    /// Asks the device itself for its ids, now: INQUIRY page 0x83, NVMe identify, or what the loop fabric has instead.
    /// Nothing is taken from a cache.
    fn identify(&self) -> Result<Vec<VolumeId>, HostError>;

    fn size_bytes(&self) -> Result<u64, HostError>;

    /// What the superblock says; `None` when there is none that we know.
    fn file_system(&self) -> Result<Option<FileSystem>, HostError>;

    /// A read past the page cache, to see that I/O really works.
    fn read_first_block(&self) -> Result<(), HostError>;

    /// Reads the first and the last MiB past the page cache: true when every byte is zero. `Busy` when anyone uses the device,
    /// in whatever mount namespace; what cannot be read is an error.
    fn reads_as_zeros(&self) -> Result<bool, HostError>;

    /// Reads up to 64 MiB past the page cache, in pieces from all over the device, and returns how many bytes that were.
    fn read_samples(&self, deadline: Deadline) -> Result<u64, HostError>;

    /// The descriptor to act by, so that no name comes between asking and acting; a simulated device has none.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// Something changed: devices or mounts. Says nothing of what, because the answer is always to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed;

pub trait Host: Send + Sync + 'static {
    // What is there. None of these touches a device, so none can hang on a dead one.

    fn boot_id(&self) -> String;
    fn facts(&self) -> v1::HostFacts;
    fn initiators(&self) -> Vec<Initiator>;
    fn fabrics(&self) -> Vec<String>;
    fn devices(&self) -> Result<Vec<SysDevice>, HostError>;
    fn mounts(&self) -> Result<Vec<MountEntry>, HostError>;

    /// Blocks until devices or mounts have changed since the last call, or `at_most` has gone by (then `None`).
    fn wait_for_change(&self, at_most: Duration) -> Result<Option<Changed>, HostError>;

    // Ask one device.

    fn open(&self, device: &SysDevice) -> Result<Box<dyn OpenDevice>, HostError>;

    // Change the host. Whatever touches a volume takes it verified, but for the removal of what is a volume's no more.

    /// Makes one volume's device appear, if the fabric offers it. Fine when it is there already.
    /// Returns true when something changed.
    fn rescan(&self, fabric: &str, wanted: Wanted<'_>, deadline: Deadline) -> Result<bool, HostError>;

    /// Flushes the device and removes it with all of its paths. The volume itself stays.
    fn detach(&self, device: VerifiedDevice, deadline: Deadline) -> Result<(), HostError>;

    /// Removes the devices that the kernel still has of the volume where its array says, asked now, that there is no such unit any
    /// more. `Busy` when anybody uses one. Returns true when something changed.
    fn drop_unmapped(&self, volume: &VolumeId, deadline: Deadline) -> Result<bool, HostError>;

    /// How many physical volumes a group of LVM has.
    fn physical_volumes(&self, group: &LvmName, deadline: Deadline) -> Result<u32, HostError>;

    /// Gives the partition table and the LVM group on a copy ids of their own, and the group the name that
    /// [`Layers::on_copy`] has for it, and makes the device of its file system appear. `of_source` is how they are on the
    /// source. Fine when that is done already. Returns true when something changed.
    fn open_layers(
        &self,
        copy: &VerifiedDevice,
        of_source: &Layers,
        deadline: Deadline,
    ) -> Result<bool, HostError>;

    /// Has LVM let go of the group that `open_layers` has made of a copy. Fine when there is none. Returns true when
    /// something changed.
    fn close_layers(&self, copy: &VerifiedDevice, deadline: Deadline) -> Result<bool, HostError>;

    /// Makes a file system, with this very UUID.
    fn make_file_system(
        &self,
        device: &BlankDevice<'_>,
        wanted: &NewFileSystem,
        deadline: Deadline,
    ) -> Result<(), HostError>;

    /// Replays the journal of an unmounted file system and gives it another UUID; its data stay.
    fn set_file_system_id(
        &self,
        device: &VerifiedDevice,
        kind: FileSystemKind,
        id: FileSystemId,
        deadline: Deadline,
    ) -> Result<(), HostError>;

    /// Makes the kernel ask every path of the volume for its size again. Some answer only some time after this returns.
    fn reread_size(&self, device: &VerifiedDevice) -> Result<(), HostError>;

    /// Makes a multipath map as large as its paths, which must be of one size. Nothing to do for any other device.
    fn resize_map(&self, device: &VerifiedDevice, deadline: Deadline) -> Result<(), HostError>;

    /// Grows the file system that is mounted there to the size of its device. Fine when it has that size already.
    fn grow_file_system(&self, device: &VerifiedDevice, at: &MountPoint) -> Result<(), HostError>;

    /// True when the mount point is an empty directory, or can be made as one, and nothing is mounted on it.
    fn check_mount_point(&self, at: &MountPoint) -> Result<(), HostError>;

    /// Mounts with `nodev,nosuid`, and XFS with `nouuid`. Makes the directory when it is not there.
    fn mount(
        &self,
        device: &VerifiedDevice,
        at: &MountPoint,
        options: &MountOptions,
    ) -> Result<(), HostError>;

    /// Unmounts; a busy file system is an error that names who uses it. Removes a directory that `mount` made.
    fn unmount(&self, at: &MountPoint) -> Result<(), HostError>;

    /// Has the volume mounted there after the host's next start. What somebody else has written down for this place is an
    /// error. Returns true when something changed.
    fn persist_mount(
        &self,
        device: &VerifiedDevice,
        at: &MountPoint,
        mount: &PersistentMount,
        deadline: Deadline,
    ) -> Result<bool, HostError>;

    /// Takes that back. Returns true when something changed.
    fn forget_mount(&self, at: &MountPoint, deadline: Deadline) -> Result<bool, HostError>;

    /// May wait for the file system to answer.
    fn usage(&self, at: &MountPoint) -> Result<Usage, HostError>;

    /// Writes back what is dirty, so that a freeze soon after has little to do.
    fn sync_file_system(&self, at: &MountPoint) -> Result<(), HostError>;
}
