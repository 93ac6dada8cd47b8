//! What the steps of a run have left for those after them.

use sanfleet_protocol::v1::{self, step_output::Output};

use super::error::StepError;

/// A step that needs what is not there has been put in the wrong place of its table.
#[derive(Debug, Clone, Default)]
pub struct Outputs(Vec<Output>);

impl Outputs {
    pub fn new(outputs: impl IntoIterator<Item = Output>) -> Self {
        Self(outputs.into_iter().collect())
    }

    pub fn resolved(&self) -> Result<&v1::SourceResolved, StepError> {
        self.find("resolve", |output| match output {
            Output::Resolved(resolved) => Some(resolved),
            _ => None,
        })
    }

    pub fn copied(&self) -> Result<&v1::VolumeCopied, StepError> {
        self.find("copy", |output| match output {
            Output::Copied(copied) => Some(copied),
            _ => None,
        })
    }

    pub fn access(&self) -> Result<&v1::AccessGranted, StepError> {
        self.find("mask", |output| match output {
            Output::Access(access) => Some(access),
            _ => None,
        })
    }

    pub fn made(&self) -> Result<&v1::VolumeMade, StepError> {
        self.find("make", |output| match output {
            Output::Made(made) => Some(made),
            _ => None,
        })
    }

    fn find<'a, T>(
        &'a self,
        step: &'static str,
        pick: impl Fn(&'a Output) -> Option<&'a T>,
    ) -> Result<&'a T, StepError> {
        self.0.iter().find_map(pick).ok_or(StepError::Missing { step })
    }
}
