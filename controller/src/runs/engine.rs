//! Carries out one run: journal, act, journal, until [`Progress::next`] says that it is over.
//!
//! The engine decides nothing about storage. It refuses to act without a journal record that says so first, and stops for
//! good when another executor has written one.

use std::time::Duration;

use sanfleet_protocol::{
    RunId, VERSION,
    limits::full_text,
    v1::{self, RunState, StepState, journal_record::Entry, step_output::Output},
};
use tokio::{
    select,
    time::{Instant, sleep, sleep_until},
};
use uuid::Uuid;

use super::{
    error::StepError,
    journal::{Appended, Journal, JournalError},
    outputs::Outputs,
    procedure::{Beat, Here, Patience, Procedure, Step, Undo, World, shapes},
    progress::{Next, Progress},
    register::Register,
};
use crate::lease::Permit;

/// An undo is tried for this long before the run is stuck: long enough for a host or an array to start again.
const UNDO_PATIENCE: Patience = Patience::new(200, 300);
/// A run whose last record is older is not carried on but taken back: nobody expects its effects any more.
const STALE_AFTER_MS: i64 = 15 * 60 * 1000;

/// The executor of one run.
pub struct Engine<'a> {
    pub journal: &'a dyn Journal,
    pub register: &'a dyn Register,
    pub world: &'a World,
    pub controller: &'a str,
}

/// What came of writing a record.
#[derive(Debug, PartialEq, Eq)]
enum Written {
    Yes,
    /// Somebody asked something of the run meanwhile, so that what comes next has to be decided anew.
    NotYet,
}

/// What to do when somebody asked something of the run just before a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IfAsked {
    Reconsider,
    /// What has happened has to be told.
    WriteAnyway,
}

impl Engine<'_> {
    /// Takes the run over and carries it to its end.
    pub async fn execute<P: Procedure>(
        &self,
        params: &P,
        mut progress: Progress,
    ) -> Result<RunState, JournalError> {
        let idle_ms = (self.world.clock)().saturating_sub(progress.last_at_unix_ms);
        let claimed = || Entry::Claimed(v1::RunClaimed {});
        while self.record(&mut progress, claimed(), IfAsked::Reconsider).await? == Written::NotYet {
            // Who had it was only silent, and has ended it meanwhile: what is over is nobody's any more.
            if progress.is_finished() {
                return Ok(progress.state);
            }
        }
        let shapes = shapes::<P>();
        if let Next::Act(at) = progress.next(&shapes)
            && idle_ms > STALE_AFTER_MS
            && shapes.iter().any(|shape| shape.has_undo)
            && let Some(step) = P::STEPS.get(at)
        {
            let error =
                format!("nobody carried this run on for {} minutes, so it is taken back", idle_ms / 60_000);
            self.fail(&mut progress, step.name, error, false).await?;
        }
        loop {
            self.catch_up(&mut progress)?;
            match progress.next(&shapes) {
                Next::Act(at) => match P::STEPS.get(at) {
                    Some(step) => self.act(params, step, &mut progress).await?,
                    None => return Ok(progress.state),
                },
                Next::Undo(at) => match P::STEPS.get(at) {
                    Some(step) => self.undo(params, step, &mut progress).await?,
                    None => return Ok(progress.state),
                },
                Next::Finish(state) => {
                    let error = progress.error.clone();
                    let finished = v1::RunFinished { state: state.into(), error };
                    self.record(&mut progress, Entry::Finished(finished), IfAsked::Reconsider).await?;
                }
                Next::Wait => self.register.moved(progress.run, progress.last_sequence).await,
                Next::Nothing => return Ok(progress.state),
            }
        }
    }

    /// Takes in what others wrote into the run's journal: what was asked of it, or that it has another owner now.
    fn catch_up(&self, progress: &mut Progress) -> Result<(), JournalError> {
        let Some(latest) = self.register.latest(progress.run) else { return Ok(()) };
        if latest.last_sequence > progress.last_sequence {
            if latest.fence != progress.fence {
                return Err(JournalError::Superseded { run: progress.run });
            }
            *progress = latest;
        }
        Ok(())
    }

    /// One step, tried as often as its patience allows.
    async fn act<P: Procedure>(
        &self,
        params: &P,
        step: &Step<P>,
        progress: &mut Progress,
    ) -> Result<(), JournalError> {
        let until = Instant::now() + step.patience.within;
        let (first, mut after) = (attempts(progress, step.name) + 1, String::new());
        let mut attempt = first;
        loop {
            self.world.lease.restored().await;
            let permit = self.world.lease.permit();
            let started = v1::StepStarted { step: step.name.to_owned(), attempt, after };
            if self.record(progress, Entry::StepStarted(started), IfAsked::Reconsider).await?
                == Written::NotYet
            {
                return Ok(());
            }
            let begun = Instant::now();
            let error = match self.try_step(params, step, progress, attempt, permit, until).await {
                Ok(output) => {
                    let done = v1::StepDone {
                        step: step.name.to_owned(),
                        output: Some(v1::StepOutput { output }),
                        duration_us: micros(begun),
                    };
                    return self.write(progress, Entry::StepDone(done)).await;
                }
                Err(error) => error,
            };
            let failed = attempt - first + 1;
            let pause = error.back_off().pause(failed);
            let again =
                error.is_retryable() && failed < step.patience.attempts && Instant::now() + pause < until;
            tracing::warn!(run = %progress.run, step = step.name, attempt, again, error = %full_text(&error), "step failed");
            if !again {
                return self.fail(progress, step.name, full_text(&error), error.is_retryable()).await;
            }
            self.rest(progress, pause).await;
            if self.catch_up_and_turn(progress)? {
                return self.fail(progress, step.name, full_text(&error), true).await;
            }
            after = full_text(&error);
            attempt += 1;
        }
    }

    /// One try, within what is left of the time and as long as it goes on.
    async fn try_step<P: Procedure>(
        &self,
        params: &P,
        step: &Step<P>,
        progress: &Progress,
        attempt: u32,
        permit: Permit,
        until: Instant,
    ) -> Result<Option<Output>, StepError> {
        let (outputs, beat) = (outputs(progress), Beat::default());
        let here = self.here(params, progress, &outputs, step.name, attempt, permit, &beat);
        watched((step.act)(here), &beat, step.patience, until).await
    }

    /// Waits before trying again, unless something is asked of the run meanwhile.
    async fn rest(&self, progress: &Progress, pause: Duration) {
        select! {
            biased;
            () = sleep(pause) => {}
            () = self.register.moved(progress.run, progress.last_sequence) => {}
        }
    }

    /// True when somebody has cancelled the run.
    fn catch_up_and_turn(&self, progress: &mut Progress) -> Result<bool, JournalError> {
        self.catch_up(progress)?;
        Ok(progress.cancelled)
    }

    async fn undo<P: Procedure>(
        &self,
        params: &P,
        step: &Step<P>,
        progress: &mut Progress,
    ) -> Result<(), JournalError> {
        let Undo::By { act, .. } = &step.undo else { return Ok(()) };
        let name = step.name.to_owned();
        let begun = Instant::now();
        let until = begun + UNDO_PATIENCE.within;
        let (mut failed, mut permit) = (0, None::<Permit>);
        loop {
            let held = permit.filter(Permit::holds);
            let begins = held.is_none();
            if begins {
                self.world.lease.restored().await;
            }
            let held = held.unwrap_or_else(|| self.world.lease.permit());
            permit = Some(held.clone());
            if begins {
                // Written again after a gap: it shows whether the run is still ours.
                let started = Entry::UndoStarted(v1::UndoStarted { step: name.clone() });
                if self.record(progress, started, IfAsked::Reconsider).await? == Written::NotYet {
                    return Ok(());
                }
            }
            let (outputs, beat) = (outputs(progress), Beat::default());
            let attempt = attempts(progress, step.name);
            let here = self.here(params, progress, &outputs, step.name, attempt, held, &beat);
            let Err(error) = watched(act(here), &beat, UNDO_PATIENCE, until).await else {
                let done = v1::UndoDone { step: name, duration_us: micros(begun) };
                return self.write(progress, Entry::UndoDone(done)).await;
            };
            failed += 1;
            let pause = error.back_off().pause(failed);
            let again =
                error.is_retryable() && failed < UNDO_PATIENCE.attempts && Instant::now() + pause < until;
            tracing::warn!(run = %progress.run, step = step.name, failed, again, error = %full_text(&error), "undo failed");
            if !again {
                let failed = v1::UndoFailed { step: name, error: full_text(&error) };
                return self.write(progress, Entry::UndoFailed(failed)).await;
            }
            sleep(pause).await;
        }
    }

    #[allow(clippy::too_many_arguments, reason = "it is where a step stands, put together in one place")]
    fn here<'h, P>(
        &'h self,
        params: &'h P,
        progress: &Progress,
        outputs: &'h Outputs,
        step: &'static str,
        attempt: u32,
        permit: Permit,
        beat: &'h Beat,
    ) -> Here<'h, P> {
        let (run, fence) = (progress.run, progress.fence);
        let (world, register) = (self.world, self.register);
        Here { world, register, params, outputs, run, fence, step, attempt, permit, beat }
    }

    async fn fail(
        &self,
        progress: &mut Progress,
        step: &str,
        error: String,
        retryable: bool,
    ) -> Result<(), JournalError> {
        let failed = v1::StepFailed { step: step.to_owned(), error, retryable };
        self.write(progress, Entry::StepFailed(failed)).await
    }

    async fn write(&self, progress: &mut Progress, entry: Entry) -> Result<(), JournalError> {
        self.record(progress, entry, IfAsked::WriteAnyway).await.map(drop)
    }

    async fn record(
        &self,
        progress: &mut Progress,
        entry: Entry,
        if_asked: IfAsked,
    ) -> Result<Written, JournalError> {
        let record = new_record(self.world, self.controller, entry);
        loop {
            match self.journal.append(progress.run, progress.last_sequence, &record).await? {
                Appended::At(sequence) => {
                    progress.apply(sequence, &record);
                    break;
                }
                Appended::Behind(entries) => {
                    let stored = entries.iter().any(|entry| entry.record.id == record.id);
                    for entry in entries {
                        let claimed = matches!(entry.record.entry, Some(Entry::Claimed(_)));
                        if claimed && entry.record.id != record.id {
                            return Err(JournalError::Superseded { run: progress.run });
                        }
                        progress.apply(entry.sequence, &entry.record);
                    }
                    if stored {
                        break;
                    }
                    if if_asked == IfAsked::Reconsider {
                        return Ok(Written::NotYet);
                    }
                }
            }
        }
        self.register.recorded(progress, &record).await;
        Ok(Written::Yes)
    }
}

/// Ends what does not go on, or goes on for too long.
async fn watched<T>(
    act: impl Future<Output = Result<T, StepError>>,
    beat: &Beat,
    patience: Patience,
    until: Instant,
) -> Result<T, StepError> {
    let mut act = std::pin::pin!(act);
    let mut seen = beat.count();
    loop {
        let silent_at = Instant::now() + patience.silence;
        select! {
            biased;
            outcome = &mut act => return outcome,
            () = sleep_until(silent_at.min(until)) => {}
        }
        if Instant::now() >= until {
            return Err(StepError::Overdue { after: patience.within });
        }
        if std::mem::replace(&mut seen, beat.count()) == beat.count() {
            return Err(StepError::NoProgress { after: patience.silence });
        }
    }
}

/// Writes the first record of a new run. None when the run is there already.
pub async fn create(
    journal: &dyn Journal,
    world: &World,
    controller: &str,
    run: RunId,
    created: v1::RunCreated,
) -> Result<Option<(u64, v1::JournalRecord)>, JournalError> {
    let record = new_record(world, controller, Entry::Created(created));
    match journal.append(run, 0, &record).await? {
        Appended::At(sequence) => Ok(Some((sequence, record))),
        Appended::Behind(entries) => {
            let own = entries.into_iter().find(|entry| entry.record.id == record.id);
            Ok(own.map(|entry| (entry.sequence, record)))
        }
    }
}

pub fn new_record(world: &World, controller: &str, entry: Entry) -> v1::JournalRecord {
    v1::JournalRecord {
        version: VERSION,
        id: Uuid::now_v7().to_string(),
        at_unix_ms: (world.clock)(),
        controller: controller.to_owned(),
        entry: Some(entry),
    }
}

fn attempts(progress: &Progress, step: &str) -> u32 {
    progress.steps.iter().find(|known| known.name == step).map_or(0, |known| known.attempts)
}

/// Only what finished counts: a step that failed or was taken back has left nothing.
pub fn outputs(progress: &Progress) -> Outputs {
    let kept = progress
        .steps
        .iter()
        .filter(|step| step.state == StepState::Done || step.state == StepState::Undoing);
    Outputs::new(kept.filter_map(|step| step.output.clone()))
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
