//! Runs as they are shown.

use sanfleet_protocol::v1::{self, RunState, StepState, step_output::Output};

use super::{
    any::{AnyProcedure, name_of},
    estimate::Estimates,
    known::{Known, attachments},
    progress::{Progress, StepProgress},
};

/// A run with all that its journal says of it.
pub fn show(known: &Known, estimates: &Estimates, progress: &Progress) -> v1::Run {
    let procedure = AnyProcedure::try_from(progress.procedure.as_ref());
    let title = match &procedure {
        Ok(procedure) => procedure.title(),
        Err(error) => error.to_string(),
    };
    let attached = procedure.map(|procedure| attachments(&procedure, progress)).unwrap_or_default();
    let mut attached = attached.into_iter().map(|(_, attachment)| attachment);
    let copied = progress.steps.iter().find_map(|step| match &step.output {
        Some(Output::Copied(copied)) => Some(copied.clone()),
        _ => None,
    });
    v1::Run {
        id: progress.run.to_string(),
        procedure: name_of(&progress.procedure).to_owned(),
        title,
        state: progress.state.into(),
        created_at_unix_ms: progress.created_at_unix_ms,
        finished_at_unix_ms: if progress.is_finished() { progress.last_at_unix_ms } else { 0 },
        error: progress.error.clone(),
        steps: progress.steps.iter().map(step).collect(),
        attachment: attached.next(),
        also_attached: attached.collect(),
        copied,
        paused: progress.paused,
        cancelled: progress.cancelled,
        owner: progress.owner.clone(),
        parent: progress.whole.map(|whole| whole.to_string()).unwrap_or_default(),
        parts: parts(known, progress),
        left_ms: estimates.left_ms(known, progress),
        troubles: progress.troubles.iter().cloned().collect(),
    }
}

fn step(step: &StepProgress) -> v1::RunStep {
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

fn parts(known: &Known, progress: &Progress) -> Option<v1::RunParts> {
    let mut counts = v1::RunParts::default();
    for part in known.parts(progress.run) {
        counts.all += 1;
        match part.state {
            RunState::Succeeded | RunState::Partial => counts.succeeded += 1,
            RunState::Failed | RunState::Undone => counts.failed += 1,
            RunState::Stuck => counts.stuck += 1,
            RunState::Running | RunState::Undoing | RunState::Unspecified => counts.running += 1,
        }
    }
    (counts.all > 0).then_some(counts)
}
