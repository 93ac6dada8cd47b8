//! What the protocol's numbers are called.

use std::borrow::Cow;

use jiff::{Timestamp, tz::TimeZone};

use super::Value;

pub type Words<T> = &'static [(T, &'static str)];

/// A number with at most one name.
pub fn word(number: i64, words: Words<i64>) -> Value<'static> {
    let known = words.iter().find(|(known, _)| *known == number).map(|(_, word)| Cow::from(*word));
    Value::Word { number: number.into(), word: known.unwrap_or_else(|| format!("Unknown({number})").into()) }
}

/// A set of bits, each with its name; the names in the order of the table.
pub fn bits(set: u64, words: Words<u64>) -> Value<'static> {
    let mut known = words.iter().filter(|(bit, _)| set & bit != 0).map(|(_, word)| *word);
    let word = match (known.next(), known.next()) {
        (None, _) if set == 0 => "".into(),
        (None, _) => format!("Unknown({set:#x})").into(),
        (Some(only), None) => only.into(),
        (Some(first), Some(second)) => {
            let mut names = vec![first, second];
            names.extend(known);
            names.join(",").into()
        }
    };
    Value::Word { number: set.into(), word }
}

/// A moment as the clock on the wall shows it here.
pub fn moment(seconds: i64, zone: &TimeZone) -> Value<'static> {
    let word = match Timestamp::from_second(seconds) {
        Ok(moment) => moment.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => seconds.to_string(),
    };
    Value::Word { number: seconds.into(), word: word.into() }
}

pub const SYSTEM_STATUS: Words<u64> =
    &[(1, "Unknown"), (2, "OK"), (4, "Error"), (8, "Degraded"), (16, "Predictive failure"), (32, "Other")];

pub const POOL_STATUS: Words<u64> = &[
    (1, "Unknown"),
    (2, "OK"),
    (4, "Other"),
    (16, "Degraded"),
    (32, "Error"),
    (512, "Stopped"),
    (4096, "Reconstructing"),
    (8192, "Verifying"),
    (16384, "Initializing"),
    (32768, "Growing"),
];

pub const ELEMENT_TYPE: Words<u64> = &[
    (2, "POOL"),
    (4, "VOLUME"),
    (64, "VOLUME_THIN"),
    (32, "VOLUME_FULL"),
    (8, "FS"),
    (1024, "SYSTEM_RESERVED"),
    (16, "DELTA"),
];

pub const UNSUPPORTED_ACTIONS: Words<u64> = &[(1, "Volume Grow"), (2, "Volume Shrink")];

/// The column is headed «Disabled».
pub const DISABLED: Words<i64> = &[(0, "Yes"), (1, "No")];

pub const DISK_TYPE: Words<i64> = &[
    (0, "UNKNOWN"),
    (1, "Other"),
    (3, "ATA"),
    (4, "SATA"),
    (5, "SAS"),
    (6, "FC"),
    (7, "SCSI Over PCI-E(SSD)"),
    (8, "SCSI"),
    (9, "Remote LUN"),
    (51, "NL_SAS"),
    (52, "HDD"),
    (53, "SSD"),
    (54, "Hybrid"),
];

pub const DISK_STATUS: Words<u64> = &[
    (1, "Unknown"),
    (2, "OK"),
    (4, "Other"),
    (8, "Predictive failure"),
    (16, "Error"),
    (32, "Removed"),
    (64, "Starting"),
    (128, "Stopping"),
    (256, "Stopped"),
    (512, "Initializing"),
    (1024, "Maintenance"),
    (2048, "Spare"),
    (4096, "Reconstruct"),
    (8192, "Free"),
];

pub const INITIATOR_TYPE: Words<i64> =
    &[(0, "Unknown"), (1, "Other"), (2, "WWPN"), (5, "iSCSI"), (7, "iSCSI/WWPN Mixed")];

pub const PORT_TYPE: Words<i64> = &[(1, "Other"), (2, "FC"), (3, "FCoE"), (4, "iSCSI")];

pub const LINK_TYPE: Words<i64> = &[
    (-2, "No Support"),
    (-1, "Unknown"),
    (0, "FC"),
    (2, "SSA"),
    (3, "SBP"),
    (4, "SRP"),
    (5, "iSCSI"),
    (6, "SAS"),
    (7, "ADT"),
    (8, "PATA/SATA"),
    (9, "USB"),
    (10, "SCSI over PCIE"),
    (11, "PCI-E"),
];

pub const BATTERY_TYPE: Words<i64> = &[(1, "Unknown"), (2, "Other"), (3, "Chemical"), (4, "Capacitor")];

pub const BATTERY_STATUS: Words<u64> = &[
    (1, "Unknown"),
    (2, "Other"),
    (4, "OK"),
    (8, "Discharging"),
    (16, "Charging"),
    (32, "Learning"),
    (64, "Degraded"),
    (128, "Error"),
];

pub const RAID_TYPE: Words<i64> = &[
    (-1, "UNKNOWN"),
    (0, "RAID0"),
    (1, "RAID1"),
    (3, "RAID3"),
    (4, "RAID4"),
    (5, "RAID5"),
    (6, "RAID6"),
    (10, "RAID10"),
    (15, "RAID15"),
    (16, "RAID16"),
    (20, "JBOD"),
    (21, "MIXED"),
    (22, "OTHER"),
    (50, "RAID50"),
    (51, "RAID51"),
    (60, "RAID60"),
    (61, "RAID61"),
];

pub const MEMBER_TYPE: Words<i64> = &[(0, "Unknown"), (1, "Unknown"), (2, "Disk"), (3, "Pool")];

pub const WRITE_CACHE_POLICY: Words<i64> =
    &[(1, "Unknown"), (2, "Write Back"), (3, "Auto"), (4, "Write Through")];

pub const WRITE_CACHE_STATUS: Words<i64> = &[(1, "Unknown"), (2, "Write Back"), (3, "Write Through")];

pub const READ_CACHE: Words<i64> = &[(1, "Unknown"), (2, "Enabled"), (3, "Disabled")];

pub const PHYSICAL_DISK_CACHE: Words<i64> =
    &[(1, "Unknown"), (2, "Enabled"), (3, "Disabled"), (4, "Use Disk Setting")];

pub const HEALTH: Words<i64> = &[(-1, "Unknown"), (0, "Failure"), (1, "Warning"), (2, "Good")];

pub const LED_STATUS: Words<u64> = &[
    (1, "Unknown"),
    (2, "IDENT_ON"),
    (4, "IDENT_OFF"),
    (8, "IDENT_UNKNOWN"),
    (16, "FAULT_ON"),
    (32, "FAULT_OFF"),
    (64, "FAULT_UNKNOWN"),
];
