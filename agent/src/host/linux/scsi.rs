//! What a SCSI device answers when it is asked who it is.
//!
//! A unit that was taken away at the array keeps its disk here until somebody removes that. This module tells it from one that
//! only does not answer: of the first nothing will ever come back, of the second everything may.

use std::fs::File;

use sanfleet_protocol::{VolumeId, volume_id};

use crate::host::{
    HostError,
    ioctl::{self, ScsiError},
};

const DEVICE_IDENTIFICATION: u8 = 0x83;
/// Sense key and additional sense code of a unit that the target does not have (SPC-5 §4.4.2 and annex F.2).
const ILLEGAL_REQUEST: u8 = 5;
const LOGICAL_UNIT_NOT_SUPPORTED: u8 = 0x25;

/// The ids that the disk of this name gives of itself now.
///
/// # Errors
/// `Unmapped` when the target says that it has no such unit.
pub fn ids(disk: &File, name: &str) -> Result<Vec<VolumeId>, HostError> {
    let unmapped = || HostError::Unmapped { what: name.to_owned() };
    match ioctl::scsi_inquiry_page(disk, DEVICE_IDENTIFICATION) {
        Ok(page) if !is_connected(&page) => Err(unmapped()),
        // A disk that answers with something else has no such page.
        Ok(page) => Ok(volume_id::designators(&page).unwrap_or_default()),
        Err(ScsiError::Failed { sense, .. }) if says_no_unit(&sense) => Err(unmapped()),
        Err(error) => {
            let source = match error {
                ScsiError::Os(error) => error.into(),
                failed @ ScsiError::Failed { .. } => std::io::Error::other(failed),
            };
            Err(HostError::os(format!("ask {name} for its ids (INQUIRY 0x83)"), source))
        }
    }
}

/// The peripheral qualifier, in the first three bits of every INQUIRY data, is 0 for a unit that is there (SPC-5 §6.7.2).
fn is_connected(page: &[u8]) -> bool {
    page.first().is_none_or(|byte| byte >> 5 == 0)
}

/// Sense data come in a fixed format and in one of descriptors, each for an error of this command or of one before it
/// (SPC-5 §4.4.2 and §4.4.3). Only what is said of this one counts.
fn says_no_unit(sense: &[u8]) -> bool {
    let at = |place: usize| sense.get(place).copied().unwrap_or_default();
    let (key, code) = match at(0) & 0x7f {
        0x70 => (at(2) & 0xf, at(12)),
        0x72 => (at(1) & 0xf, at(2)),
        _ => return false,
    };
    (key, code) == (ILLEGAL_REQUEST, LOGICAL_UNIT_NOT_SUPPORTED)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As Linux' target sends it.
    const NO_UNIT: [u8; 18] = [0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x25, 0, 0, 0, 0, 0];

    #[test]
    fn that_there_is_no_unit_is_heard_in_both_formats() {
        assert!(says_no_unit(&NO_UNIT));
        assert!(says_no_unit(&[0x72, 5, 0x25, 0, 0, 0, 0, 0]));
    }

    #[test]
    fn of_another_trouble_or_another_command_nothing_follows() {
        let with = |place: usize, byte: u8| {
            let mut sense = NO_UNIT;
            sense[place] = byte;
            sense
        };
        // Not ready; an invalid field; deferred; of the vendor's own.
        for other in [with(2, 2), with(12, 0x24), with(0, 0x71), with(0, 0x7f)] {
            assert!(!says_no_unit(&other), "{other:x?}");
        }
    }

    #[test]
    fn a_unit_with_a_qualifier_is_not_there() {
        assert!(is_connected(&[0x00, 0x83]) && is_connected(&[]));
        assert!(!is_connected(&[0x7f, 0x83]) && !is_connected(&[0x20, 0x83]));
    }

    proptest! {
        #[test]
        fn any_sense_is_judged_without_harm(sense in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = says_no_unit(&sense);
        }
    }
}
