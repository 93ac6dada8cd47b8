//! What makes a plan the plan that somebody has seen: the run that it was made for, and a hash over all that it would do.

use prost::Message;
use sanfleet_protocol::{RunId, hash::fnv1a, v1};

use super::PlanError;
use crate::runs::AnyProcedure;

/// A plan that was shown and is to be carried out as it was: `<run>:<hash>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsPlanned {
    pub run: RunId,
    hash: String,
}

impl AsPlanned {
    /// None for an empty text: whatever is planned now is wanted.
    pub fn parse(text: &str) -> Result<Option<Self>, PlanError> {
        if text.is_empty() {
            return Ok(None);
        }
        let (run, hash) = text.split_once(':').ok_or(PlanError::Moved)?;
        let run = run.parse().map_err(|_| PlanError::Moved)?;
        Ok(Some(Self { run, hash: hash.to_owned() }))
    }

    /// Refuses a plan that is not the one that was shown.
    pub fn require(&self, plan: &v1::Plan) -> Result<(), PlanError> {
        match plan.hash == self.hash {
            true => Ok(()),
            false => Err(PlanError::Moved),
        }
    }
}

/// The plan with what tells it from others. The catalog's generation is for people: it moves with every report of any host,
/// and a plan is another one only when it would do something else.
pub fn sealed(plan: v1::Plan, run: RunId, procedure: &AnyProcedure, generation: u64) -> v1::Plan {
    let created = v1::RunCreated { procedure: Some(procedure.into()), parent: String::new() };
    let hash = format!("{:016x}", fnv1a(created.encode_to_vec()));
    v1::Plan { run: run.to_string(), hash, generation, ..plan }
}
