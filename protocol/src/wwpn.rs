//! World wide port names: how a Fibre Channel fabric knows a port, be it a host's or an array's.

use std::{fmt, str::FromStr};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Wwpn(u64);

/// A text that is no such name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no world wide port name")]
pub struct WwpnError(String);

impl From<u64> for Wwpn {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl FromStr for Wwpn {
    type Err = WwpnError;

    /// Accepts `50:0a:…`, `50-0a-…`, `50.0a.…`, `0x500a…` and bare digits: eight pairs in all.
    fn from_str(text: &str) -> Result<Self, WwpnError> {
        /// As much as is shown of what is no name.
        const SHOWN: usize = 64;
        let lower = text.to_ascii_lowercase();
        let digits = lower.strip_prefix("0x").unwrap_or(&lower);
        let number = match digits.len() {
            16 => hex_u64(digits),
            _ => pairs(digits),
        };
        number.map(Self).ok_or_else(|| WwpnError(text.chars().take(SHOWN).collect()))
    }
}

fn pairs(text: &str) -> Option<u64> {
    let pairs: Vec<&str> = text.split([':', '-', '.']).collect();
    let are_eight = pairs.len() == 8 && pairs.iter().all(|pair| pair.len() == 2);
    are_eight.then(|| hex_u64(&pairs.concat())).flatten()
}

/// Exactly 16 hex digits.
pub(crate) fn hex_u64(digits: &str) -> Option<u64> {
    let exact = digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    exact.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

/// `50:0a:09:81:8d:12:34:56`.
impl fmt::Display for Wwpn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self.0.to_be_bytes().map(|byte| format!("{byte:02x}"));
        f.write_str(&pairs.join(":"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_eight_bytes_in_whatever_way_they_are_written() {
        for text in
            ["50:0A:09:81:8d:12:34:56", "0x500a09818d123456", "500A09818D123456", "50.0a.09.81.8d.12.34.56"]
        {
            assert_eq!(text.parse::<Wwpn>().unwrap().to_string(), "50:0a:09:81:8d:12:34:56", "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused_and_shown_in_part() {
        let long = "é".repeat(100);
        for bad in ["", "0x", "50:0a", "500a09818d12345", "500a09818d12345g", "+00a09818d123456", &long] {
            let error = bad.parse::<Wwpn>().unwrap_err().to_string();
            assert!(error.len() < 200, "{error}");
        }
    }

    proptest! {
        #[test]
        fn every_number_reads_back(number: u64) {
            let name = Wwpn::from(number);
            prop_assert_eq!(name.to_string().parse::<Wwpn>(), Ok(name));
        }
    }
}
