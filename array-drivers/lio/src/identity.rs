//! What a volume is told apart by: a serial number of 25 hex digits.
//!
//! LIO makes a volume's NAA id of `6001405` and the first 25 hex digits of its serial number, so that this is all of it. It is the
//! driver's id of the volume, is in the name of its logical volume, and never comes back.

use std::{fmt, str::FromStr};

use uuid::Uuid;

const DIGITS: usize = 25;
/// The beginning of LIO's NAA ids: of kind 6, with the company number of the Linux target.
const NAA_PREFIX: &str = "6001405";
const LV_PREFIX: &str = "sanfleet-";

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Serial(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no serial number of {DIGITS} hex digits")]
pub(crate) struct NoSerial;

impl Serial {
    /// One that no volume has had.
    pub fn mint() -> Self {
        Self(Uuid::new_v4().simple().to_string().chars().take(DIGITS).collect())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// In hex.
    pub fn naa(&self) -> String {
        format!("{NAA_PREFIX}{}", self.0)
    }

    /// The name of its logical volume, and of what LIO has for it.
    pub fn lv(&self) -> String {
        format!("{LV_PREFIX}{}", self.0)
    }

    /// `None` for a logical volume of others.
    pub fn of_lv(name: &str) -> Option<Self> {
        name.strip_prefix(LV_PREFIX)?.parse().ok()
    }
}

impl FromStr for Serial {
    type Err = NoSerial;

    fn from_str(text: &str) -> Result<Self, NoSerial> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match text.len() == DIGITS && text.bytes().all(is_digit) {
            true => Ok(Self(text.to_owned())),
            false => Err(NoSerial),
        }
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_is_all_of_an_naa_id_and_is_found_again_in_the_name_of_a_logical_volume() {
        let serial = Serial::mint();
        assert_eq!(serial.naa().len(), 32);
        assert_eq!(Serial::of_lv(&serial.lv()), Some(serial.clone()));
        assert_ne!(Serial::mint(), serial);
        for other in ["data", "sanfleet-", "sanfleet-xyz", &format!("sanfleet-{serial}0")] {
            assert_eq!(Serial::of_lv(other), None, "{other}");
        }
    }
}
