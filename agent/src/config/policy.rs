//! `[policy]`: what may be done to this host, whoever asks for it and with whatever key.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use sanfleet_protocol::{MountPoint, QuiesceBy, id::IdError};
use serde::Deserialize;

use crate::{by_text::list as by_texts, ledger::Verb};

/// Read once at start, from a file that only this host's administrator writes. Nothing on the bus changes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Volumes are mounted and unmounted below these directories, and nowhere else.
    #[serde(deserialize_with = "by_texts::deserialize")]
    pub mount_roots: Vec<MountRoot>,
    /// The kernel's names of those that are mounted, made and given a new identity.
    pub file_systems: Vec<String>,
    /// Whether a volume may be mounted so that it can be written to.
    pub read_write: bool,
    /// Whether programs on a mounted volume may be started.
    pub exec: bool,
    /// Whether a blank volume may get a file system.
    pub format: bool,
    pub quiesce: Vec<QuiesceKind>,
    /// What may be changed at all; everything where it is not said.
    pub verbs: Option<Vec<Verb>>,
    /// So many volumes at once that the agent looked for or mounted and has not taken away again.
    pub max_volumes: u32,
    pub max_changes_per_minute: u32,
    /// While this file is there nothing is changed, and what is held still is let go.
    pub maintenance_file: PathBuf,
}

impl Default for Policy {
    fn default() -> Self {
        use QuiesceKind::{Fsfreeze, Hook, Mysql, None, Postgresql};
        Self {
            mount_roots: ["/mnt", "/srv"].map(|root| MountRoot(root.into())).into(),
            file_systems: ["ext2", "ext3", "ext4", "xfs", "btrfs"].map(str::to_owned).into(),
            read_write: true,
            exec: false,
            format: false,
            quiesce: vec![None, Fsfreeze, Mysql, Postgresql, Hook],
            verbs: Option::None,
            max_volumes: 1024,
            max_changes_per_minute: 600,
            maintenance_file: "/etc/sanfleet/maintenance".into(),
        }
    }
}

impl Policy {
    /// Everything that an agent can do, for hosts that are not real.
    pub fn of_simulated_host() -> Self {
        Self {
            mount_roots: vec![MountRoot("/".into())],
            exec: true,
            format: true,
            max_changes_per_minute: u32::MAX,
            maintenance_file: "/nonexistent/sanfleet-maintenance".into(),
            ..Self::default()
        }
    }
}

/// A directory below which volumes are mounted; `/` is everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountRoot(PathBuf);

impl MountRoot {
    /// Below it, and not it itself: what is mounted on the root would hide everything else that is mounted there.
    pub fn holds(&self, at: &MountPoint) -> bool {
        at.as_path() != self.0 && at.as_path().starts_with(&self.0)
    }
}

impl FromStr for MountRoot {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text {
            "/" => Ok(Self(Path::new("/").to_owned())),
            other => Ok(Self(other.parse::<MountPoint>()?.as_path().to_owned())),
        }
    }
}

impl fmt::Display for MountRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

/// The ways of [`QuiesceBy`], without which hook it is: hooks are listed one by one anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QuiesceKind {
    None,
    Fsfreeze,
    Mysql,
    Postgresql,
    Hook,
}

impl From<&QuiesceBy> for QuiesceKind {
    fn from(by: &QuiesceBy) -> Self {
        match by {
            QuiesceBy::None => Self::None,
            QuiesceBy::Fsfreeze => Self::Fsfreeze,
            QuiesceBy::Mysql => Self::Mysql,
            QuiesceBy::Postgresql => Self::Postgresql,
            QuiesceBy::Hook(_) => Self::Hook,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(root: &str, at: &str) -> bool {
        root.parse::<MountRoot>().unwrap().holds(&at.parse().unwrap())
    }

    #[test]
    fn a_root_holds_what_is_below_it_by_whole_names_and_not_itself() {
        assert!(holds("/srv", "/srv/data") && holds("/srv/", "/srv//a/b") && holds("/", "/etc"));
        assert!(!holds("/srv", "/srv") && !holds("/srv", "/srvdata") && !holds("/srv/a", "/srv"));
        assert!("srv".parse::<MountRoot>().is_err() && "/srv/../etc".parse::<MountRoot>().is_err());
    }

    #[test]
    fn what_is_not_said_is_the_cautious_choice() {
        let policy: Policy = toml::from_str("verbs = [\"mount\", \"unmount\"]").unwrap();
        assert!(!policy.format && !policy.exec && policy.read_write);
        assert_eq!(policy.verbs, Some(vec![Verb::Mount, Verb::Unmount]));
        assert!(toml::from_str::<Policy>("verbs = [\"erase\"]").is_err());
        assert!(toml::from_str::<Policy>("formatting = true").is_err());
    }
}
