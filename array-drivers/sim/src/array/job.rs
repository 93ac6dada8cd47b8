//! Jobs: work that is done, and is told of only when its time has passed.

use std::time::Duration;

use rusqlite::{OptionalExtension, Transaction, params};
use sanfleet_driver::{ErrorNumber, JobId, JobItem, JobState, JobStatus};

use super::{Array, now};
use crate::{
    error::{Result, SimError},
    identity,
};

pub(super) struct StartedJob {
    pub id: JobId,
    /// Milliseconds since the epoch.
    pub done_at: i64,
}

/// Starts a job of that length; none of no length.
pub(super) fn start(
    change: &Transaction,
    length: Duration,
    volume: Option<i64>,
) -> Result<Option<StartedJob>> {
    if length.is_zero() {
        return Ok(None);
    }
    let started_at = now();
    let done_at = started_at.saturating_add(i64::try_from(length.as_millis()).unwrap_or(i64::MAX));
    change
        .prepare_cached("INSERT INTO job (volume, started_at, done_at) VALUES (?1, ?2, ?3)")?
        .execute(params![volume, started_at, done_at])?;
    Ok(Some(StartedJob { id: identity::job(change.last_insert_rowid()), done_at }))
}

impl Array {
    pub fn job_status(&self, job: &JobId) -> Result<JobStatus> {
        let row = identity::job_row(job).ok_or_else(|| not_found(job))?;
        let found: Option<(Option<i64>, i64, i64)> = self
            .state
            .prepare_cached("SELECT volume, started_at, done_at FROM job WHERE id = ?1")?
            .query_row([row], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let (volume, started_at, done_at) = found.ok_or_else(|| not_found(job))?;
        if now() < done_at {
            let percent = percent(started_at, now(), done_at);
            return Ok(JobStatus { state: JobState::IN_PROGRESS, percent, item: None });
        }
        let item = volume.map(|row| self.volume(&identity::volume(row)).map(JobItem::Volume)).transpose()?;
        Ok(JobStatus { state: JobState::COMPLETE, percent: 100, item })
    }

    pub fn job_free(&self, job: &JobId) -> Result<()> {
        let row = identity::job_row(job).ok_or_else(|| not_found(job))?;
        let change = self.begin()?;
        if change.prepare_cached("DELETE FROM job WHERE id = ?1")?.execute([row])? == 0 {
            return Err(not_found(job));
        }
        change.commit()?;
        Ok(())
    }
}

fn not_found(job: &JobId) -> SimError {
    SimError::refused(ErrorNumber::NotFoundJob, format!("no job {job}"))
}

/// How much of the time has passed, 0 to 99: a job of 100 percent is complete.
fn percent(started_at: i64, now: i64, done_at: i64) -> u8 {
    let passed = now.saturating_sub(started_at).max(0);
    let length = done_at.saturating_sub(started_at).max(1);
    u8::try_from(passed.saturating_mul(100) / length).unwrap_or(99).min(99)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_in_progress_never_says_that_it_is_complete() {
        assert_eq!(percent(0, 0, 200), 0);
        assert_eq!(percent(0, 100, 200), 50);
        assert_eq!(percent(0, 200, 200), 99);
        assert_eq!(percent(1_000, 0, 2_000), 0); // the clock was set back
    }
}
