//! Where an array shows a volume: a unit behind a portal of an iSCSI target, or behind a Fibre Channel port.
//!
//! A path says where to look. What is found there has to prove which volume it is.

use core::net::SocketAddr;
use std::{fmt, str::FromStr};

use crate::{
    v1,
    wwpn::{Wwpn, WwpnError},
};

/// The longest iSCSI name (RFC 7143 §4.2.7.1).
const MAX_NAME_BYTES: usize = 223;

/// An iSCSI name in lower case, of the characters that such a name may have and no other: it can neither leave a directory
/// nor be taken for an option.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetName(String);

/// The number of a logical unit, as an array counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lun(u32);

/// One unit behind one portal or port of an array.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TargetPath {
    Iscsi(IscsiPath),
    Fc(FcPath),
}

/// One unit behind one portal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IscsiPath {
    pub portal: SocketAddr,
    pub target: TargetName,
    pub lun: Lun,
}

/// One unit behind one port of a Fibre Channel fabric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FcPath {
    pub port: Wwpn,
    pub lun: Lun,
}

/// Why a text or a number is no such path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetPathError {
    #[error("{0:?} is no iSCSI name")]
    Name(String),
    #[error("{0:?} is no IP address with a port")]
    Portal(String),
    #[error("{0} is no number of a logical unit")]
    Lun(String),
    #[error(transparent)]
    Port(#[from] WwpnError),
    #[error("{0:?} is neither PORTAL,TARGET,LUN nor WWPN,LUN")]
    Form(String),
}

impl TargetName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TargetName {
    type Err = TargetPathError;

    /// RFC 3722 leaves letters, digits, `-`, `.` and `:` of ASCII; other letters are not taken.
    fn from_str(text: &str) -> Result<Self, TargetPathError> {
        let name = text.to_ascii_lowercase();
        let rest = ["iqn.", "eui.", "naa."].iter().find_map(|form| name.strip_prefix(form));
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte);
        let is_name = rest.is_some_and(|rest| !rest.is_empty()) && name.len() <= MAX_NAME_BYTES;
        match is_name && name.bytes().all(allowed) {
            true => Ok(Self(name)),
            false => Err(TargetPathError::Name(text.chars().take(MAX_NAME_BYTES).collect())),
        }
    }
}

impl Lun {
    /// What fits into the longest form in which SCSI counts units, with 24 bits.
    pub const MAX: u32 = (1 << 24) - 1;

    pub fn new(number: u64) -> Result<Self, TargetPathError> {
        let fits = u32::try_from(number).ok().filter(|number| *number <= Self::MAX);
        fits.map(Self).ok_or_else(|| TargetPathError::Lun(number.to_string()))
    }

    pub fn number(self) -> u32 {
        self.0
    }
}

impl TargetPath {
    /// The fabric that it is on.
    pub fn fabric(&self) -> &'static str {
        match self {
            Self::Iscsi(_) => "iscsi",
            Self::Fc(_) => "fc",
        }
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Lun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for TargetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Iscsi(path) => path.fmt(f),
            Self::Fc(path) => path.fmt(f),
        }
    }
}

impl fmt::Display for IscsiPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{}", self.portal, self.target, self.lun)
    }
}

impl fmt::Display for FcPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.port, self.lun)
    }
}

/// As people type it: `192.0.2.1:3260,iqn.2026-01.example:array,7` or `50:0a:09:81:8d:12:34:56,7`.
impl FromStr for TargetPath {
    type Err = TargetPathError;

    fn from_str(text: &str) -> Result<Self, TargetPathError> {
        let number = |lun: &str| {
            let number = lun.parse().map_err(|_| TargetPathError::Lun(format!("{lun:?}")))?;
            Lun::new(number)
        };
        match text.split(',').collect::<Vec<_>>().as_slice() {
            [portal, target, lun] => Ok(Self::Iscsi(IscsiPath {
                portal: self::portal(portal)?,
                target: target.parse()?,
                lun: number(lun)?,
            })),
            [port, lun] => Ok(Self::Fc(FcPath { port: port.parse()?, lun: number(lun)? })),
            _ => Err(TargetPathError::Form(text.chars().take(MAX_NAME_BYTES).collect())),
        }
    }
}

impl TryFrom<&v1::TargetPath> for TargetPath {
    type Error = TargetPathError;

    fn try_from(message: &v1::TargetPath) -> Result<Self, TargetPathError> {
        let v1::TargetPath { portal, target, lun, port } = message;
        let lun = Lun::new(*lun)?;
        match (portal.as_str(), target.as_str(), port.as_str()) {
            ("", "", port) if !port.is_empty() => Ok(Self::Fc(FcPath { port: port.parse()?, lun })),
            (portal, target, "") => {
                Ok(Self::Iscsi(IscsiPath { portal: self::portal(portal)?, target: target.parse()?, lun }))
            }
            (_, _, both) => Err(TargetPathError::Form(both.chars().take(MAX_NAME_BYTES).collect())),
        }
    }
}

impl From<&TargetPath> for v1::TargetPath {
    fn from(path: &TargetPath) -> Self {
        match path {
            TargetPath::Iscsi(IscsiPath { portal, target, lun }) => Self {
                portal: portal.to_string(),
                target: target.to_string(),
                lun: lun.0.into(),
                port: String::new(),
            },
            TargetPath::Fc(FcPath { port, lun }) => {
                Self { port: port.to_string(), lun: lun.0.into(), ..Self::default() }
            }
        }
    }
}

fn portal(text: &str) -> Result<SocketAddr, TargetPathError> {
    text.parse().map_err(|_| TargetPathError::Portal(text.chars().take(MAX_NAME_BYTES).collect()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_reads_back_as_text_and_as_a_message() {
        for text in [
            "192.0.2.1:3260,iqn.2026-01.example:array,7",
            "[2001:db8::1]:860,eui.0123456789abcdef,16777215",
            "50:0a:09:81:8d:12:34:56,7",
        ] {
            let path: TargetPath = text.parse().unwrap();
            assert_eq!(path.to_string(), text);
            assert_eq!(TargetPath::try_from(&v1::TargetPath::from(&path)), Ok(path));
        }
    }

    #[test]
    fn a_name_in_capitals_is_the_same_name() {
        let name: TargetName = "IQN.2026-01.Example:Array".parse().unwrap();
        assert_eq!(name.as_str(), "iqn.2026-01.example:array");
    }

    #[test]
    fn what_could_leave_a_directory_or_be_an_option_is_no_name() {
        let long = format!("iqn.{}", "a".repeat(220));
        for bad in ["", "iqn.", "iqn.a/../b", "--logout", "iqn.a b", "iqn.a\nb", "iqn.a,b", "array", &long] {
            assert!(matches!(bad.parse::<TargetName>(), Err(TargetPathError::Name(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_message_that_names_a_portal_and_a_port_is_of_no_fabric() {
        let iscsi: TargetPath = "192.0.2.1:3260,iqn.2026-01.example:array,7".parse().unwrap();
        let both = v1::TargetPath { port: "50:0a:09:81:8d:12:34:56".into(), ..(&iscsi).into() };
        assert!(matches!(TargetPath::try_from(&both), Err(TargetPathError::Form(_))));
        assert!(TargetPath::try_from(&v1::TargetPath::default()).is_err());
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for bad in [
            "",
            "192.0.2.1:3260",
            "192.0.2.1,iqn.2026-01.example:a,1",
            "array.example:3260,iqn.2026-01.example:a,1",
            "192.0.2.1:3260,iqn.2026-01.example:a,-1",
            "192.0.2.1:3260,iqn.2026-01.example:a,16777216",
            "192.0.2.1:3260,iqn.2026-01.example:a,1,2",
            "50:0a:09:81:8d:12:34,7",
            "50:0a:09:81:8d:12:34:56",
        ] {
            assert!(bad.parse::<TargetPath>().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_path_or_refused(text in "\\PC{0,60}") {
            if let Ok(path) = text.parse::<TargetPath>() {
                prop_assert_eq!(path.to_string().parse::<TargetPath>(), Ok(path));
            }
        }
    }
}
