//! Work that the array may make a job of, followed to its end under one deadline.
//!
//! The protocol's job status says that a job failed and not why. The reason comes from the `job_failure` extension where the
//! driver has it, or from an error that the driver raises in place of a status, as some do for want of anything better.

use std::time::Duration;

use tokio::time::sleep;

use super::{ClientError, Session};
use crate::{
    error::{ErrorNumber, LsmError},
    job::{JobItem, JobOr, JobState, JobStatus},
    method::{Call, GetJobStatus},
    model::{FileSystem, JobId, Pool, Snapshot, Volume},
};

/// A job is asked after this long first, then after twice as long each time, up to the second figure.
const FIRST_POLL: Duration = Duration::from_millis(1);
const LONGEST_POLL: Duration = Duration::from_millis(250);
/// A status that could not be had for a reason that may pass is asked for again this often in a row.
const PATIENCE: u32 = 5;

/// The answer of a call that may take long: [`JobOr`], or an optional [`JobId`].
pub trait Work: Sized {
    /// What there is when the work is done.
    type Product;

    /// The product when the work is done already, or the job that is to be followed.
    fn begun(self) -> Result<Self::Product, JobId>;

    /// The product of a job that is complete; none when the job does not name it.
    fn product(item: Option<JobItem>) -> Option<Self::Product>;
}

/// A record that a job can make.
pub trait JobProduct: Sized {
    fn from_item(item: JobItem) -> Option<Self>;
}

macro_rules! products {
    ($($record:ident)*) => {
        $(impl JobProduct for $record {
            fn from_item(item: JobItem) -> Option<Self> {
                match item {
                    JobItem::$record(record) => Some(record),
                    _ => None,
                }
            }
        })*
    };
}

products! { Volume FileSystem Snapshot Pool }

impl<T: JobProduct> Work for JobOr<T> {
    type Product = T;

    fn begun(self) -> Result<T, JobId> {
        match self {
            Self::Done(product) => Ok(product),
            Self::Job(job) => Err(job),
        }
    }

    fn product(item: Option<JobItem>) -> Option<T> {
        item.and_then(T::from_item)
    }
}

impl Work for Option<JobId> {
    type Product = ();

    fn begun(self) -> Result<(), JobId> {
        self.map_or(Ok(()), Err)
    }

    fn product(_: Option<JobItem>) -> Option<()> {
        Some(())
    }
}

impl Session {
    /// Waits until the work is done, at most for `limit`, and frees its job. A job that runs on after the limit is not freed:
    /// whoever looks for it later can.
    pub async fn finish<W: Work>(&mut self, work: W, limit: Duration) -> Result<W::Product, ClientError> {
        let job = match work.begun() {
            Ok(product) => return Ok(product),
            Err(job) => job,
        };
        let mut session = self.within(limit);
        let item = session.follow(&job, limit).await?;
        W::product(item).ok_or_else(|| {
            ClientError::protocol(GetJobStatus::METHOD, "the job is complete and names no product")
        })
    }

    async fn follow(&mut self, job: &JobId, limit: Duration) -> Result<Option<JobItem>, ClientError> {
        let (mut pause, mut patience) = (FIRST_POLL, PATIENCE);
        loop {
            match self.job_status(job).await {
                Ok(JobStatus { state: JobState::COMPLETE, item, .. }) => {
                    self.free(job).await;
                    return Ok(item);
                }
                Ok(JobStatus { state: JobState::ERROR, .. }) => return Err(self.failed(job).await),
                Ok(_) => patience = PATIENCE,
                Err(ClientError::Array(error)) => patience = patient(job, error, patience)?,
                Err(error) => return Err(error),
            }
            let left = self.left(tokio::time::Instant::now());
            if left.is_zero() {
                return Err(ClientError::Timeout { method: GetJobStatus::METHOD, after: limit });
            }
            sleep(pause.min(left)).await;
            pause = (pause * 2).min(LONGEST_POLL);
        }
    }

    async fn failed(&mut self, job: &JobId) -> ClientError {
        // A driver without the extension says so, and then there is no reason to be had.
        let reason = self.job_failure(job).await.ok().flatten().map(|failure| Box::new(failure.into()));
        self.free(job).await;
        ClientError::JobFailed { job: job.clone(), reason }
    }

    /// A job that is not freed costs the array a line in a table: no reason to call finished work failed.
    async fn free(&mut self, job: &JobId) {
        if let Err(error) = self.job_free(job).await {
            tracing::warn!(%job, %error, "a finished job could not be freed");
        }
    }
}

/// What an error in place of a status means: how much patience is left, or the end of the job.
fn patient(job: &JobId, error: LsmError, patience: u32) -> Result<u32, ClientError> {
    if error.number == ErrorNumber::NotFoundJob {
        return Err(ClientError::JobForgotten { job: job.clone() });
    }
    match patience.checked_sub(1) {
        Some(left) if error.is_retryable() => Ok(left),
        _ => Err(ClientError::JobFailed { job: job.clone(), reason: Some(error.into()) }),
    }
}
