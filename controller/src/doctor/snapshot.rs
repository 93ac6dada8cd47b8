//! The picture that is looked at: taken at one moment, so that nobody waits while it is.

use std::time::Duration;

use sanfleet_protocol::HostId;

use crate::{
    catalog::{ArrayRecord, Catalog, HostRecord},
    runs::RunsSeen,
};

/// Everything that is compared. Reports and listings are shared with the catalog, not copied.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub hosts: Vec<(HostId, HostRecord)>,
    pub arrays: Vec<ArrayRecord>,
    pub runs: RunsSeen,
    pub now_unix_ms: i64,
    pub limits: Limits,
}

/// How patient the doctor is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// What holds for less long is in flight.
    pub grace: Duration,
    /// A run whose journal is silent for longer makes no progress. Longer than any step may be silent.
    pub stalled_after: Duration,
}

impl Snapshot {
    pub fn of(catalog: &Catalog, runs: RunsSeen, now_unix_ms: i64, limits: Limits) -> Self {
        let hosts = catalog.hosts().map(|(host, record)| (host.clone(), record.clone()));
        let arrays = catalog.arrays().cloned();
        Self { hosts: hosts.collect(), arrays: arrays.collect(), runs, now_unix_ms, limits }
    }
}

pub fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
