//! The lamps of disks and slots, as the kernel's drivers of enclosures show them in sysfs.
//!
//! A disk in an enclosure has a folder `device/enclosure_device:NAME` for each way to its slot, and all slots are below
//! `class/enclosure`. What an enclosure shows may lag behind what it was told, so nothing is read back after it was set.

use std::{fmt, io};

use rustix::io::Errno;
use sanfleet_driver::ErrorNumber;
use serde::Serialize;

use super::{local_disk, stop::Stop, sysfs::Folder};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lamp {
    Ident,
    Fault,
}

impl Lamp {
    /// The kernel's name for it.
    fn file(self) -> &'static str {
        match self {
            Self::Ident => "locate",
            Self::Fault => "fault",
        }
    }
}

impl fmt::Display for Lamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ident => "identification lamp",
            Self::Fault => "fault lamp",
        })
    }
}

/// Which lamps shine, in libStorageMgmt's bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct LedStatus(pub u64);

impl LedStatus {
    pub const UNKNOWN: Self = Self(1);

    fn new(ident: Option<bool>, fault: Option<bool>) -> Self {
        let ident = match ident {
            Some(true) => 2,
            Some(false) => 4,
            None => 8,
        };
        let fault = match fault {
            Some(true) => 16,
            Some(false) => 32,
            None => 64,
        };
        Self(ident | fault)
    }
}

/// The lamps of one disk or slot: a folder for each way to them.
#[derive(Debug, PartialEq, Eq)]
pub struct Lamps(Vec<Folder>);

impl Lamps {
    /// Of a disk, by its folder below `block`. None when it is in no enclosure.
    pub fn of_disk(disk: &Folder) -> Option<Self> {
        let ways = disk.inner("device").folders("enclosure_device:");
        (!ways.is_empty()).then_some(Self(ways))
    }

    /// A lamp shines if it does so on any way.
    pub fn status(&self) -> LedStatus {
        LedStatus::new(self.shines(Lamp::Ident), self.shines(Lamp::Fault))
    }

    /// Sets a lamp on every way. The first that will not be set is told of.
    pub fn set(&self, lamp: Lamp, on: bool) -> Result<(), LampError> {
        let value = if on { "1" } else { "0" };
        self.0.iter().try_for_each(|way| {
            let refuse = |source| LampError { lamp, folder: way.clone(), source };
            way.write(lamp.file(), value).map_err(refuse)
        })
    }

    /// None where no way says so. The kernel has more numbers than one for a fault (asked for, sensed, both).
    fn shines(&self, lamp: Lamp) -> Option<bool> {
        let said = self.0.iter().filter_map(|way| way.text(lamp.file())?.parse::<u8>().ok());
        said.map(|number| number != 0).reduce(|one, other| one || other)
    }
}

/// A place for a disk in an enclosure.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Slot {
    /// `ENCLOSURE/NAME`, as sysfs calls the two.
    pub id: String,
    #[serde(rename = "led_status")]
    pub status: LedStatus,
    /// `/dev/sda`; none of an empty slot.
    pub device_node: Option<String>,
    #[serde(skip)]
    pub lamps: Lamps,
}

impl Slot {
    fn new(enclosure: &Folder, folder: Folder) -> Self {
        let disk = folder.inner("device/block").folders("").first().map(Folder::name);
        let id = format!("{}/{}", enclosure.name(), folder.name());
        let lamps = Lamps(vec![folder]);
        let device_node = disk.map(|name| format!("{}{name}", local_disk::DEV));
        Self { id, status: lamps.status(), device_node, lamps }
    }
}

/// All slots that have a lamp: enclosure by enclosure, and in each by the number that is printed at them.
pub fn slots(sysfs: &Folder) -> Vec<Slot> {
    let mut slots = Vec::new();
    for enclosure in sysfs.inner("class/enclosure").folders("") {
        let mut places = enclosure.folders("");
        places.retain(|place| [Lamp::Ident, Lamp::Fault].iter().any(|lamp| place.has(lamp.file())));
        places.sort_by_key(|place| place.text("slot").and_then(|number| number.parse::<u32>().ok()));
        slots.extend(places.into_iter().map(|place| Slot::new(&enclosure, place)));
    }
    slots
}

/// Why a lamp was not set.
#[derive(Debug, thiserror::Error)]
#[error("cannot set the {lamp} at {}: {source}", folder.path().display())]
pub struct LampError {
    lamp: Lamp,
    folder: Folder,
    source: io::Error,
}

impl LampError {
    fn number(&self) -> ErrorNumber {
        match self.source.kind() {
            io::ErrorKind::PermissionDenied => ErrorNumber::PermissionDenied,
            // There is no such lamp, or the enclosure's driver cannot set it.
            io::ErrorKind::NotFound => ErrorNumber::NoSupport,
            _ if self.source.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => ErrorNumber::NoSupport,
            _ => ErrorNumber::LibBug,
        }
    }
}

impl From<LampError> for Stop {
    fn from(error: LampError) -> Self {
        Self::refused(error.number(), error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lsm::sysfs::fake::Sysfs;

    const SLOT_1: &str = "class/enclosure/0:0:24:0/Slot 01";
    const SLOT_2: &str = "class/enclosure/0:0:24:0/Slot 02";

    /// An enclosure whose second slot is empty, and sorts before the first by name of its folder.
    fn enclosure() -> Sysfs {
        Sysfs::new()
            .with("class/enclosure/0:0:24:0/components", b"2\n")
            .with(&format!("{SLOT_1}/locate"), b"0\n")
            .with(&format!("{SLOT_1}/fault"), b"2\n")
            .with(&format!("{SLOT_1}/slot"), b"7\n")
            .with(&format!("{SLOT_1}/device/block/sda/size"), b"8\n")
            .with(&format!("{SLOT_2}/locate"), b"1\n")
            .with(&format!("{SLOT_2}/slot"), b"3\n")
            .with("class/enclosure/0:0:24:0/power/control", b"auto\n")
            .linked("block/sda/device/enclosure_device:Slot 01", SLOT_1)
    }

    #[test]
    fn slots_are_listed_by_their_number_with_what_their_lamps_show() {
        let sysfs = enclosure();
        let slots = slots(&sysfs.root());
        let shown: Vec<_> =
            slots.iter().map(|slot| (slot.id.as_str(), slot.status, slot.device_node.as_deref())).collect();
        assert_eq!(
            shown,
            [
                ("0:0:24:0/Slot 02", LedStatus(2 | 64), None),
                ("0:0:24:0/Slot 01", LedStatus(4 | 16), Some("/dev/sda"))
            ]
        );
    }

    #[test]
    fn a_disks_lamp_is_that_of_its_slot() {
        let sysfs = enclosure();
        let lamps = Lamps::of_disk(&sysfs.root().inner("block/sda")).unwrap();
        lamps.set(Lamp::Ident, true).unwrap();
        lamps.set(Lamp::Fault, false).unwrap();
        assert_eq!(lamps.status(), LedStatus(2 | 32));
        assert!(sysfs.text(&format!("{SLOT_1}/locate")).starts_with('1'));
        assert_eq!(Lamps::of_disk(&sysfs.root().inner("block/sdb")), None);
    }

    #[test]
    fn a_disk_that_two_enclosures_reach_has_the_lamps_of_both() {
        let other = "class/enclosure/1:0:24:0/Slot 01";
        let sysfs = enclosure()
            .with(&format!("{other}/locate"), b"0\n")
            .linked("block/sda/device/enclosure_device:other", other);
        let lamps = Lamps::of_disk(&sysfs.root().inner("block/sda")).unwrap();
        lamps.set(Lamp::Ident, true).unwrap();
        for slot in [SLOT_1, other] {
            assert!(sysfs.text(&format!("{slot}/locate")).starts_with('1'), "{slot}");
        }
    }

    #[test]
    fn a_lamp_that_is_not_there_is_not_supported_and_not_made() {
        let sysfs = enclosure();
        let slots = slots(&sysfs.root());
        let refused = slots[0].lamps.set(Lamp::Fault, true).unwrap_err();
        assert_eq!(refused.number(), ErrorNumber::NoSupport);
        assert!(!sysfs.root().inner(SLOT_2).has("fault"));
    }

    #[test]
    fn what_the_kernel_says_decides_how_scripts_hear_of_it() {
        let exit = |errno: Errno| {
            let folder = Folder::new("/sys/class/enclosure/0:0:24:0/Slot 01");
            Stop::from(LampError { lamp: Lamp::Fault, folder, source: errno.into() })
        };
        assert_eq!(exit(Errno::ACCESS).exit(), 13);
        assert_eq!(exit(Errno::PERM).exit(), 13);
        assert!(
            exit(Errno::INVAL).to_string().starts_with("NO_SUPPORT(153): cannot set the fault lamp at /sys/")
        );
        assert_eq!((exit(Errno::INVAL).exit(), exit(Errno::IO).exit()), (4, 4));
    }
}
