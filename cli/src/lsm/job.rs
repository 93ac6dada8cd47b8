//! Work that the array does as a job: waited for, or left to itself.

use std::time::Duration;

use sanfleet_driver::{FileSystem, JobId, JobItem, JobOr, JobState, Snapshot, Volume, client::ClientError};
use tokio::time::sleep;

use super::{console::Console, stop::Stop};

/// A job is asked after this long first, then after twice as long each time, up to the second figure. There is no end to it, as
/// there is none in the original: each question has its own deadline.
const FIRST_POLL: Duration = Duration::from_millis(2);
const LONGEST_POLL: Duration = Duration::from_millis(250);

/// What a job makes.
pub trait Made: Sized {
    fn made(item: JobItem) -> Option<Self>;
}

macro_rules! made {
    ($($record:ident),*) => {
        $(impl Made for $record {
            fn made(item: JobItem) -> Option<Self> {
                if let JobItem::$record(record) = item { Some(record) } else { None }
            }
        })*
    };
}

made!(Volume, FileSystem, Snapshot);

impl Console<'_> {
    /// The record that the work makes. `what` is how messages call the work.
    pub async fn made<T: Made>(&mut self, what: &str, answer: JobOr<T>) -> Result<T, Stop> {
        let job = match answer {
            JobOr::Done(record) => return Ok(record),
            JobOr::Job(job) => job,
        };
        let item = self.follow(what, &job).await?;
        item.and_then(T::made)
            .ok_or_else(|| Stop::Usage(format!("{what} job is done and names nothing that it made")))
    }

    /// Waits for work that makes nothing.
    pub async fn done(&mut self, what: &str, job: Option<JobId>) -> Result<(), Stop> {
        match job {
            Some(job) => self.follow(what, &job).await.map(|_| ()),
            None => Ok(()),
        }
    }

    async fn follow(&mut self, what: &str, job: &JobId) -> Result<Option<JobItem>, Stop> {
        if self.asynchronous {
            self.out.job(job)?;
            return Err(Stop::JobGoesOn);
        }
        let mut pause = FIRST_POLL;
        loop {
            let status = self.session.job_status(job).await?;
            match status.state {
                JobState::COMPLETE => {
                    self.session.job_free(job).await?;
                    return Ok(status.item);
                }
                JobState::IN_PROGRESS => sleep(pause).await,
                state => return Err(self.job_failed(what, job, state).await),
            }
            pause = (pause * 2).min(LONGEST_POLL);
        }
    }

    /// With the reason, if the driver has one to give.
    pub async fn job_failed(&mut self, what: &str, job: &JobId, state: JobState) -> Stop {
        let reason = match self.session.job_failure(job).await {
            Ok(Some(failure)) => format!(" ({})", super::stop::refusal(&failure.into()).trim_end()),
            Ok(None) | Err(ClientError::Array(_)) => String::new(),
            Err(error) => return error.into(),
        };
        Stop::Usage(format!("{what} job error code= {}{reason}", state.0))
    }
}
