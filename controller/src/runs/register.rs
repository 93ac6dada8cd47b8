//! What an executor sees of the other runs, and they of it: the seam between the [engine](super::engine) and
//! [`Runs`](super::Runs).

use futures::future::BoxFuture;
use sanfleet_protocol::{
    RunId, VolumeId,
    v1::{self, RunState, RunVerb},
};

use super::{AnyProcedure, journal::JournalError, progress::Progress};

pub trait Register: Send + Sync {
    /// Told of every record of an executor, after it is in the journal.
    fn recorded<'a>(&'a self, progress: &'a Progress, record: &'a v1::JournalRecord) -> BoxFuture<'a, ()>;

    /// A run as far as its journal was followed.
    fn latest(&self, run: RunId) -> Option<Progress>;

    /// Its state alone.
    fn state(&self, run: RunId) -> Option<RunState>;

    /// Who uses this volume besides this run: attachments, and runs that are not over or stuck, each in words.
    fn using(&self, volume: &VolumeId, except: RunId) -> Vec<String>;

    /// How many parts of a run are over.
    fn ended_parts(&self, whole: RunId) -> u64;

    /// Returns when more parts of the run are over than this, or its own journal has a record after this sequence; and how
    /// many are.
    fn parts_moved(&self, whole: RunId, ended: u64, sequence: u64) -> BoxFuture<'_, u64>;

    /// Returns when the run's journal has a record after this sequence.
    fn moved(&self, run: RunId, after: u64) -> BoxFuture<'_, ()>;

    /// Starts a run that is a part of another. Fine when it was started before, by whomever. One that came to be only when the whole
    /// was over, because its owner was away for so long, is taken back before it touches anything.
    fn start_part<'a>(
        &'a self,
        whole: RunId,
        part: RunId,
        procedure: &'a AnyProcedure,
    ) -> BoxFuture<'a, Result<(), JournalError>>;

    /// Asks something of a run. Fine when it makes no sense any more.
    fn ask(&self, run: RunId, verb: RunVerb) -> BoxFuture<'_, ()>;
}
