//! Carries out one run: journal, act, journal, until [`Progress::next`] says that it is over.
//!
//! The engine decides nothing about storage. It refuses to act without a journal record that says so first, and stops for
//! good when another executor has written one.

use std::time::Duration;

use sanfleet_protocol::{
    RunId, VERSION,
    limits::full_text,
    v1::{self, RunState, StepState, journal_record::Entry},
};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    journal::{Journal, JournalError},
    procedure::{Here, Outputs, Patience, Procedure, Step, Undo, World, shapes},
    progress::{Next, Progress},
};
use crate::clock::now_unix_ms;

/// An undo is tried for this long before the run is stuck: long enough for a host or an array to start again.
const UNDO_PATIENCE: Patience = Patience { attempts: 200, within: Duration::from_secs(300) };
/// A run whose last record is older is not carried on but taken back: nobody expects its effects any more.
const STALE_AFTER_MS: i64 = 15 * 60 * 1000;

/// Told of every record, after it is in the journal.
pub trait Observer: Send + Sync {
    fn recorded(&self, progress: &Progress, record: &v1::JournalRecord) -> impl Future<Output = ()> + Send;
}

/// The executor of one run.
pub struct Engine<'a, J: ?Sized, O> {
    pub journal: &'a J,
    pub observer: &'a O,
    pub world: &'a World,
    pub controller: &'a str,
}

impl<J: Journal + ?Sized, O: Observer> Engine<'_, J, O> {
    /// Takes the run over and carries it to its end.
    pub async fn execute<P: Procedure>(
        &self,
        params: &P,
        mut progress: Progress,
    ) -> Result<RunState, JournalError> {
        let idle_ms = now_unix_ms().saturating_sub(progress.last_at_unix_ms);
        self.record(&mut progress, Entry::Claimed(v1::RunClaimed {})).await?;
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
                    self.record(&mut progress, Entry::Finished(finished)).await?;
                }
                Next::Nothing => return Ok(progress.state),
            }
        }
    }

    /// One step, tried as often as its patience allows.
    async fn act<P: Procedure>(
        &self,
        params: &P,
        step: &Step<P>,
        progress: &mut Progress,
    ) -> Result<(), JournalError> {
        let until = Instant::now() + step.patience.within;
        let first = attempts(progress, step.name) + 1;
        let mut attempt = first;
        loop {
            let started = v1::StepStarted { step: step.name.to_owned(), attempt };
            self.record(progress, Entry::StepStarted(started)).await?;
            let begun = Instant::now();
            let outputs = outputs(progress);
            let here = self.here(params, progress, &outputs, step.name, attempt);
            match (step.act)(here).await {
                Ok(output) => {
                    let done = v1::StepDone {
                        step: step.name.to_owned(),
                        output: Some(v1::StepOutput { output }),
                        duration_us: micros(begun),
                    };
                    return self.record(progress, Entry::StepDone(done)).await;
                }
                Err(error) => {
                    let tried = attempt - first + 1;
                    let again =
                        error.is_retryable() && tried < step.patience.attempts && Instant::now() < until;
                    tracing::warn!(run = %progress.run, step = step.name, attempt, again, error = %full_text(&error), "step failed");
                    if !again {
                        return self.fail(progress, step.name, full_text(&error), error.is_retryable()).await;
                    }
                }
            }
            sleep(pause(attempt - first)).await;
            attempt += 1;
        }
    }

    async fn undo<P: Procedure>(
        &self,
        params: &P,
        step: &Step<P>,
        progress: &mut Progress,
    ) -> Result<(), JournalError> {
        let Undo::By { act, .. } = &step.undo else { return Ok(()) };
        let name = step.name.to_owned();
        self.record(progress, Entry::UndoStarted(v1::UndoStarted { step: name.clone() })).await?;
        let begun = Instant::now();
        let mut tried = 0;
        loop {
            let outputs = outputs(progress);
            let here = self.here(params, progress, &outputs, step.name, attempts(progress, step.name));
            let Err(error) = act(here).await else {
                let done = v1::UndoDone { step: name, duration_us: micros(begun) };
                return self.record(progress, Entry::UndoDone(done)).await;
            };
            tried += 1;
            let again = error.is_retryable()
                && tried < UNDO_PATIENCE.attempts
                && begun.elapsed() < UNDO_PATIENCE.within;
            tracing::warn!(run = %progress.run, step = step.name, tried, again, error = %full_text(&error), "undo failed");
            if !again {
                let failed = v1::UndoFailed { step: name, error: full_text(&error) };
                return self.record(progress, Entry::UndoFailed(failed)).await;
            }
            sleep(pause(tried)).await;
        }
    }

    fn here<'h, P>(
        &'h self,
        params: &'h P,
        progress: &Progress,
        outputs: &'h Outputs,
        step: &'static str,
        attempt: u32,
    ) -> Here<'h, P> {
        let (run, fence) = (progress.run, progress.fence);
        Here { world: self.world, params, outputs, run, fence, step, attempt }
    }

    async fn fail(
        &self,
        progress: &mut Progress,
        step: &str,
        error: String,
        retryable: bool,
    ) -> Result<(), JournalError> {
        let failed = v1::StepFailed { step: step.to_owned(), error, retryable };
        self.record(progress, Entry::StepFailed(failed)).await
    }

    async fn record(&self, progress: &mut Progress, entry: Entry) -> Result<(), JournalError> {
        let record = new_record(self.controller, entry);
        let sequence = self.journal.append(progress.run, progress.last_sequence, &record).await?;
        progress.apply(sequence, &record);
        self.observer.recorded(progress, &record).await;
        Ok(())
    }
}

/// Writes the first record of a new run.
pub async fn create<J: Journal + ?Sized>(
    journal: &J,
    controller: &str,
    run: RunId,
    created: v1::RunCreated,
) -> Result<(u64, v1::JournalRecord), JournalError> {
    let record = new_record(controller, Entry::Created(created));
    let sequence = journal.append(run, 0, &record).await?;
    Ok((sequence, record))
}

fn new_record(controller: &str, entry: Entry) -> v1::JournalRecord {
    v1::JournalRecord {
        version: VERSION,
        id: Uuid::now_v7().to_string(),
        at_unix_ms: now_unix_ms(),
        controller: controller.to_owned(),
        entry: Some(entry),
    }
}

fn attempts(progress: &Progress, step: &str) -> u32 {
    progress.steps.iter().find(|known| known.name == step).map_or(0, |known| known.attempts)
}

/// Only what finished counts: a step that failed or was taken back has left nothing.
fn outputs(progress: &Progress) -> Outputs {
    let kept = progress
        .steps
        .iter()
        .filter(|step| step.state == StepState::Done || step.state == StepState::Undoing);
    Outputs::new(kept.filter_map(|step| step.output.clone()))
}

/// 100 ms, doubled with every try, 2 s at most.
fn pause(tries_before: u32) -> Duration {
    Duration::from_millis(100 << tries_before.min(5)).min(Duration::from_secs(2))
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
