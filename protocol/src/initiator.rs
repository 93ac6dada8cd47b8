//! Ids of initiators: how an array knows a host.

use std::{fmt, str::FromStr};

use crate::wwpn::{Wwpn, hex_u64};

/// One initiator id, in its canonical form. Two that name the same initiator are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Initiator {
    /// iSCSI qualified name, lower case (RFC 7143 §4.2.7: compared after case folding).
    Iqn(String),
    /// iSCSI name of the form `eui.` and 16 hex digits.
    Eui(u64),
    /// iSCSI name of the form `naa.` and 16 or 32 hex digits, lower case.
    Naa(String),
    /// Fibre Channel world wide port name.
    Wwpn(Wwpn),
    /// NVMe qualified name: UTF-8, at most 223 bytes, compared by case but for a UUID at its end (NVMe base 2.0 §4.5).
    Nqn(String),
}

/// Why a text is no initiator id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InitiatorError {
    #[error("initiator id {0:?} is none of IQN, EUI, NAA, WWPN or NQN")]
    UnknownForm(String),
    #[error("initiator id {0:?} is longer than 223 bytes")]
    TooLong(String),
    #[error("initiator id {0:?} holds a blank or a control character")]
    Character(String),
}

/// Longest iSCSI name and longest NQN, in bytes (RFC 7143 §4.2.7.1, NVMe base 2.0 §4.5).
const MAX_BYTES: usize = 223;
const NQN_UUID: &str = "nqn.2014-08.org.nvmexpress:uuid:";

impl FromStr for Initiator {
    type Err = InitiatorError;

    fn from_str(text: &str) -> Result<Self, InitiatorError> {
        let text = text.trim();
        let shown = || text.chars().take(MAX_BYTES).collect::<String>();
        if text.len() > MAX_BYTES {
            return Err(InitiatorError::TooLong(shown()));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(InitiatorError::Character(shown()));
        }
        parse(text).ok_or_else(|| InitiatorError::UnknownForm(shown()))
    }
}

fn parse(text: &str) -> Option<Initiator> {
    let lower = text.to_ascii_lowercase();
    if lower.starts_with("iqn.") && lower.len() > 4 {
        return Some(Initiator::Iqn(lower));
    }
    if let Some(digits) = lower.strip_prefix("eui.") {
        return hex_u64(digits).map(Initiator::Eui);
    }
    if let Some(rest) = lower.strip_prefix(NQN_UUID) {
        return Some(Initiator::Nqn(format!("{NQN_UUID}{rest}")));
    }
    if text.starts_with("nqn.") && text.len() > 4 {
        return Some(Initiator::Nqn(text.to_owned()));
    }
    if let Some(digits) = lower.strip_prefix("naa.") {
        let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
        return (hex && matches!(digits.len(), 16 | 32)).then(|| Initiator::Naa(digits.to_owned()));
    }
    lower.parse().ok().map(Initiator::Wwpn)
}

impl fmt::Display for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Iqn(name) | Self::Nqn(name) => f.write_str(name),
            Self::Eui(number) => write!(f, "eui.{number:016x}"),
            Self::Naa(digits) => write!(f, "naa.{digits}"),
            Self::Wwpn(port) => port.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_initiator_written_in_several_ways_is_one() {
        let wwpn: Initiator = "50:0A:09:81:8d:12:34:56".parse().unwrap();
        for other in ["500a09818d123456", "0x500A09818D123456", "50-0a-09-81-8d-12-34-56"] {
            assert_eq!(other.parse::<Initiator>().unwrap(), wwpn, "{other}");
        }
        assert_eq!(wwpn.to_string(), "50:0a:09:81:8d:12:34:56");
        let iqn: Initiator = "IQN.1993-08.org.debian:01:ABC".parse().unwrap();
        assert_eq!(iqn, "iqn.1993-08.org.debian:01:abc".parse().unwrap());
    }

    #[test]
    fn an_nqn_keeps_its_case_but_for_its_uuid() {
        let named: Initiator = "nqn.2014-08.com.example:Host".parse().unwrap();
        assert_eq!(named.to_string(), "nqn.2014-08.com.example:Host");
        let uuid = "nqn.2014-08.org.nvmexpress:uuid:4C4C4544-0042-3010-8035-B4C04F383432";
        assert_eq!(uuid.parse::<Initiator>(), uuid.to_lowercase().parse());
    }

    #[test]
    fn what_is_no_initiator_is_refused() {
        let long = format!("iqn.{}", "a".repeat(220));
        for bad in ["", "iqn.", "eui.12", "naa.xyz", "50:0a", "hello", "iqn.a b", "0x", &long] {
            assert!(bad.parse::<Initiator>().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused_and_what_is_parsed_reads_back(text in "\\PC{0,40}") {
            if let Ok(initiator) = text.parse::<Initiator>() {
                prop_assert_eq!(initiator.to_string().parse::<Initiator>(), Ok(initiator));
            }
        }

        #[test]
        fn every_number_is_a_wwpn_and_an_eui(number: u64) {
            for initiator in [Initiator::Wwpn(number.into()), Initiator::Eui(number)] {
                prop_assert_eq!(initiator.to_string().parse::<Initiator>(), Ok(initiator));
            }
        }
    }
}
