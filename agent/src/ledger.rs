//! The agent's memory on disk: which commands it took, how they ended, what it attached, which quiesce it holds.
//!
//! It survives a kill at any moment: a record counts when it is whole and its checksum is right, a torn end is cut off.
//! When a record cannot be written the command is refused before it acts. No lock is held over a write but the writer's
//! own, so that looking something up never waits for the disk.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use sanfleet_protocol::{CommandId, Fence, RunId, VolumeId};

use crate::quiesce::Held;

mod log;
mod record;
mod state;

use log::Log;
pub use record::{Attachment, Intent, Record, Release, Verb};
pub use state::{Entry, State};

/// Above this the file is written anew with what still counts.
const COMPACT_BYTES: u64 = 1 << 20;

#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("ledger {}: cannot {doing}", path.display())]
    Io {
        path: PathBuf,
        doing: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("ledger {}: another process has it open", path.display())]
    InUse { path: PathBuf },
    #[error("a record of {0} bytes is too large for the ledger")]
    TooLarge(usize),
}

impl LedgerError {
    /// A full disk may have room again; nothing else gets better by itself.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Io { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Self::InUse { .. } => true,
            Self::TooLarge(_) => false,
        }
    }
}

#[derive(Debug)]
pub struct Ledger {
    log: Mutex<Log>,
    state: Mutex<State>,
}

impl Ledger {
    /// Opens or makes the ledger in the state directory, cuts off a torn end, and forgets what is past its time.
    pub fn open(directory: &Path, now_unix_ms: i64) -> Result<Self, LedgerError> {
        let (mut log, records) = Log::open(&directory.join("ledger"))?;
        let mut state = State::default();
        for record in records {
            state.apply(record);
        }
        state.forget(now_unix_ms);
        log.replace(&state.records())?;
        Ok(Self { log: Mutex::new(log), state: Mutex::new(state) })
    }

    /// Writes the records, all of them durably before this returns, and then counts them.
    pub fn write(&self, records: Vec<Record>, now_unix_ms: i64) -> Result<(), LedgerError> {
        let mut log = locked(&self.log);
        log.append(&records)?;
        let mut state = locked(&self.state);
        for record in records {
            state.apply(record);
        }
        if state.is_crowded() {
            state.forget(now_unix_ms);
        }
        if log.bytes() < COMPACT_BYTES.max(log.bytes_when_new().saturating_mul(2)) {
            return Ok(());
        }
        state.forget(now_unix_ms);
        let kept = state.records();
        drop(state);
        // What was asked for is on disk already; a file that is too large is only too large.
        if let Err(error) = log.replace(&kept) {
            tracing::warn!(error = %error, "the ledger could not be compacted");
        }
        Ok(())
    }

    pub fn entry(&self, command: &CommandId) -> Option<Entry> {
        locked(&self.state).entry(command).cloned()
    }

    /// The highest fence seen for the run.
    pub fn fence(&self, run: &RunId) -> Option<Fence> {
        locked(&self.state).fence(run)
    }

    /// Whoever repeats a command that expired then or before may find it forgotten.
    pub fn forgotten_until_unix_ms(&self) -> i64 {
        locked(&self.state).forgotten_until_unix_ms()
    }

    /// The highest serial of a delegation that was seen.
    pub fn delegated(&self) -> u64 {
        locked(&self.state).delegated()
    }

    /// How many volumes the agent attached and has not detached.
    pub fn attachments(&self) -> usize {
        locked(&self.state).attachments()
    }

    /// What the agent saw as this volume when it attached it.
    pub fn attachment(&self, volume: &VolumeId) -> Option<Attachment> {
        locked(&self.state).attachment(volume).cloned()
    }

    /// Each quiesce that was begun and not known to have ended.
    pub fn held(&self) -> Vec<(RunId, Held)> {
        locked(&self.state).held()
    }

    /// How the newest quiesce of the run ended.
    pub fn release(&self, run: &RunId) -> Option<Release> {
        locked(&self.state).release(run)
    }
}

/// A thread that panicked while it held the lock has not left half a change: each change is one assignment.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
