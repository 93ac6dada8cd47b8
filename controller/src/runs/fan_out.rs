//! Runs that are parts of another: it starts them, in waves, and counts. Each has its own journal, undo and owner.

use sanfleet_protocol::{
    RunId,
    v1::{self, RunState, RunVerb, step_output::Output},
};

use super::{
    AnyProcedure,
    error::StepError,
    procedure::{Here, Patience, Procedure},
    waves::{self, Asked, Counts, Limits, Part},
};

/// A procedure whose work is done by other runs.
pub trait FanOut: Procedure {
    fn limits(&self) -> Limits;

    /// What a part is about, for people: hosts, attachments.
    fn units(&self) -> &'static str;

    /// The procedure for this place of the list, at this try. Names and ids that must differ are made from the run's own, and names
    /// of volumes differ from try to try, so that none finds what an earlier one may have left.
    fn part(&self, run: RunId, place: u32, attempt: u16) -> Option<AnyProcedure>;
}

/// As long as it takes: each part has patience of its own. What fails and may pass is that this controller was cut off, which
/// says nothing about any part.
pub const PATIENCE: Patience = Patience {
    attempts: 1_000,
    within: std::time::Duration::from_secs(7 * 24 * 3600),
    silence: std::time::Duration::from_secs(24 * 3600),
};

/// Starts the parts and waits for them, as often as it takes. What a controller before this one started is found again: a
/// part's id follows from the place in the list and the try, and there is a next try only of what is known to have failed. So an
/// old owner and a new one that begin the same part write the same journal's first record, and one of them finds it there.
pub async fn carry_out<P: FanOut>(here: Here<'_, P>) -> Result<Counts, StepError> {
    let (run, register) = (here.run, here.register);
    let mut parts: Vec<Part> = (0..here.params.parts()).map(|place| found(&here, place)).collect();
    for stuck in parts.iter_mut().filter(|part| part.state == RunState::Stuck) {
        // Found in an earlier life of this step: somebody has looked at it, or this is the time to try again.
        register.ask(stuck.run, RunVerb::Retry).await;
        stuck.state = RunState::Running;
    }
    let (mut ended, mut own) = (register.ended_parts(run), 0);
    loop {
        let latest = register.latest(run);
        own = latest.as_ref().map_or(own, |run| run.last_sequence);
        let asked = match latest {
            Some(run) if run.cancelled => Asked::Cancel,
            Some(run) if run.paused => Asked::Pause,
            _ => Asked::Nothing,
        };
        for part in parts.iter_mut().filter(|part| part.state == RunState::Running) {
            part.state = register.state(part.run).map_or(part.state, settled);
        }
        match waves::decide(&here.params.limits(), &parts, asked) {
            waves::Decision::Start(places) => {
                for place in places {
                    start(&here, &mut parts, place).await?;
                    here.beat.go_on();
                }
                continue;
            }
            waves::Decision::Cancel(places) => {
                for place in places {
                    if let Some(part) = parts.get_mut(place) {
                        part.cancelled = true;
                        register.ask(part.run, RunVerb::Cancel).await;
                    }
                }
            }
            waves::Decision::Wait => {}
            waves::Decision::Over(_) if look_again(&here, &mut parts) => continue,
            waves::Decision::Over(counts) => return over(here.params.units(), counts, asked),
        }
        ended = register.parts_moved(run, ended, own).await;
        here.beat.go_on();
    }
}

/// The newest try of the part at this place. One that failed in an earlier life of this step gets another try.
fn found<P: FanOut>(here: &Here<'_, P>, place: u32) -> Part {
    let part = |attempt, state| Part { run: here.run.part(place, attempt), attempt, state, cancelled: false };
    // Every life of this step has begun one try at most.
    let lives = u16::try_from(here.attempt).unwrap_or(u16::MAX);
    let known = |attempt| Some(part(attempt, settled(here.register.state(here.run.part(place, attempt))?)));
    match (1..=lives).rev().find_map(known) {
        Some(newest) if newest.state != RunState::Failed => newest,
        Some(failed) => part(failed.attempt.saturating_add(1), RunState::Unspecified),
        None => part(1, RunState::Unspecified),
    }
}

/// True when parts that were not begun here are there all the same: who owned this run before began them at its end.
fn look_again<P>(here: &Here<'_, P>, parts: &mut [Part]) -> bool {
    let mut any = false;
    for part in parts.iter_mut().filter(|part| part.state == RunState::Unspecified) {
        if let Some(state) = here.register.state(part.run) {
            (part.state, any) = (settled(state), true);
        }
    }
    any
}

/// Begun and not over is all that a wave needs to know of a part; and how it is over.
fn settled(state: RunState) -> RunState {
    match state {
        RunState::Undoing | RunState::Running => RunState::Running,
        RunState::Undone => RunState::Failed,
        other => other,
    }
}

async fn start<P: FanOut>(here: &Here<'_, P>, parts: &mut [Part], place: usize) -> Result<(), StepError> {
    let number = u32::try_from(place).unwrap_or(u32::MAX);
    let Some(part) = parts.get_mut(place) else { return Ok(()) };
    let Some(procedure) = here.params.part(here.run, number, part.attempt) else { return Ok(()) };
    here.must_be_ours()?;
    let started = here.register.start_part(here.run, part.run, &procedure).await;
    started.map_err(|error| StepError::Journal(error.to_string()))?;
    part.state = RunState::Running;
    Ok(())
}

fn over(units: &str, counts: Counts, asked: Asked) -> Result<Counts, StepError> {
    let Counts { succeeded, failed, skipped } = counts;
    if asked == Asked::Cancel {
        return Err(StepError::Refused(format!(
            "cancelled: {succeeded} {units} had succeeded, {failed} had not, {skipped} were not begun"
        )));
    }
    if skipped > 0 {
        return Err(StepError::Refused(format!(
            "{failed} {units} failed, more than were allowed to: {skipped} were not begun, {succeeded} succeeded"
        )));
    }
    Ok(counts)
}

/// What became of the parts, for the steps after this one and for people.
pub fn output(counts: Counts) -> Output {
    let Counts { succeeded, failed, skipped } = counts;
    Output::Parts(v1::PartsDone { succeeded, failed, skipped })
}
