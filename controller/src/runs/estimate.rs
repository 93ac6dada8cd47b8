//! How long a run takes still, as far as finished runs of its kind let tell. Pure.

use std::collections::BTreeMap;

use sanfleet_protocol::v1::{RunState, StepState};

use super::{
    any::{AnyProcedure, name_of},
    known::Known,
    progress::Progress,
};

/// Of how many runs, the newest, an estimate is made.
const RUNS: usize = 200;

/// The usual time of each step, in microseconds.
#[derive(Debug, Default)]
pub struct Estimates(BTreeMap<(&'static str, String), Mean>);

#[derive(Debug, Default, Clone, Copy)]
struct Mean {
    sum_us: u64,
    count: u64,
}

impl Estimates {
    pub fn of(known: &Known) -> Self {
        let mut means = BTreeMap::<(&'static str, String), Mean>::new();
        let succeeded = known.all().filter(|run| run.state == RunState::Succeeded);
        for run in succeeded.take(RUNS) {
            for step in &run.steps {
                let mean = means.entry((name_of(&run.procedure), step.name.clone())).or_default();
                mean.sum_us = mean.sum_us.saturating_add(step.duration_us);
                mean.count += 1;
            }
        }
        Self(means)
    }

    /// 0 for a run that is over, that waits for somebody, or of whose kind none has succeeded yet.
    pub fn left_ms(&self, known: &Known, run: &Progress) -> u64 {
        if run.state != RunState::Running || run.paused {
            return 0;
        }
        self.by_parts(known, run).unwrap_or_else(|| self.by_steps(run)) / 1_000
    }

    fn by_steps(&self, run: &Progress) -> u64 {
        let open = run.steps.iter().filter(|step| step.state != StepState::Done);
        let means = open.map(|step| {
            let mean = self.0.get(&(name_of(&run.procedure), step.name.clone()))?;
            mean.sum_us.checked_div(mean.count)
        });
        means.collect::<Option<Vec<u64>>>().map_or(0, |means| means.into_iter().sum())
    }

    /// From the parts of this very run: those that are over took so long for so many.
    fn by_parts(&self, known: &Known, run: &Progress) -> Option<u64> {
        let (mut over, mut open, mut last_ms) = (0u64, 0u64, run.created_at_unix_ms);
        for part in known.parts(run.run) {
            if part.is_finished() {
                over += 1;
                last_ms = last_ms.max(part.last_at_unix_ms);
            } else {
                open += 1;
            }
        }
        let planned = AnyProcedure::try_from(run.procedure.as_ref())
            .map_or(0, |procedure| u64::from(procedure.parts()));
        let left = planned.saturating_sub(over).max(open);
        let took_us =
            u64::try_from(last_ms.saturating_sub(run.created_at_unix_ms)).ok()?.saturating_mul(1_000);
        took_us.saturating_mul(left).checked_div(over)
    }
}
