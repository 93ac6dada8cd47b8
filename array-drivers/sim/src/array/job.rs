//! Jobs: work that is done, and is told of only when its time has passed.
//!
//! A job that is to fail is decided before its work: what it makes is never listed and is removed at its end, and a change to
//! something that is there is not made at all ([`without_effect`]).

use std::time::Duration;

use rusqlite::{OptionalExtension, Transaction, params};
use sanfleet_driver::{ErrorNumber, JobFailure, JobId, JobItem, JobState, JobStatus};

use super::{Array, sweep};
use crate::{
    clock,
    error::{Result, SimError},
    identity,
};

/// How the jobs of a call go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// Zero for work that is done at once, without a job.
    pub length: Duration,
    pub fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Succeeds,
    /// Ends in ERROR with this number, and leaves nothing behind.
    Fails(i64),
    /// Nobody knows the job afterwards.
    Lost {
        done: bool,
    },
}

impl Fate {
    fn is_without_effect(self) -> bool {
        matches!(self, Self::Fails(_) | Self::Lost { done: false })
    }
}

/// What a job makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    Volume(i64),
    FileSystem(i64),
    Snapshot(i64),
}

impl Made {
    pub fn new(kind: &str, row: i64) -> Option<Self> {
        match kind {
            "volume" => Some(Self::Volume(row)),
            "fs" => Some(Self::FileSystem(row)),
            "snapshot" => Some(Self::Snapshot(row)),
            _ => None,
        }
    }

    pub fn kind(self) -> &'static str {
        match self {
            Self::Volume(_) => "volume",
            Self::FileSystem(_) => "fs",
            Self::Snapshot(_) => "snapshot",
        }
    }

    pub fn row(self) -> i64 {
        let (Self::Volume(row) | Self::FileSystem(row) | Self::Snapshot(row)) = self;
        row
    }
}

pub(super) struct StartedJob {
    pub id: JobId,
    /// From when on what it makes is listed, in milliseconds since the epoch.
    pub listed_at: i64,
}

/// Starts a job; none of no length. Whoever changes what is there asks [`without_effect`] first.
pub(super) fn start(change: &Transaction, terms: Terms, made: Option<Made>) -> Result<Option<StartedJob>> {
    if terms.length.is_zero() {
        return Ok(None);
    }
    let started_at = clock::now(change)?;
    let done_at = started_at.saturating_add(clock::milliseconds(terms.length));
    let failure = match terms.fate {
        Fate::Fails(number) => Some(number),
        Fate::Succeeds | Fate::Lost { .. } => None,
    };
    change
        .prepare_cached(
            "INSERT INTO job (kind, item, started_at, done_at, failure) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![made.map(Made::kind), made.map(Made::row), started_at, done_at, failure])?;
    let row = change.last_insert_rowid();
    if matches!(terms.fate, Fate::Lost { .. }) {
        change.prepare_cached("DELETE FROM job WHERE id = ?1")?.execute([row])?;
    }
    let mut listed_at = done_at;
    if terms.fate.is_without_effect() {
        listed_at = i64::MAX;
        made.map_or(Ok(()), |made| sweep::doom(change, made, done_at))?;
    }
    Ok(Some(StartedJob { id: identity::job(row), listed_at }))
}

/// The job of a change that is not to be made, because it will fail or get lost; none when the change is to be made.
pub(super) fn without_effect(change: &Transaction, terms: Terms) -> Result<Option<JobId>> {
    match terms.fate.is_without_effect() {
        true => Ok(start(change, terms, None)?.map(|job| job.id)),
        false => Ok(None),
    }
}

struct JobRow {
    made: Option<Made>,
    started_at: i64,
    done_at: i64,
    failure: Option<i64>,
}

impl Array {
    pub fn set_fate(&mut self, fate: Fate) {
        self.job.fate = fate;
    }

    pub fn job_status(&self, job: &JobId) -> Result<JobStatus> {
        let row = self.job_row(job)?;
        let now = clock::now(&self.state)?;
        if now < row.done_at {
            let percent = percent(row.started_at, now, row.done_at);
            return Ok(JobStatus { state: JobState::IN_PROGRESS, percent, item: None });
        }
        if row.failure.is_some() {
            return Ok(JobStatus { state: JobState::ERROR, percent: 100, item: None });
        }
        Ok(JobStatus {
            state: JobState::COMPLETE,
            percent: 100,
            item: row.made.map(|made| self.item(made)).transpose()?,
        })
    }

    fn item(&self, made: Made) -> Result<JobItem> {
        match made {
            Made::Volume(row) => self.volume(&identity::volume(row)).map(JobItem::Volume),
            Made::FileSystem(row) => self.file_system(&identity::file_system(row)).map(JobItem::FileSystem),
            Made::Snapshot(row) => self.snapshot(&identity::snapshot(row)).map(JobItem::Snapshot),
        }
    }

    /// Why a job ended in ERROR; none while it runs and for one that did not.
    pub fn job_failure(&self, job: &JobId) -> Result<Option<JobFailure>> {
        let row = self.job_row(job)?;
        let ended = clock::now(&self.state)? >= row.done_at;
        Ok(row.failure.filter(|_| ended).map(|number| JobFailure {
            code: number.into(),
            message: format!("{job} failed as a fault wanted it"),
        }))
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

    /// As an array that starts anew; what the jobs do goes on.
    pub fn forget_running_jobs(&self) -> Result<()> {
        let change = self.begin()?;
        change.execute("DELETE FROM job WHERE done_at > ?1", [clock::now(&change)?])?;
        change.commit()?;
        Ok(())
    }

    fn job_row(&self, job: &JobId) -> Result<JobRow> {
        let row = identity::job_row(job).ok_or_else(|| not_found(job))?;
        self.state
            .prepare_cached("SELECT kind, item, started_at, done_at, failure FROM job WHERE id = ?1")?
            .query_row([row], |row| {
                let made: Option<(String, i64)> = row.get::<_, Option<String>>(0)?.zip(row.get(1)?);
                Ok(JobRow {
                    made: made.and_then(|(kind, item)| Made::new(&kind, item)),
                    started_at: row.get(2)?,
                    done_at: row.get(3)?,
                    failure: row.get(4)?,
                })
            })
            .optional()?
            .ok_or_else(|| not_found(job))
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
