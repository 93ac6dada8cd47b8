//! What a run's journal says: pure, so that the same records always mean the same thing.
//!
//! [`Progress::apply`] folds records; [`Progress::next`] decides what comes next. Nothing else decides it.

use std::{collections::VecDeque, sync::Arc};

use sanfleet_protocol::{
    Fence, RunId,
    v1::{
        self, RunState, RunVerb, StepState, journal_record::Entry as Record, run_created, step_output::Output,
    },
};

/// Of the reasons of failures, so many are kept, the newest.
const TROUBLES: usize = 32;

/// A step's name and whether it can be taken back: all of a step that deciding needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub name: &'static str,
    pub has_undo: bool,
}

/// How far one step has come.
#[derive(Debug, Clone, PartialEq)]
pub struct StepProgress {
    pub name: String,
    pub state: StepState,
    pub attempts: u32,
    pub duration_us: u64,
    pub error: String,
    pub output: Option<Output>,
}

/// How far a run has come.
#[derive(Debug, Clone)]
pub struct Progress {
    pub run: RunId,
    /// Shared: of a run on ten thousand hosts it is large.
    pub procedure: Arc<run_created::Procedure>,
    /// The run that this one is a part of.
    pub whole: Option<RunId>,
    /// The controller that carries it out, or did so last.
    pub owner: String,
    pub state: RunState,
    pub paused: bool,
    pub cancelled: bool,
    /// Its journal is about to be removed: nothing may be asked of it any more.
    pub forgotten: bool,
    pub steps: Vec<StepProgress>,
    pub error: String,
    pub troubles: VecDeque<v1::RunTrouble>,
    pub fence: Fence,
    pub last_sequence: u64,
    pub created_at_unix_ms: i64,
    pub last_at_unix_ms: i64,
}

/// What to do next. The number is the step's place in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    Act(usize),
    Undo(usize),
    Finish(RunState),
    /// Somebody has to resume it first.
    Wait,
    Nothing,
}

/// Why a run does not do what was asked of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlRefused {
    #[error("run {run} is over: it {} ", words(*state))]
    Over { run: RunId, state: RunState },
    #[error("run {run} is already being taken back")]
    Undoing { run: RunId },
    #[error("run {run} is {}paused", if *paused { "already " } else { "not " })]
    Paused { run: RunId, paused: bool },
    #[error("run {run} goes on by itself, there is nothing to retry")]
    Running { run: RunId },
    #[error("run {run} was taken back whole; ask for it again")]
    Undone { run: RunId },
    #[error("run {run} is stuck: somebody has to look at it")]
    Stuck { run: RunId },
    #[error("run {run} is over for so long that it is being forgotten")]
    Forgotten { run: RunId },
    #[error("nothing was asked of run {run}")]
    Nothing { run: RunId },
}

fn words(state: RunState) -> &'static str {
    match state {
        RunState::Succeeded => "has succeeded",
        RunState::Undone => "was undone",
        RunState::Failed => "has failed",
        RunState::Stuck => "is stuck",
        RunState::Partial => "has succeeded in part",
        RunState::Running | RunState::Undoing | RunState::Unspecified => "is running",
    }
}

impl Progress {
    /// Begins with a run's first record; `None` when that is not its creation.
    pub fn begin(
        run: RunId,
        sequence: u64,
        record: &v1::JournalRecord,
        shapes: impl FnOnce(&run_created::Procedure) -> Vec<Shape>,
    ) -> Option<Self> {
        let Some(Record::Created(v1::RunCreated { procedure: Some(procedure), parent })) = &record.entry
        else {
            return None;
        };
        let steps = shapes(procedure).into_iter().map(|shape| StepProgress {
            name: shape.name.to_owned(),
            state: StepState::Pending,
            attempts: 0,
            duration_us: 0,
            error: String::new(),
            output: None,
        });
        Some(Self {
            run,
            procedure: Arc::new(procedure.clone()),
            whole: parent.parse().ok(),
            owner: record.controller.clone(),
            state: RunState::Running,
            paused: false,
            cancelled: false,
            forgotten: false,
            steps: steps.collect(),
            error: String::new(),
            troubles: VecDeque::new(),
            fence: Fence(sequence),
            last_sequence: sequence,
            created_at_unix_ms: record.at_unix_ms,
            last_at_unix_ms: record.at_unix_ms,
        })
    }

    /// Takes in the next record. One that was taken in before changes nothing.
    pub fn apply(&mut self, sequence: u64, record: &v1::JournalRecord) {
        if sequence <= self.last_sequence {
            return;
        }
        self.last_sequence = sequence;
        self.last_at_unix_ms = record.at_unix_ms;
        match &record.entry {
            None | Some(Record::Created(_)) => {}
            Some(Record::Claimed(_)) => {
                self.fence = Fence(sequence);
                self.owner = record.controller.clone();
            }
            Some(Record::Controlled(entry)) => self.controlled(entry),
            Some(Record::StepStarted(entry)) => {
                if !entry.after.is_empty() {
                    self.trouble(record, &entry.step, &entry.after, false);
                }
                self.step(&entry.step, |step| {
                    step.state = StepState::Running;
                    step.attempts = entry.attempt;
                    step.error.clone_from(&entry.after);
                });
            }
            Some(Record::StepDone(entry)) => self.step(&entry.step, |step| {
                step.state = StepState::Done;
                step.duration_us = entry.duration_us;
                step.error.clear();
                step.output = entry.output.as_ref().and_then(|output| output.output.clone());
            }),
            Some(Record::StepFailed(entry)) => {
                self.trouble(record, &entry.step, &entry.error, false);
                self.step(&entry.step, |step| {
                    step.state = StepState::Failed;
                    step.error.clone_from(&entry.error);
                });
                self.error = format!("{}: {}", entry.step, entry.error);
            }
            Some(Record::UndoStarted(entry)) => {
                self.state = RunState::Undoing;
                self.step(&entry.step, |step| step.state = StepState::Undoing);
            }
            Some(Record::UndoDone(entry)) => {
                self.state = RunState::Undoing;
                self.step(&entry.step, |step| {
                    step.state = StepState::Undone;
                    step.duration_us = entry.duration_us;
                });
            }
            Some(Record::UndoFailed(entry)) => {
                self.trouble(record, &entry.step, &entry.error, true);
                self.step(&entry.step, |step| {
                    step.state = StepState::UndoFailed;
                    // Both reasons are kept: why it failed, and why it could not be taken back.
                    step.error = match step.error.is_empty() {
                        true => format!("undo failed: {}", entry.error),
                        false => format!("{}; undo failed: {}", step.error, entry.error),
                    };
                });
            }
            Some(Record::Finished(entry)) => {
                self.state = entry.state();
                if !entry.error.is_empty() {
                    self.error.clone_from(&entry.error);
                }
            }
        }
    }

    /// What was asked takes effect only where it still makes sense: the run may have moved since somebody asked.
    fn controlled(&mut self, entry: &v1::RunControlled) {
        if self.allows(entry.verb()).is_err() {
            return;
        }
        match entry.verb() {
            RunVerb::Pause => self.paused = true,
            RunVerb::Resume => self.paused = false,
            RunVerb::Cancel => {
                self.paused = false;
                self.cancelled = true;
                let by = if entry.by.is_empty() { "somebody" } else { &entry.by };
                self.error = format!("cancelled by {by}");
            }
            RunVerb::Retry => self.retry(),
            RunVerb::Forget => self.forgotten = true,
            RunVerb::Unspecified => {}
        }
    }

    fn retry(&mut self) {
        let stuck = self.state == RunState::Stuck;
        for step in &mut self.steps {
            match step.state {
                StepState::UndoFailed => step.state = StepState::Undoing,
                StepState::Failed if !stuck => step.state = StepState::Pending,
                StepState::Done if !stuck && failed_parts(step) > 0 => step.state = StepState::Pending,
                _ => {}
            }
        }
        self.state = if stuck { RunState::Undoing } else { RunState::Running };
        self.cancelled = false;
        self.error.clear();
    }

    /// Whether this could be asked of the run as it is now.
    pub fn allows(&self, verb: RunVerb) -> Result<(), ControlRefused> {
        let run = self.run;
        match verb {
            RunVerb::Unspecified => Err(ControlRefused::Nothing { run }),
            _ if self.forgotten => Err(ControlRefused::Forgotten { run }),
            RunVerb::Forget => match self.state {
                _ if !self.is_finished() => Err(ControlRefused::Running { run }),
                RunState::Stuck => Err(ControlRefused::Stuck { run }),
                _ => Ok(()),
            },
            RunVerb::Retry => match self.state {
                RunState::Stuck | RunState::Failed | RunState::Partial => Ok(()),
                RunState::Undone => Err(ControlRefused::Undone { run }),
                RunState::Succeeded => Err(ControlRefused::Over { run, state: self.state }),
                _ => Err(ControlRefused::Running { run }),
            },
            _ if self.is_finished() => Err(ControlRefused::Over { run, state: self.state }),
            RunVerb::Pause if self.paused => Err(ControlRefused::Paused { run, paused: true }),
            RunVerb::Resume if !self.paused => Err(ControlRefused::Paused { run, paused: false }),
            RunVerb::Cancel if self.cancelled || self.state == RunState::Undoing => {
                Err(ControlRefused::Undoing { run })
            }
            RunVerb::Pause | RunVerb::Resume | RunVerb::Cancel => Ok(()),
        }
    }

    fn trouble(&mut self, record: &v1::JournalRecord, step: &str, error: &str, undoing: bool) {
        if self.troubles.len() == TROUBLES {
            self.troubles.pop_front();
        }
        let (at_unix_ms, step, error) = (record.at_unix_ms, step.to_owned(), error.to_owned());
        self.troubles.push_back(v1::RunTrouble { at_unix_ms, step, undoing, error });
    }

    fn step(&mut self, name: &str, change: impl FnOnce(&mut StepProgress)) {
        if let Some(step) = self.steps.iter_mut().find(|step| step.name == name) {
            change(step);
        }
    }

    pub fn is_finished(&self) -> bool {
        !matches!(self.state, RunState::Running | RunState::Undoing)
    }

    /// Nothing was touched yet, and nobody has asked anything of it.
    pub fn is_unbegun(&self) -> bool {
        self.last_sequence == self.fence.0 && self.steps.iter().all(|step| step.attempts == 0)
    }

    /// What comes next. A step that was begun is undone even when its act failed: it may have had half of its effect.
    pub fn next(&self, shapes: &[Shape]) -> Next {
        if self.is_finished() {
            return Next::Nothing;
        }
        let is = |state: StepState| move |step: &&StepProgress| step.state == state;
        if self.steps.iter().any(|step| is(StepState::UndoFailed)(&step)) {
            return Next::Finish(RunState::Stuck);
        }
        if self.paused {
            return Next::Wait;
        }
        let failed = self.state == RunState::Undoing
            || self.cancelled
            || self.steps.iter().any(|step| is(StepState::Failed)(&step));
        if !failed {
            let open = self.steps.iter().position(|step| step.state != StepState::Done);
            return open.map_or_else(|| Next::Finish(self.success()), Next::Act);
        }
        let begun = |state| {
            matches!(state, StepState::Done | StepState::Failed | StepState::Running | StepState::Undoing)
        };
        let undo =
            self.steps.iter().zip(shapes).rposition(|(step, shape)| shape.has_undo && begun(step.state));
        match undo {
            Some(step) => Next::Undo(step),
            None if shapes.iter().any(|shape| shape.has_undo) => Next::Finish(RunState::Undone),
            None => Next::Finish(RunState::Failed),
        }
    }

    fn success(&self) -> RunState {
        match self.steps.iter().any(|step| failed_parts(step) > 0) {
            true => RunState::Partial,
            false => RunState::Succeeded,
        }
    }
}

/// How many of a step's parts did not succeed.
fn failed_parts(step: &StepProgress) -> u32 {
    match &step.output {
        Some(Output::Parts(parts)) => parts.failed + parts.skipped,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPES: [Shape; 3] = [
        Shape { name: "look", has_undo: false },
        Shape { name: "copy", has_undo: true },
        Shape { name: "mask", has_undo: true },
    ];
    const FORWARD: [Shape; 2] =
        [Shape { name: "unmask", has_undo: false }, Shape { name: "delete", has_undo: false }];

    fn progress(shapes: &'static [Shape], records: Vec<Record>) -> Progress {
        let procedure = run_created::Procedure::BackupDetach(v1::BackupDetachParams::default());
        let created = Record::Created(v1::RunCreated { procedure: Some(procedure), parent: String::new() });
        let record = |entry| v1::JournalRecord { entry: Some(entry), ..Default::default() };
        let run = RunId::new(uuid::Uuid::from_u128(1));
        let mut progress = Progress::begin(run, 1, &record(created), |_| shapes.to_vec()).unwrap();
        for (sequence, entry) in (2..).zip(records) {
            progress.apply(sequence, &record(entry));
        }
        progress
    }

    fn started(step: &str) -> Record {
        Record::StepStarted(v1::StepStarted { step: step.into(), attempt: 1, after: String::new() })
    }
    fn done(step: &str) -> Record {
        Record::StepDone(v1::StepDone { step: step.into(), ..Default::default() })
    }
    fn failed(step: &str) -> Record {
        Record::StepFailed(v1::StepFailed { step: step.into(), error: "no".into(), retryable: false })
    }
    fn undone(step: &str) -> Record {
        Record::UndoDone(v1::UndoDone { step: step.into(), duration_us: 0 })
    }

    #[test]
    fn steps_are_carried_out_in_order_until_none_is_left() {
        let next = |records| progress(&SHAPES, records).next(&SHAPES);
        assert_eq!(next(vec![]), Next::Act(0));
        assert_eq!(next(vec![done("look")]), Next::Act(1));
        assert_eq!(
            next(vec![done("look"), started("copy")]),
            Next::Act(1),
            "a step that was cut off runs again"
        );
        assert_eq!(next(vec![done("look"), done("copy"), done("mask")]), Next::Finish(RunState::Succeeded));
    }

    #[test]
    fn after_a_failure_everything_begun_is_undone_in_reverse() {
        let next = |records| progress(&SHAPES, records).next(&SHAPES);
        let fail = || vec![done("look"), done("copy"), failed("mask")];
        assert_eq!(next(fail()), Next::Undo(2));
        let after = |more: Vec<Record>| next([fail(), more].concat());
        assert_eq!(after(vec![undone("mask")]), Next::Undo(1));
        assert_eq!(after(vec![undone("mask"), undone("copy")]), Next::Finish(RunState::Undone));
        assert_eq!(
            next(vec![failed("look")]),
            Next::Finish(RunState::Undone),
            "nothing was begun that has an undo"
        );
    }

    #[test]
    fn an_undo_that_fails_leaves_the_run_stuck_with_both_reasons() {
        let undo_failed =
            Record::UndoFailed(v1::UndoFailed { step: "copy".into(), error: "array gone".into() });
        let progress = progress(&SHAPES, vec![done("look"), failed("copy"), undo_failed]);
        assert_eq!(progress.next(&SHAPES), Next::Finish(RunState::Stuck));
        assert_eq!(progress.steps[1].error, "no; undo failed: array gone");
    }

    #[test]
    fn a_procedure_without_undo_stops_where_it_failed() {
        let progress = progress(&FORWARD, vec![done("unmask"), failed("delete")]);
        assert_eq!(progress.next(&FORWARD), Next::Finish(RunState::Failed));
    }

    #[test]
    fn the_newest_claim_is_the_fence() {
        let claimed = || Record::Claimed(v1::RunClaimed {});
        assert_eq!(progress(&SHAPES, vec![claimed(), started("look"), claimed()]).fence, Fence(4));
    }

    fn asked(verb: RunVerb) -> Record {
        Record::Controlled(v1::RunControlled { verb: verb.into(), by: "ops".into() })
    }
    fn finished(state: RunState) -> Record {
        Record::Finished(v1::RunFinished { state: state.into(), error: String::new() })
    }

    #[test]
    fn a_paused_run_waits_until_it_is_resumed() {
        let records = vec![done("look"), asked(RunVerb::Pause)];
        assert_eq!(progress(&SHAPES, records.clone()).next(&SHAPES), Next::Wait);
        let resumed = progress(&SHAPES, [records, vec![asked(RunVerb::Resume)]].concat());
        assert_eq!(resumed.next(&SHAPES), Next::Act(1));
    }

    #[test]
    fn a_cancelled_run_is_taken_back_even_from_a_pause_and_says_who_asked() {
        let records = vec![done("look"), done("copy"), asked(RunVerb::Pause), asked(RunVerb::Cancel)];
        let run = progress(&SHAPES, records);
        assert_eq!((run.next(&SHAPES), run.error.as_str()), (Next::Undo(1), "cancelled by ops"));
        let forward = progress(&FORWARD, vec![done("unmask"), asked(RunVerb::Cancel)]);
        assert_eq!(forward.next(&FORWARD), Next::Finish(RunState::Failed));
    }

    #[test]
    fn a_run_is_unbegun_until_it_has_tried_something_or_somebody_has_asked_for_it_again() {
        let is_unbegun = |records| progress(&SHAPES, records).is_unbegun();
        let claimed = || Record::Claimed(v1::RunClaimed {});
        let failed = [started("look"), failed("look"), finished(RunState::Failed), asked(RunVerb::Retry)];
        let cancelled = [asked(RunVerb::Cancel), finished(RunState::Failed), asked(RunVerb::Retry)];
        assert!(is_unbegun(vec![]) && is_unbegun(vec![claimed(), claimed()]));
        assert!(!is_unbegun(vec![claimed(), started("look")]));
        assert!(!is_unbegun(failed.to_vec()), "it is to be tried again");
        assert!(!is_unbegun([&failed[..], &[claimed()]].concat()));
        assert!(!is_unbegun(cancelled.to_vec()));
    }

    #[test]
    fn a_retried_run_goes_on_where_it_stopped() {
        let records =
            vec![done("unmask"), failed("delete"), finished(RunState::Failed), asked(RunVerb::Retry)];
        let run = progress(&FORWARD, records);
        assert_eq!((run.next(&FORWARD), run.error.as_str()), (Next::Act(1), ""));

        let undo_failed = Record::UndoFailed(v1::UndoFailed { step: "copy".into(), error: "gone".into() });
        let records =
            vec![done("look"), failed("copy"), undo_failed, finished(RunState::Stuck), asked(RunVerb::Retry)];
        let run = progress(&SHAPES, records);
        assert_eq!((run.next(&SHAPES), run.state), (Next::Undo(1), RunState::Undoing));
        assert_eq!(run.troubles.len(), 2, "the evidence stays");
    }

    #[test]
    fn what_makes_no_sense_any_more_changes_nothing() {
        let over = vec![done("unmask"), done("delete"), finished(RunState::Succeeded)];
        for verb in [RunVerb::Pause, RunVerb::Resume, RunVerb::Cancel, RunVerb::Retry] {
            let run = progress(&FORWARD, [over.clone(), vec![asked(verb)]].concat());
            assert_eq!(
                (run.state, run.paused, run.cancelled),
                (RunState::Succeeded, false, false),
                "{verb:?}"
            );
            assert!(run.allows(verb).is_err());
        }
        let undone = progress(&SHAPES, vec![failed("look"), finished(RunState::Undone)]);
        let refused = undone.allows(RunVerb::Retry);
        assert_eq!(refused, Err(ControlRefused::Undone { run: undone.run }));
    }

    #[test]
    fn a_run_is_forgotten_only_when_it_is_over_and_nobody_has_to_look_at_it_and_then_nothing_else_happens_to_it()
     {
        let after =
            |records: Vec<Record>| progress(&FORWARD, [records, vec![asked(RunVerb::Forget)]].concat());
        assert!(!after(vec![done("unmask")]).forgotten);
        assert!(!after(vec![failed("unmask"), finished(RunState::Stuck)]).forgotten);
        let run = after(vec![failed("unmask"), finished(RunState::Failed)]);
        assert!(run.forgotten);
        assert_eq!(run.allows(RunVerb::Retry), Err(ControlRefused::Forgotten { run: run.run }));
    }

    #[test]
    fn a_run_some_of_whose_parts_failed_has_succeeded_in_part() {
        let parts = Output::Parts(v1::PartsDone { succeeded: 9, failed: 1, skipped: 0 });
        let hosts = Record::StepDone(v1::StepDone {
            step: "unmask".into(),
            output: Some(v1::StepOutput { output: Some(parts) }),
            duration_us: 0,
        });
        let run = progress(&FORWARD, vec![hosts.clone(), done("delete")]);
        assert_eq!(run.next(&FORWARD), Next::Finish(RunState::Partial));
        let records = vec![hosts, done("delete"), finished(RunState::Partial), asked(RunVerb::Retry)];
        assert_eq!(progress(&FORWARD, records).next(&FORWARD), Next::Act(0));
    }

    #[test]
    fn a_record_that_is_told_twice_counts_once() {
        let mut run = progress(&SHAPES, vec![done("look")]);
        let before = run.steps.clone();
        let entry = Some(failed("look"));
        run.apply(run.last_sequence, &v1::JournalRecord { entry, ..Default::default() });
        assert_eq!(run.steps, before);
    }
}
