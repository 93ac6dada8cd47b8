//! `[helper]`: where the agent's two processes meet.

use std::path::PathBuf;

use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Helper {
    /// In a directory where nobody but root can write.
    pub socket: PathBuf,
    /// Whose process may speak to the helper: the one that faces the bus runs as this user.
    pub user: String,
}

impl Default for Helper {
    fn default() -> Self {
        Self { socket: "/run/sanfleet-agent/helper.sock".into(), user: "sanfleet-agent".to_owned() }
    }
}
