//! Names and numbers that identify our own things: hosts, arrays, runs, commands, and the order among them.

use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::hash::fnv1a;

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

token_id! {
    /// A hook that an agent's configuration lists: 1 to 63 letters, digits, `-` or `_`.
    HookId, "hook name"
}

token_id! {
    /// A user of the bus: 1 to 63 letters, digits, `-` or `_`. An agent's is its host.
    BusUser, "user name"
}

impl BusUser {
    /// Whoever asks where the bus is open to all.
    pub fn anybody() -> Self {
        Self(crate::subject::ANYBODY.to_owned())
    }
}

token_id! {
    /// Where events are sent over HTTP, as the operator named it: 1 to 63 letters, digits, `-` or `_`.
    WebhookId, "webhook name"
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
    /// When the id was made, in milliseconds since 1970: version 7 begins with it (RFC 9562, section 5.7).
    pub fn minted_at_unix_ms(&self) -> i64 {
        let bytes = self.0.as_bytes();
        bytes.iter().take(6).fold(0, |ms, byte| ms << 8 | i64::from(*byte))
    }

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

    /// The id of what is due about this run at a moment, in milliseconds since 1970: whoever works it out finds the same one,
    /// so that it is begun once. It sorts among the runs of that moment.
    pub fn due(&self, at_unix_ms: u64) -> Self {
        let bytes = self.0.into_bytes().into_iter().chain(at_unix_ms.to_be_bytes());
        let mut random = [0; 10];
        let mixed = fnv1a(bytes).to_be_bytes().into_iter().chain([0xd0, 0xe0]);
        random.iter_mut().zip(mixed).for_each(|(byte, mix)| *byte = mix);
        Self(uuid::Builder::from_unix_timestamp_millis(at_unix_ms, &random).into_uuid())
    }

    /// The last group of the id: short, and random where the beginning is a time.
    pub fn short(&self) -> String {
        let text = self.to_string();
        text.rsplit('-').next().unwrap_or_default().to_owned()
    }
}

/// A copy or volume that a run has put on a host: the run's own id for the first, `RUN-2`, `RUN-3` … for those after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttachmentId {
    run: RunId,
    /// From 1 on.
    place: u16,
}

impl AttachmentId {
    /// The one at this place of those that the run has made, counted from 0.
    pub fn new(run: RunId, place: u16) -> Self {
        Self { run, place: place.saturating_add(1) }
    }

    pub fn run(&self) -> RunId {
        self.run
    }

    /// It stands for all that its run has made.
    pub fn is_first(&self) -> bool {
        self.place == 1
    }

    /// The run that is due about it at a moment, in milliseconds since 1970, whoever works it out.
    pub fn due(&self, at_unix_ms: u64) -> RunId {
        match self.place {
            1 => self.run.due(at_unix_ms),
            place => self.run.part(place.into(), 0).due(at_unix_ms),
        }
    }
}

impl fmt::Display for AttachmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            1 => self.run.fmt(f),
            place => write!(f, "{}-{place}", self.run),
        }
    }
}

impl FromStr for AttachmentId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        const RUN: usize = 36;
        let further = text.split_at_checked(RUN).and_then(|(run, rest)| Some((run, rest.strip_prefix('-')?)));
        let Some((run, place)) = further else {
            return Ok(Self { run: text.parse()?, place: 1 });
        };
        let not_one = || IdError::NotUuid { what: "attachment id", text: text.chars().take(64).collect() };
        match place.parse() {
            Ok(number @ 2..) if u16::to_string(&number) == place => {
                Ok(Self { run: run.parse()?, place: number })
            }
            _ => Err(not_one()),
        }
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
    fn a_run_knows_when_it_was_planned() {
        let run: RunId = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f".parse().unwrap();
        assert_eq!(run.minted_at_unix_ms(), 1_645_557_742_000, "the example of RFC 9562, appendix A.6");
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
    fn what_is_due_about_a_run_has_one_id_that_sorts_by_its_moment() {
        let run = RunId::new(Uuid::from_u128(0x0199_0000_0000_7000_8000_0123_4567_89ab));
        let other = RunId::new(Uuid::from_u128(0x0199_0000_0000_7000_8000_0123_4567_89ac));
        assert_eq!(run.due(2_000), run.due(2_000));
        assert_ne!(run.due(2_000), other.due(2_000));
        assert!(run.due(2_000) < run.due(2_001));
        assert_ne!(run.due(2_000).short(), run.short());
        assert_eq!(run.due(2_000).uuid().get_version_num(), 7);
    }

    #[test]
    fn the_first_attachment_is_named_as_its_run_and_the_others_after_it() {
        let run = RunId::new(Uuid::from_u128(0x0199_0000_0000_7000_8000_0123_4567_89ab));
        let (first, third) = (AttachmentId::new(run, 0), AttachmentId::new(run, 2));
        assert_eq!((first.to_string(), third.to_string()), (run.to_string(), format!("{run}-3")));
        for id in [first, third] {
            assert_eq!((id.to_string().parse(), id.run()), (Ok(id), run));
        }
        assert!(first.is_first() && !third.is_first());
        assert_eq!(first.due(7), run.due(7));
        assert_ne!(third.due(7), AttachmentId::new(run, 1).due(7));
        for bad in [
            "",
            "x",
            "-2",
            &format!("{run}-"),
            &format!("{run}-1"),
            &format!("{run}-02"),
            &format!("{run}-70000"),
        ] {
            assert!(bad.parse::<AttachmentId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_mount_point_is_absolute_and_normalised() {
        assert_eq!("//var//lib/mysql/".parse::<MountPoint>().unwrap().as_str(), "/var/lib/mysql");
        for bad in ["", "/", "var", "/a/../b", "/a/./b", "/a\n", "//"] {
            assert!(bad.parse::<MountPoint>().is_err(), "{bad:?}");
        }
    }
}
