//! What has changed in a run since it was looked at last. Pure: the run in, the lines out.
//!
//! Nothing here remembers events. What is told comes from comparing two pictures of the run, so a change that
//! was missed on its way is told with the next picture.

use std::collections::HashMap;

use sanfleet_protocol::v1::{Run, RunState, RunStep, StepState};

use crate::output::{Cell, Tone, human};

/// The picture of a run that was told last.
#[derive(Debug, Default)]
pub struct Progress {
    told: HashMap<String, Seen>,
    run: Option<RunState>,
}

/// What of a step is worth a line when it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    state: StepState,
    attempts: u32,
}

/// One change, to be told in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub state: Cell,
    pub what: Cell,
    /// True when another line about the same will follow in time.
    pub passing: bool,
}

impl Progress {
    /// The lines for what is new in this picture, in the order of the steps.
    pub fn changes(&mut self, run: &Run) -> Vec<Line> {
        let mut lines: Vec<Line> = self.undoing(run).into_iter().collect();
        lines.extend(run.steps.iter().filter_map(|step| self.change(step)));
        lines
    }

    fn undoing(&mut self, run: &Run) -> Option<Line> {
        let before = self.run.replace(run.state());
        let turned = run.state() == RunState::Undoing && before != Some(RunState::Undoing);
        turned.then(|| Line {
            state: run_state(RunState::Undoing),
            what: Cell::new(with_error("what was done is taken back".to_owned(), &run.error)),
            passing: false,
        })
    }

    fn change(&mut self, step: &RunStep) -> Option<Line> {
        let seen = Seen { state: step.state(), attempts: step.attempts };
        if self.told.insert(step.name.clone(), seen) == Some(seen) || !is_told(step.state()) {
            return None;
        }
        let state = step_state(step.state());
        let passing = matches!(step.state(), StepState::Running | StepState::Undoing);
        Some(Line { what: Cell::new(in_words(step)), state, passing })
    }
}

impl Line {
    /// With the states in a column of their own.
    pub fn text(&self, paint: impl Fn(&str, Tone) -> String) -> String {
        let state = paint(&format!("{:<11}", self.state.text()), self.state.tone());
        format!("  {state}  {}", self.what.text())
    }
}

/// A step that has not begun is no news.
fn is_told(state: StepState) -> bool {
    !matches!(state, StepState::Pending | StepState::Unspecified)
}

fn in_words(step: &RunStep) -> String {
    let again = if step.attempts > 1 { format!("  attempt {}", step.attempts) } else { String::new() };
    let time = match step.state() {
        StepState::Done if step.duration_us > 0 => format!("  {}", human::micros(step.duration_us)),
        _ => String::new(),
    };
    with_error(format!("{}{again}{time}", step.name), &step.error)
}

fn with_error(text: String, error: &str) -> String {
    if error.is_empty() { text } else { format!("{text}: {error}") }
}

/// True when nothing more will happen to the run by itself.
pub fn has_ended(run: &Run) -> bool {
    match run.state() {
        RunState::Succeeded | RunState::Partial | RunState::Undone | RunState::Failed | RunState::Stuck => {
            true
        }
        RunState::Running | RunState::Undoing | RunState::Unspecified => false,
    }
}

/// A run's state, as every command says it.
pub fn run_state(state: RunState) -> Cell {
    match state {
        RunState::Unspecified => Cell::toned("unknown", Tone::Faint),
        RunState::Running => Cell::toned("running", Tone::Busy),
        RunState::Undoing => Cell::toned("undoing", Tone::Busy),
        RunState::Succeeded => Cell::toned("succeeded", Tone::Good),
        RunState::Partial => Cell::toned("succeeded in part", Tone::Bad),
        RunState::Undone => Cell::toned("undone", Tone::Bad),
        RunState::Failed => Cell::toned("failed", Tone::Bad),
        RunState::Stuck => Cell::toned("stuck", Tone::Bad),
    }
}

/// A step's state, as every command says it.
pub fn step_state(state: StepState) -> Cell {
    match state {
        StepState::Unspecified => Cell::toned("unknown", Tone::Faint),
        StepState::Pending => Cell::toned("pending", Tone::Faint),
        StepState::Running => Cell::toned("running", Tone::Busy),
        StepState::Done => Cell::toned("done", Tone::Good),
        StepState::Failed => Cell::toned("failed", Tone::Bad),
        StepState::Undoing => Cell::toned("undoing", Tone::Busy),
        StepState::Undone => Cell::toned("undone", Tone::Plain),
        StepState::UndoFailed => Cell::toned("undo failed", Tone::Bad),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn step(name: &str, state: StepState) -> RunStep {
        RunStep { name: name.to_owned(), state: state as i32, ..Default::default() }
    }

    fn run(state: RunState, steps: Vec<RunStep>) -> Run {
        Run { state: state as i32, steps, ..Default::default() }
    }

    fn told(progress: &mut Progress, run: &Run) -> Vec<String> {
        progress.changes(run).iter().map(|line| line.text(|text, _| text.to_owned())).collect()
    }

    #[test]
    fn a_step_is_told_when_it_changes_and_only_then() {
        let mut progress = Progress::default();
        let first =
            run(RunState::Running, vec![step("mask", StepState::Running), step("mount", StepState::Pending)]);
        assert_eq!(told(&mut progress, &first), ["  running      mask"]);
        assert!(told(&mut progress, &first).is_empty());
        let done = RunStep { duration_us: 12_300, ..step("mask", StepState::Done) };
        let second = run(RunState::Running, vec![done, step("mount", StepState::Running)]);
        assert_eq!(told(&mut progress, &second), ["  done         mask  12.3 ms", "  running      mount"]);
    }

    #[test]
    fn a_step_that_ran_between_two_looks_is_told_as_done() {
        let mut progress = Progress::default();
        let all = run(RunState::Succeeded, vec![step("a", StepState::Done), step("b", StepState::Done)]);
        assert_eq!(told(&mut progress, &all).len(), 2);
    }

    #[test]
    fn another_attempt_is_news_and_says_why_the_last_one_failed() {
        let mut progress = Progress::default();
        let attempt = |attempts, error: &str| RunStep {
            attempts,
            error: error.to_owned(),
            ..step("mount", StepState::Running)
        };
        told(&mut progress, &run(RunState::Running, vec![attempt(1, "")]));
        assert_eq!(
            told(&mut progress, &run(RunState::Running, vec![attempt(2, "busy")])),
            ["  running      mount  attempt 2: busy"]
        );
    }

    #[test]
    fn turning_back_is_told_once() {
        let mut progress = Progress::default();
        let back =
            Run { error: "no".to_owned(), ..run(RunState::Undoing, vec![step("a", StepState::Undoing)]) };
        assert_eq!(
            told(&mut progress, &back),
            ["  undoing      what was done is taken back: no", "  undoing      a"]
        );
        let further = run(RunState::Undoing, vec![step("a", StepState::Undone)]);
        assert_eq!(told(&mut progress, &further), ["  undone       a"]);
    }

    proptest! {
        #[test]
        fn no_step_ever_drives_the_terminal_or_is_told_twice(
            names in proptest::collection::vec(any::<String>(), 0..6),
            states in proptest::collection::vec(any::<i32>(), 6),
            error in any::<String>(),
        ) {
            let steps: Vec<RunStep> = names.iter().zip(&states).map(|(name, state)| RunStep {
                name: name.clone(), state: state % 9, error: error.clone(), ..Default::default()
            }).collect();
            let mut names = names;
            names.sort();
            names.dedup();
            let distinct = names.len() == steps.len();
            let picture = run(RunState::Running, steps);
            let mut progress = Progress::default();
            for line in told(&mut progress, &picture) {
                prop_assert!(!line.chars().any(char::is_control));
            }
            if distinct {
                prop_assert!(progress.changes(&picture).is_empty());
            }
        }
    }
}
