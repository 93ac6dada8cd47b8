//! What a quiesce holds, and so what has to be let go of.

use sanfleet_protocol::MountPoint;
use serde::{Deserialize, Serialize};

use crate::{by_text, by_text::list as by_texts, config::Hook};

/// File systems in the order in which they are frozen, and the hook that has to be ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    #[serde(with = "by_text")]
    pub mount_point: MountPoint,
    /// Those that are frozen after it.
    #[serde(default, with = "by_texts", skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<MountPoint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<Hook>,
}

impl Held {
    /// One file system, and no hook.
    pub fn one(mount_point: MountPoint) -> Self {
        Self { mount_point, also: Vec::new(), hook: None }
    }

    pub fn places(&self) -> impl DoubleEndedIterator<Item = &MountPoint> {
        [&self.mount_point].into_iter().chain(&self.also)
    }

    /// The first place that both hold.
    pub fn shared_with(&self, other: &Self) -> Option<&MountPoint> {
        self.places().find(|at| other.places().any(|one| one == *at))
    }
}
