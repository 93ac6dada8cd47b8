//! How far a run may go.

use std::time::Duration;

/// What a run does, and what it may touch.
#[derive(Debug, Clone)]
pub struct Options {
    /// Only checks whose group or name contains this.
    pub filter: Option<String>,
    /// Make, change and delete objects of our own. Without it the run only reads.
    pub changes: bool,
    /// Take free disks for volumes, which few people have to spare.
    pub disks: bool,
    /// The pool to work in, by name or id; without it the one with most free space.
    pub pool: Option<String>,
    /// Begins the name of everything that the run makes. Letters, digits and underscores: all arrays take those.
    pub prefix: String,
    /// Bytes of a volume or file system.
    pub size: u64,
    /// How many volumes the array is filled with at most. A slow array is given fewer.
    pub many: usize,
    /// Sessions that work side by side.
    pub sessions: usize,
    /// Makes names and random values; the same seed makes the same.
    pub seed: u64,
    /// Longest time that one call, or one job, may take.
    pub deadline: Duration,
    /// How long a list may lag behind what was done.
    pub settle: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            filter: None,
            changes: false,
            disks: false,
            pool: None,
            prefix: "sfconf".into(),
            size: 16 << 20,
            many: 2_000,
            sessions: 4,
            seed: 0,
            deadline: Duration::from_secs(60),
            settle: Duration::from_secs(5),
        }
    }
}
