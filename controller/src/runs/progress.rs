//! What a run's journal says: pure, so that the same records always mean the same thing.
//!
//! [`Progress::apply`] folds records; [`Progress::next`] decides what comes next. Nothing else decides it.

use sanfleet_protocol::{
    Fence, RunId,
    v1::{self, RunState, StepState, journal_record::Entry as Record, run_created},
};

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
    pub output: Option<v1::step_output::Output>,
}

/// How far a run has come.
#[derive(Debug, Clone)]
pub struct Progress {
    pub run: RunId,
    pub procedure: run_created::Procedure,
    pub state: RunState,
    pub steps: Vec<StepProgress>,
    pub error: String,
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
    Nothing,
}

impl Progress {
    /// Begins with a run's first record; `None` when that is not its creation.
    pub fn begin(
        run: RunId,
        sequence: u64,
        record: &v1::JournalRecord,
        shapes: impl FnOnce(&run_created::Procedure) -> Vec<Shape>,
    ) -> Option<Self> {
        let Some(Record::Created(v1::RunCreated { procedure: Some(procedure) })) = &record.entry else {
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
            procedure: procedure.clone(),
            state: RunState::Running,
            steps: steps.collect(),
            error: String::new(),
            fence: Fence(sequence),
            last_sequence: sequence,
            created_at_unix_ms: record.at_unix_ms,
            last_at_unix_ms: record.at_unix_ms,
        })
    }

    pub fn apply(&mut self, sequence: u64, record: &v1::JournalRecord) {
        self.last_sequence = sequence;
        self.last_at_unix_ms = record.at_unix_ms;
        match &record.entry {
            None | Some(Record::Created(_)) => {}
            Some(Record::Claimed(_)) => self.fence = Fence(sequence),
            Some(Record::StepStarted(entry)) => self.step(&entry.step, |step| {
                step.state = StepState::Running;
                step.attempts = entry.attempt;
            }),
            Some(Record::StepDone(entry)) => self.step(&entry.step, |step| {
                step.state = StepState::Done;
                step.duration_us = entry.duration_us;
                step.error.clear();
                step.output = entry.output.as_ref().and_then(|output| output.output.clone());
            }),
            Some(Record::StepFailed(entry)) => {
                self.step(&entry.step, |step| {
                    step.state = StepState::Failed;
                    step.error = entry.error.clone();
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
            Some(Record::UndoFailed(entry)) => self.step(&entry.step, |step| {
                step.state = StepState::UndoFailed;
                // Both reasons are kept: why it failed, and why it could not be taken back.
                step.error = match step.error.is_empty() {
                    true => format!("undo failed: {}", entry.error),
                    false => format!("{}; undo failed: {}", step.error, entry.error),
                };
            }),
            Some(Record::Finished(entry)) => {
                self.state = entry.state();
                if !entry.error.is_empty() {
                    self.error = entry.error.clone();
                }
            }
        }
    }

    fn step(&mut self, name: &str, change: impl FnOnce(&mut StepProgress)) {
        if let Some(step) = self.steps.iter_mut().find(|step| step.name == name) {
            change(step);
        }
    }

    pub fn is_finished(&self) -> bool {
        !matches!(self.state, RunState::Running | RunState::Undoing)
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
        let failed =
            self.state == RunState::Undoing || self.steps.iter().any(|step| is(StepState::Failed)(&step));
        if !failed {
            let open = self.steps.iter().position(|step| step.state != StepState::Done);
            return open.map_or(Next::Finish(RunState::Succeeded), Next::Act);
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
        let created = Record::Created(v1::RunCreated { procedure: Some(procedure) });
        let record = |entry| v1::JournalRecord { entry: Some(entry), ..Default::default() };
        let run = RunId::new(uuid::Uuid::from_u128(1));
        let mut progress = Progress::begin(run, 1, &record(created), |_| shapes.to_vec()).unwrap();
        for (sequence, entry) in (2..).zip(records) {
            progress.apply(sequence, &record(entry));
        }
        progress
    }

    fn started(step: &str) -> Record {
        Record::StepStarted(v1::StepStarted { step: step.into(), attempt: 1 })
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
}
