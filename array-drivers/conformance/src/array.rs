//! The array in the hands of one check: a session, what it claims, and the few things that most checks begin with.

use std::{ops::AsyncFnMut, sync::PoisonError, time::Duration};

use sanfleet_driver::{
    AccessGroup, Capabilities, Capability, ElementType, FileSystem, InitiatorType, JobId, JobItem, JobOr,
    JobState, LsmError, Pool, Provisioning, Search, Snapshot, System, Volume,
    client::{ClientError, Session},
};
use tokio::time::{Instant, sleep};

use crate::{
    expect::{Stop, Verdict, failed, skip},
    stage::Stage,
};

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// One session and its array.
pub struct Array<'a> {
    pub stage: &'a Stage,
    pub session: Session,
    pub system: System,
    pub capabilities: Capabilities,
}

impl<'a> Array<'a> {
    pub async fn open(stage: &'a Stage) -> Verdict<Self> {
        let mut session = stage.session().await?;
        let Some(system) = session.systems().await?.into_iter().next() else {
            return failed("the systems", "at least one", "none");
        };
        let capabilities = session.capabilities(&system).await?;
        Ok(Self { stage, session, system, capabilities })
    }

    pub fn claims(&self, capability: Capability) -> bool {
        self.capabilities.supports(capability)
    }

    /// Skips the check when the driver does not claim all of these.
    pub fn needs(&self, capabilities: &[Capability]) -> Verdict {
        match capabilities.iter().find(|capability| !self.claims(**capability)) {
            Some(lacking) => skip(format!("{} is not claimed", lacking.name().unwrap_or("a capability"))),
            None => Ok(()),
        }
    }

    /// The pool to work in, as it is now: the one that was asked for, else the one that had most free space when the run began.
    pub async fn pool(&mut self, element: ElementType) -> Verdict<Pool> {
        let pools = self.session.pools(None).await?;
        let chosen = self.stage.pools.lock().unwrap_or_else(PoisonError::into_inner).get(&element.0).cloned();
        let wanted = self.stage.options.pool.as_deref();
        let fits = |pool: &Pool| match (&chosen, wanted) {
            (Some(chosen), _) => pool.id == *chosen,
            (None, Some(wanted)) => pool.name == wanted || pool.id.as_str() == wanted,
            (None, None) => {
                pool.element_type.contains(element)
                    && !pool.element_type.contains(ElementType::SYSTEM_RESERVED)
            }
        };
        let Some(pool) = pools.into_iter().filter(fits).max_by_key(|pool| pool.free_space) else {
            return skip("there is no pool for it");
        };
        let mut pools = self.stage.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.insert(element.0, pool.id.clone());
        Ok(pool)
    }

    pub async fn volume(&mut self) -> Verdict<Volume> {
        let (name, size) = (self.stage.name(), self.stage.options.size);
        self.volume_named(&name, size).await
    }

    pub async fn volume_named(&mut self, name: &str, size: u64) -> Verdict<Volume> {
        self.needs(&[Capability::VOLUME_CREATE, Capability::VOLUME_DELETE])?;
        let pool = self.pool(ElementType::VOLUME).await?;
        let made = self.session.volume_create(&pool, name, size, Provisioning::DEFAULT).await?;
        self.finish(made).await
    }

    pub async fn delete(&mut self, volume: &Volume) -> Verdict {
        let job = self.session.volume_delete(volume).await?;
        self.done(job).await
    }

    pub async fn group(&mut self) -> Verdict<AccessGroup> {
        let name = self.stage.name();
        self.group_named(&name).await
    }

    /// With an initiator of the first kind that the driver claims.
    pub async fn group_named(&mut self, name: &str) -> Verdict<AccessGroup> {
        self.needs(&[Capability::ACCESS_GROUPS, Capability::ACCESS_GROUP_DELETE])?;
        let (initiator, kind) = self.initiator()?;
        Ok(self.session.access_group_create(name, &initiator, kind, &self.system).await?)
    }

    pub fn initiator(&self) -> Verdict<(String, InitiatorType)> {
        if self.claims(Capability::ACCESS_GROUP_CREATE_ISCSI_IQN) {
            return Ok((self.stage.iqn(), InitiatorType::ISCSI));
        }
        self.needs(&[Capability::ACCESS_GROUP_CREATE_WWPN])?;
        Ok((self.stage.wwpn(), InitiatorType::WWPN))
    }

    pub async fn file_system(&mut self) -> Verdict<FileSystem> {
        self.needs(&[Capability::FS, Capability::FS_CREATE, Capability::FS_DELETE])?;
        let (name, size) = (self.stage.name(), self.stage.options.size);
        let pool = self.pool(ElementType::FILE_SYSTEM).await?;
        let made = self.session.fs_create(&pool, &name, size).await?;
        self.finish(made).await
    }

    pub async fn snapshot(&mut self, fs: &FileSystem) -> Verdict<Snapshot> {
        let wanted =
            [Capability::FS_SNAPSHOTS, Capability::FS_SNAPSHOT_CREATE, Capability::FS_SNAPSHOT_DELETE];
        self.needs(&wanted)?;
        let name = self.stage.name();
        let made = self.session.fs_snapshot_create(fs, &name).await?;
        self.finish(made).await
    }

    /// The volume as it is listed; none when it is not.
    pub async fn look_up(&mut self, volume: &Volume) -> Verdict<Option<Volume>> {
        let found = self.session.volumes(Some(&Search::new("id", volume.id.as_str()))).await?;
        Ok(found.into_iter().find(|listed| listed.id == volume.id))
    }

    /// What a call made, its job followed to the end if there is one.
    pub async fn finish<T: Made>(&mut self, outcome: JobOr<T>) -> Verdict<T> {
        let job = match outcome {
            JobOr::Done(made) => return Ok(made),
            JobOr::Job(job) => job,
        };
        let item = self.follow(&job).await?;
        match item.clone().and_then(T::made) {
            Some(made) => Ok(made),
            None => failed(format!("the complete job {job}"), "the record that it made", format!("{item:?}")),
        }
    }

    pub async fn done(&mut self, job: Option<JobId>) -> Verdict {
        match job {
            Some(job) => self.follow(&job).await.map(|_| ()),
            None => Ok(()),
        }
    }

    async fn follow(&mut self, job: &JobId) -> Verdict<Option<JobItem>> {
        let (end, mut pause) = (Instant::now() + self.stage.options.deadline, FIRST_PAUSE);
        loop {
            let status = self.session.job_status(job).await?;
            match status.state {
                JobState::COMPLETE => {
                    self.session.job_free(job).await?;
                    return Ok(status.item);
                }
                JobState::IN_PROGRESS if Instant::now() < end => sleep(pause).await,
                JobState::IN_PROGRESS => {
                    return failed(format!("job {job}"), "that it ends", "it still runs at the deadline");
                }
                _ => return failed(format!("job {job}"), "that it succeeds", format!("{status:?}")),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Looks until it is so, as long as a list may lag behind.
    pub async fn until(
        &mut self,
        what: &str,
        expected: &str,
        mut look: impl AsyncFnMut(&mut Self) -> Verdict<Look>,
    ) -> Verdict {
        let (end, mut pause) = (Instant::now() + self.stage.options.settle, FIRST_PAUSE);
        loop {
            match look(self).await? {
                Look::Holds => return Ok(()),
                Look::Not(_) if Instant::now() < end => sleep(pause).await,
                Look::Not(seen) => return failed(what, expected, seen),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Waits for a list to hold the volume just as it was told.
    pub async fn until_listed(&mut self, volume: &Volume) -> Verdict {
        let expected = format!("{volume:?}");
        let volume = volume.clone();
        self.until("a volume in the list", &expected, async |array| {
            let seen = array.look_up(&volume).await?;
            Ok(Look::at(seen.as_ref() == Some(&volume), seen))
        })
        .await
    }

    pub async fn until_gone(&mut self, volume: &Volume) -> Verdict {
        let volume = volume.clone();
        self.until("a deleted volume in the list", "nothing", async |array| {
            let seen = array.look_up(&volume).await?;
            Ok(Look::at(seen.is_none(), seen))
        })
        .await
    }
}

/// What one look showed.
pub enum Look {
    Holds,
    Not(String),
}

impl Look {
    pub fn at(holds: bool, seen: impl std::fmt::Debug) -> Self {
        if holds { Self::Holds } else { Self::Not(format!("{seen:?}")) }
    }
}

/// What a job can make.
pub trait Made: Sized {
    fn made(item: JobItem) -> Option<Self>;
}

impl Made for Volume {
    fn made(item: JobItem) -> Option<Self> {
        if let JobItem::Volume(volume) = item { Some(volume) } else { None }
    }
}

impl Made for FileSystem {
    fn made(item: JobItem) -> Option<Self> {
        if let JobItem::FileSystem(fs) = item { Some(fs) } else { None }
    }
}

impl Made for Snapshot {
    fn made(item: JobItem) -> Option<Self> {
        if let JobItem::Snapshot(snapshot) = item { Some(snapshot) } else { None }
    }
}

/// None when the call is one that the driver does not have; any other error is the check's end.
pub fn supported<T>(outcome: Result<T, ClientError>) -> Verdict<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(ClientError::Array(LsmError { number: sanfleet_driver::ErrorNumber::NoSupport, .. })) => Ok(None),
        Err(error) => Err(Stop::from(error)),
    }
}
