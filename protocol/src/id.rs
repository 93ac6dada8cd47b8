//! Names and numbers that identify our own things: hosts, arrays, runs, commands, and the order among them.

use std::{fmt, str::FromStr};

use uuid::Uuid;

/// Why a text is not the id it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("{what} is empty")]
    Empty { what: &'static str },
    #[error("{what} {text:?} is longer than {max} characters")]
    TooLong { what: &'static str, text: String, max: usize },
    #[error("{what} {text:?} may hold only a-z, A-Z, 0-9, '-' and '_'")]
    Character { what: &'static str, text: String },
    #[error("{what} {text:?} is not a UUID")]
    NotUuid { what: &'static str, text: String },
    #[error("mount point {text:?} {why}")]
    MountPoint { text: String, why: &'static str },
}

/// A token that is one level of a subject, a file name and a column of a table, unquoted in each.
fn token(what: &'static str, text: &str) -> Result<String, IdError> {
    const MAX: usize = 63;
    if text.is_empty() {
        return Err(IdError::Empty { what });
    }
    if text.len() > MAX {
        return Err(IdError::TooLong { what, text: text.chars().take(MAX).collect(), max: MAX });
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return Err(IdError::Character { what, text: text.to_owned() });
    }
    Ok(text.to_owned())
}

macro_rules! token_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                token($what, text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

token_id! {
    /// A machine with an agent on it: 1 to 63 letters, digits, `-` or `_`.
    HostId, "host"
}
token_id! {
    /// A storage array as the operator named it: 1 to 63 letters, digits, `-` or `_`.
    ArrayId, "array name"
}

token_id! {
    /// One of the controllers of a fleet: 1 to 63 letters, digits, `-` or `_`.
    ControllerId, "controller name"
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            pub fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub fn uuid(&self) -> Uuid {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::try_parse(text).map(Self).map_err(|_| IdError::NotUuid {
                    what: $what,
                    text: text.chars().take(64).collect(),
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }
    };
}

uuid_id! {
    /// A durable procedure under way or done. Version 7, so that ids sort by the time of their making.
    RunId, "run id"
}
uuid_id! {
    /// One command to one agent. Repeating a command repeats its id.
    CommandId, "command id"
}
uuid_id! {
    /// The UUID in a file system's superblock. Minted before the file system is made or renamed, so that both may be done
    /// twice.
    FileSystemId, "file system UUID"
}

impl RunId {
    /// The id of a part of this run: the same for the same place and try, and of no other run. It sorts beside the whole.
    pub fn part(&self, place: u32, attempt: u16) -> Self {
        let mut bytes = *self.0.as_bytes();
        // The random end of the id tells runs apart; what is mixed in there tells the parts of one run apart.
        let mixed = (u64::from(place) + 1) << 16 | u64::from(attempt);
        for (byte, mix) in bytes.iter_mut().rev().zip(mixed.to_le_bytes()).take(6) {
            *byte ^= mix;
        }
        Self(Uuid::from_bytes(bytes))
    }

    /// The last group of the id: short, and random where the beginning is a time.
    pub fn short(&self) -> String {
        let text = self.to_string();
        text.rsplit('-').next().unwrap_or_default().to_owned()
    }
}

/// Who owns a run, in order: of two fences the higher one is the newer owner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Fence(pub u64);

/// The order of a host's reports: a report with a lower or equal generation is old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Generation(pub u64);

/// An absolute, normalised directory path: no `.`, `..`, empty parts or trailing slash, at most 4,095 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MountPoint(String);

impl MountPoint {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn as_path(&self) -> &std::path::Path {
        std::path::Path::new(&self.0)
    }
}

impl FromStr for MountPoint {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let refuse = |why| Err(IdError::MountPoint { text: text.chars().take(200).collect(), why });
        if !text.starts_with('/') {
            return refuse("is not an absolute path");
        }
        if text.len() > 4095 {
            return refuse("is longer than 4095 bytes");
        }
        if text.chars().any(char::is_control) {
            return refuse("holds a control character");
        }
        let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
        if parts.iter().any(|part| *part == "." || *part == "..") {
            return refuse("holds '.' or '..'");
        }
        if parts.is_empty() {
            return refuse("is the root directory");
        }
        Ok(Self(format!("/{}", parts.join("/"))))
    }
}

impl fmt::Display for MountPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_that_would_change_a_subject_is_refused() {
        for bad in ["", "a.b", "a b", "*", ">", "db/1", "ä", &"x".repeat(64)] {
            assert!(bad.parse::<HostId>().is_err(), "{bad:?}");
        }
        assert_eq!("db-1_A".parse::<HostId>().unwrap().as_str(), "db-1_A");
    }

    #[test]
    fn the_parts_of_a_run_have_ids_of_their_own_that_are_always_the_same() {
        let run = RunId::new(Uuid::from_u128(0x0199_0000_0000_7000_8000_0123_4567_89ab));
        let parts = || (0..2_000).flat_map(|place| (0..3).map(move |attempt| run.part(place, attempt)));
        let distinct: std::collections::BTreeSet<RunId> = parts().chain([run]).collect();
        assert_eq!(distinct.len(), 6_001);
        assert_eq!(run.part(7, 1), run.part(7, 1));
        assert_eq!(run.part(u32::MAX, u16::MAX).uuid().get_version_num(), 7);
    }

    #[test]
    fn a_mount_point_is_absolute_and_normalised() {
        assert_eq!("//var//lib/mysql/".parse::<MountPoint>().unwrap().as_str(), "/var/lib/mysql");
        for bad in ["", "/", "var", "/a/../b", "/a/./b", "/a\n", "//"] {
            assert!(bad.parse::<MountPoint>().is_err(), "{bad:?}");
        }
    }
}
