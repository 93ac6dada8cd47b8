//! The array itself: rows in the state file, files for the volumes, folders for what initiators see.
//!
//! The write lock of the state file (`BEGIN IMMEDIATE`) is the one lock: whatever changes files or folders on behalf of a
//! volume holds it, except the long copy of data, which holds the lock of the file it fills instead. The order of rows, files and
//! folders in each change is such that whoever opens the array next can tell what a killed process left half done:
//!
//! - a file without a row belongs to no volume: it is removed;
//! - a row that is not ready, whose file nobody fills, is removed with its file;
//! - nothing is shown to an initiator that no row accounts for: rows come before folders and go after them.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use rusqlite::{Connection, Transaction, TransactionBehavior};

mod access_group;
mod admin_state;
mod cache;
mod change;
mod chap;
mod check;
mod create;
mod delete;
mod disk;
mod job;
mod listing;
mod map;
mod mapping;
mod mask;
mod open;
mod page;
mod publication;
mod raid;
mod range;
mod rename;
mod repair;
mod replica;
mod replicate;
mod resize;
mod seed;
mod system;
mod volume;
mod wanted;

pub(crate) use chap::Login;
pub use check::Violation;

use crate::{error::Result, fabric::Fabric, files::VolumeFiles};

/// Bytes a block.
const BLOCK: u64 = 512;

/// One session's view of the array.
#[derive(Debug)]
pub(crate) struct Array {
    state: Connection,
    files: VolumeFiles,
    fabric: Option<Fabric>,
    /// 32 hex digits, chosen at random when the array was made.
    id: String,
    job: Duration,
    timeout: Duration,
}

impl Array {
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// How long a change waits for other processes.
    pub fn set_timeout(&mut self, timeout: Duration) -> Result<()> {
        self.state.busy_timeout(timeout)?;
        self.timeout = timeout;
        Ok(())
    }

    /// Takes the write lock. Dropped without a commit, nothing has changed.
    fn begin(&self) -> Result<Transaction<'_>> {
        Ok(Transaction::new_unchecked(&self.state, TransactionBehavior::Immediate)?)
    }

    fn data_folder(&self) -> &Path {
        self.files.folder()
    }
}

/// Milliseconds since the epoch, as the state file keeps times.
fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}
