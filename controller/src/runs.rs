//! Runs: durable procedures. [`Runs`] starts them, carries on those that a crash cut off, and shows how far they are.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use sanfleet_protocol::{
    ArrayId, HostId, MountPoint, RunId,
    v1::{self, RunState, StepState, run_created, step_output::Output},
};
use uuid::Uuid;

pub mod backup_attach;
pub mod backup_detach;
mod engine;
mod journal;
mod params;
mod procedure;
mod progress;

pub use backup_attach::BackupAttach;
pub use backup_detach::BackupDetach;
pub use journal::{Journal, JournalError, NatsJournal};
pub use params::ParamsError;
pub use procedure::{Procedure, Step, Undo, World};
pub use progress::{Progress, Shape};

use crate::events::Events;
use engine::{Engine, Observer};

/// Every procedure there is. A procedure that is not here can be neither started nor carried on.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyProcedure {
    BackupAttach(BackupAttach),
    BackupDetach(BackupDetach),
}

impl AnyProcedure {
    pub fn name(&self) -> &'static str {
        match self {
            Self::BackupAttach(_) => BackupAttach::NAME,
            Self::BackupDetach(_) => BackupDetach::NAME,
        }
    }

    pub fn title(&self) -> String {
        match self {
            Self::BackupAttach(params) => params.title(),
            Self::BackupDetach(params) => params.title(),
        }
    }
}

fn shapes_of(procedure: &run_created::Procedure) -> Vec<Shape> {
    match procedure {
        run_created::Procedure::BackupAttach(_) => procedure::shapes::<BackupAttach>(),
        run_created::Procedure::BackupDetach(_) => procedure::shapes::<BackupDetach>(),
    }
}

/// The array that a run works on, once it is known.
fn array_of(procedure: &run_created::Procedure) -> Option<ArrayId> {
    let name = match procedure {
        run_created::Procedure::BackupAttach(params) => &params.resolved.as_ref()?.array,
        run_created::Procedure::BackupDetach(params) => &params.what.as_ref()?.array,
    };
    name.parse().ok()
}

/// The runs of this controller. Cheap to clone.
#[derive(Clone)]
pub struct Runs(Arc<Inner>);

struct Inner {
    controller: String,
    journal: Arc<dyn Journal>,
    events: Events,
    world: World,
    all: RwLock<BTreeMap<RunId, Progress>>,
}

impl Runs {
    pub fn new(controller: String, journal: Arc<dyn Journal>, events: Events, world: World) -> Self {
        Self(Arc::new(Inner { controller, journal, events, world, all: RwLock::default() }))
    }

    /// Reads all journals, then carries on every run that is not finished.
    pub async fn recover(&self) -> Result<(), JournalError> {
        let entries = self.0.journal.read_all().await?;
        let mut runs: BTreeMap<RunId, Progress> = BTreeMap::new();
        for entry in entries {
            match runs.get_mut(&entry.run) {
                Some(progress) => progress.apply(entry.sequence, &entry.record),
                None => match Progress::begin(entry.run, entry.sequence, &entry.record, shapes_of) {
                    Some(progress) => drop(runs.insert(entry.run, progress)),
                    None => {
                        tracing::error!(run = %entry.run, "journal does not begin with the run's creation");
                    }
                },
            }
        }
        let unfinished: Vec<Progress> = runs.values().filter(|run| !run.is_finished()).cloned().collect();
        tracing::info!(runs = runs.len(), unfinished = unfinished.len(), "journals read");
        self.0.write().extend(runs);
        for progress in unfinished {
            self.carry_on(progress);
        }
        Ok(())
    }

    /// Starts a run: it is in the journal when this returns, and nothing has been touched yet.
    pub async fn start(&self, run: RunId, procedure: &AnyProcedure) -> Result<(), JournalError> {
        let created = v1::RunCreated { procedure: Some(procedure.into()) };
        let journal = self.0.journal.as_ref();
        let (sequence, record) = engine::create(journal, &self.0.controller, run, created).await?;
        if let Some(progress) = Progress::begin(run, sequence, &record, shapes_of) {
            self.0.write().insert(run, progress.clone());
            self.0.recorded(&progress, &record).await;
            self.carry_on(progress);
        }
        Ok(())
    }

    fn carry_on(&self, progress: Progress) {
        let inner = Arc::clone(&self.0);
        let array = array_of(&progress.procedure);
        let in_use = array.and_then(|array| inner.world.arrays.begin_use(&array));
        tokio::spawn(async move {
            let run = progress.run;
            let _in_use = in_use;
            match inner.execute(progress).await {
                Ok(state) => tracing::info!(%run, state = state.as_str_name(), "run is over"),
                Err(error) => tracing::warn!(%run, %error, "this controller stops carrying the run on"),
            }
        });
    }

    /// All runs, the newest first.
    pub fn list(&self) -> Vec<v1::Run> {
        self.0.read().values().rev().map(show).collect()
    }

    /// The runs whose id begins or ends with this text.
    pub fn find(&self, text: &str) -> Vec<v1::Run> {
        let fits = |run: &RunId| {
            let id = run.to_string();
            !text.is_empty() && (id.starts_with(text) || id.ends_with(text))
        };
        self.0.read().iter().filter(|(run, _)| fits(run)).map(|(_, progress)| show(progress)).collect()
    }

    /// What is attached now: made by a run that succeeded and not taken down by another.
    pub fn attachments(&self) -> Vec<v1::Attachment> {
        let all = self.0.read();
        let detached: Vec<&str> = all
            .values()
            .filter(|progress| progress.state == RunState::Succeeded)
            .filter_map(|progress| match &progress.procedure {
                run_created::Procedure::BackupDetach(params) => Some(params.attachment.as_str()),
                run_created::Procedure::BackupAttach(_) => None,
            })
            .collect();
        all.values()
            .filter_map(attachment)
            .filter(|attachment| !detached.contains(&attachment.id.as_str()))
            .collect()
    }

    /// The unfinished run, if any, that is about to use or free this mount point.
    pub fn busy_with(&self, host: &HostId, mount_point: &MountPoint) -> Option<RunId> {
        let uses = |progress: &&Progress| match &progress.procedure {
            run_created::Procedure::BackupAttach(params) => {
                params.target_host == host.as_str() && params.target_mount_point == mount_point.as_str()
            }
            run_created::Procedure::BackupDetach(params) => params
                .what
                .as_ref()
                .is_some_and(|what| what.host == host.as_str() && what.mount_point == mount_point.as_str()),
        };
        let all = self.0.read();
        all.values().filter(|progress| !progress.is_finished()).find(uses).map(|progress| progress.run)
    }

    /// What needs this array still: runs that are not over or stuck, and attachments, each in words.
    pub fn needing(&self, array: &ArrayId) -> Vec<String> {
        let attachments = self.attachments().into_iter().filter(|one| one.array == array.as_str());
        let attachments =
            attachments.map(|one| format!("attachment {} at {}:{}", one.id, one.host, one.mount_point));
        let all = self.0.read();
        let waits = |run: &&Progress| !run.is_finished() || run.state == RunState::Stuck;
        let runs = all.values().filter(waits).filter(|run| array_of(&run.procedure).as_ref() == Some(array));
        runs.map(|run| format!("run {}", run.run)).chain(attachments).collect()
    }

    pub fn mint() -> RunId {
        RunId::new(Uuid::now_v7())
    }
}

impl Inner {
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<RunId, Progress>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<RunId, Progress>> {
        self.all.write().unwrap_or_else(PoisonError::into_inner)
    }

    async fn execute(&self, progress: Progress) -> Result<RunState, JournalError> {
        let journal = self.journal.as_ref();
        let engine = Engine { journal, observer: self, world: &self.world, controller: &self.controller };
        match AnyProcedure::try_from(&progress.procedure) {
            Ok(AnyProcedure::BackupAttach(params)) => engine.execute(&params, progress).await,
            Ok(AnyProcedure::BackupDetach(params)) => engine.execute(&params, progress).await,
            Err(error) => {
                tracing::error!(run = %progress.run, %error, "parameters in the journal cannot be read");
                Ok(progress.state)
            }
        }
    }
}

impl Observer for Inner {
    async fn recorded(&self, progress: &Progress, record: &v1::JournalRecord) {
        self.write().insert(progress.run, progress.clone());
        self.events.run_recorded(progress, record).await;
        if progress.is_finished() {
            // What we changed on an array is looked at again at once, so that the catalog shows it.
            if let Some(array) = array_of(&progress.procedure) {
                self.world.arrays.look_again(&array);
            }
        }
        if progress.state == RunState::Succeeded {
            match &progress.procedure {
                run_created::Procedure::BackupAttach(_) => {
                    if let Some(attachment) = attachment(progress) {
                        self.events.attachment("attachment.ready", &record.id, attachment).await;
                    }
                }
                run_created::Procedure::BackupDetach(params) => {
                    if let Some(attachment) = params.what.clone() {
                        self.events.attachment("attachment.removed", &record.id, attachment).await;
                    }
                }
            }
        }
    }
}

/// The attachment that a run made, once it has succeeded.
fn attachment(progress: &Progress) -> Option<v1::Attachment> {
    let run_created::Procedure::BackupAttach(params) = &progress.procedure else { return None };
    if progress.state != RunState::Succeeded {
        return None;
    }
    let outputs = || progress.steps.iter().filter_map(|step| step.output.as_ref());
    let resolved = params.resolved.as_ref()?;
    let copied = outputs().find_map(|output| match output {
        Output::Copied(copied) => Some(copied),
        _ => None,
    })?;
    let access = outputs().find_map(|output| match output {
        Output::Access(access) => Some(access),
        _ => None,
    })?;
    Some(v1::Attachment {
        id: progress.run.to_string(),
        host: params.target_host.clone(),
        mount_point: params.target_mount_point.clone(),
        read_write: params.read_write,
        array: resolved.array.clone(),
        volume: copied.volume.clone(),
        volume_id: copied.volume_id.clone(),
        volume_name: params.copy_name.clone(),
        access_group: access.access_group.clone(),
        access_group_created: access.created,
        fabric: resolved.fabric.clone(),
        source_host: params.source_host.clone(),
        source_mount_point: params.source_mount_point.clone(),
        since_unix_ms: progress.last_at_unix_ms,
    })
}

/// A run as it is shown.
fn show(progress: &Progress) -> v1::Run {
    let parsed = AnyProcedure::try_from(&progress.procedure);
    let (procedure, title) = match &parsed {
        Ok(procedure) => (procedure.name().to_owned(), procedure.title()),
        Err(error) => ("unreadable".to_owned(), error.to_string()),
    };
    let copied = progress.steps.iter().find_map(|step| match &step.output {
        Some(Output::Copied(copied)) => Some(copied.clone()),
        _ => None,
    });
    v1::Run {
        id: progress.run.to_string(),
        procedure,
        title,
        state: progress.state.into(),
        created_at_unix_ms: progress.created_at_unix_ms,
        finished_at_unix_ms: if progress.is_finished() { progress.last_at_unix_ms } else { 0 },
        error: progress.error.clone(),
        steps: progress.steps.iter().map(show_step).collect(),
        attachment: attachment(progress),
        copied,
    }
}

fn show_step(step: &progress::StepProgress) -> v1::RunStep {
    let duration_us = match step.state {
        StepState::Done | StepState::Undone => step.duration_us,
        _ => 0,
    };
    v1::RunStep {
        name: step.name.clone(),
        state: step.state.into(),
        attempts: step.attempts,
        duration_us,
        error: step.error.clone(),
    }
}
