//! Calls that the array may make a job of, followed to their end under one deadline.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{ClientError, Session};
use crate::{
    job::{JobItem, JobOr, JobState},
    method::{self, Call},
    model::{JobId, Pool, Provisioning, ReplicateType, Volume},
};

/// A job is asked after this long first, then after twice as long each time, up to the second figure.
const FIRST_POLL: Duration = Duration::from_millis(1);
const LONGEST_POLL: Duration = Duration::from_millis(250);

impl Session {
    /// [`Session::volume_replicate`], with its job if the array makes one, within `limit` in all.
    pub async fn volume_replicate_and_wait(
        &mut self,
        pool: Option<&Pool>,
        kind: ReplicateType,
        source: &Volume,
        name: &str,
        limit: Duration,
    ) -> Result<Volume, ClientError> {
        let (pool, volume_src, name) = (pool.cloned(), source.clone(), name.to_owned());
        self.volume_of(method::VolumeReplicate { pool, rep_type: kind, volume_src, name }, limit).await
    }

    /// [`Session::volume_create`], with its job if the array makes one, within `limit` in all.
    pub async fn volume_create_and_wait(
        &mut self,
        pool: &Pool,
        name: &str,
        size_bytes: u64,
        provisioning: Provisioning,
        limit: Duration,
    ) -> Result<Volume, ClientError> {
        let volume_name = name.to_owned();
        let call = method::VolumeCreate { pool: pool.clone(), volume_name, size_bytes, provisioning };
        self.volume_of(call, limit).await
    }

    /// [`Session::volume_delete`], with its job if the array makes one, within `limit` in all.
    pub async fn volume_delete_and_wait(
        &mut self,
        volume: &Volume,
        limit: Duration,
    ) -> Result<(), ClientError> {
        let within = Within::new(method::VolumeDelete::METHOD, limit);
        let call = method::VolumeDelete { volume: volume.clone() };
        if let Some(job) = self.call_within(call, within.left()?).await? {
            self.follow(&job, &within).await?;
        }
        Ok(())
    }

    async fn volume_of<C: Call<Reply = JobOr<Volume>>>(
        &mut self,
        call: C,
        limit: Duration,
    ) -> Result<Volume, ClientError> {
        let within = Within::new(C::METHOD, limit);
        let job = match self.call_within(call, within.left()?).await? {
            JobOr::Done(volume) => return Ok(volume),
            JobOr::Job(job) => job,
        };
        match self.follow(&job, &within).await? {
            Some(JobItem::Volume(volume)) => Ok(volume),
            _ => Err(ClientError::protocol(C::METHOD, "the job is complete and names no volume")),
        }
    }

    async fn follow(&mut self, job: &JobId, within: &Within) -> Result<Option<JobItem>, ClientError> {
        let mut pause = FIRST_POLL;
        loop {
            let call = method::GetJobStatus { job_id: job.clone() };
            let status = self.call_within(call, within.left()?).await?;
            match status.state {
                JobState::COMPLETE => {
                    self.free(job, within).await;
                    return Ok(status.item);
                }
                JobState::ERROR => {
                    self.free(job, within).await;
                    return Err(ClientError::JobFailed { method: within.method, job: job.clone() });
                }
                _ => sleep(pause.min(within.left()?)).await,
            }
            pause = (pause * 2).min(LONGEST_POLL);
        }
    }

    /// A job that is not freed costs the array a line in a table: no reason to call finished work failed.
    async fn free(&mut self, job: &JobId, within: &Within) {
        let freed = match within.left() {
            Ok(left) => self.call_within(method::JobFree { job_id: job.clone() }, left).await,
            Err(late) => Err(late),
        };
        if let Err(error) = freed {
            tracing::warn!(%job, %error, "a finished job could not be freed");
        }
    }
}

/// The time that is left for one piece of work.
struct Within {
    method: &'static str,
    limit: Duration,
    end: Instant,
}

impl Within {
    fn new(method: &'static str, limit: Duration) -> Self {
        Self { method, limit, end: Instant::now() + limit }
    }

    fn left(&self) -> Result<Duration, ClientError> {
        match self.end.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(ClientError::Timeout { method: self.method, after: self.limit }),
            left => Ok(left),
        }
    }
}
