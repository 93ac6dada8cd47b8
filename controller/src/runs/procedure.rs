//! What a procedure is: a typed table of steps, each with its undo beside it or a sentence why it has none.

use std::{future::Future, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use sanfleet_protocol::{
    Fence, HostId, RunId,
    v1::{self, command::Action, step_output::Output},
};

use super::progress::Shape;
use crate::{
    agents::{AgentError, Agents, IfOffline, Order},
    arrays::{ArrayError, Arrays},
};

/// What procedures act on.
#[derive(Clone)]
pub struct World {
    pub agents: Arc<dyn Agents>,
    pub arrays: Arrays,
}

/// Where a step stands: its procedure's parameters, what the steps before it left, and the world.
pub struct Here<'a, P> {
    pub world: &'a World,
    pub params: &'a P,
    pub outputs: &'a Outputs,
    pub run: RunId,
    pub fence: Fence,
    pub step: &'static str,
    /// 1 for the first try.
    pub attempt: u32,
}

impl<P> Here<'_, P> {
    /// Sends a command to an agent on behalf of this step.
    pub async fn command(
        &self,
        host: &HostId,
        action: Action,
        deadline: Duration,
    ) -> Result<v1::CommandDone, AgentError> {
        let (run, step, fence) = (self.run, self.step, self.fence);
        let order = Order { run, step, fence, if_offline: IfOffline::Wait };
        self.world.agents.command(host, order, action, deadline).await
    }
}

/// What the steps before have left. A step that needs what is not there has been put in the wrong place of its table.
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

    fn find<'a, T>(
        &'a self,
        step: &'static str,
        pick: impl Fn(&'a Output) -> Option<&'a T>,
    ) -> Result<&'a T, StepError> {
        self.0.iter().find_map(pick).ok_or(StepError::Missing { step })
    }
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error(transparent)]
    Array(#[from] ArrayError),
    /// The world is not as the step needs it; trying again would not help.
    #[error("{0}")]
    Refused(String),
    /// The copy was taken while the source was no longer held still.
    #[error("the copy is void: {0}")]
    Void(String),
    /// The world did not come to be as asked, though nothing reported an error.
    #[error("{0}")]
    NotVerified(String),
    #[error("the journal holds no output of step {step}")]
    Missing { step: &'static str },
    #[error("journal: {0}")]
    Journal(String),
}

impl StepError {
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Agent(error) => error.is_retryable(),
            Self::Array(error) => error.is_retryable(),
            Self::Void(_) | Self::NotVerified(_) => true,
            Self::Refused(_) | Self::Missing { .. } | Self::Journal(_) => false,
        }
    }

    pub fn id(what: &str, error: impl std::fmt::Display) -> Self {
        Self::Journal(format!("{what}: {error}"))
    }
}

/// How often and how long a step is tried.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    pub attempts: u32,
    pub within: Duration,
}

pub type Act<P> = for<'a> fn(Here<'a, P>) -> BoxFuture<'a, Result<Option<Output>, StepError>>;
pub type UndoAct<P> = for<'a> fn(Here<'a, P>) -> BoxFuture<'a, Result<(), StepError>>;

/// What takes a step back.
pub enum Undo<P: 'static> {
    By {
        act: UndoAct<P>,
        /// For people: what it does.
        says: &'static str,
    },
    /// The sentence says why there is none.
    None(&'static str),
}

/// One step: check → act → verify, and may run twice.
pub struct Step<P: 'static> {
    pub name: &'static str,
    pub act: Act<P>,
    pub undo: Undo<P>,
    pub patience: Patience,
}

impl<P> Step<P> {
    pub fn shape(&self) -> Shape {
        Shape { name: self.name, has_undo: matches!(self.undo, Undo::By { .. }) }
    }

    pub fn undo_text(&self) -> &'static str {
        match self.undo {
            Undo::By { says, .. } => says,
            Undo::None(why) => why,
        }
    }
}

/// A table of steps with the parameters they share.
pub trait Procedure: Send + Sync + Sized + 'static {
    const NAME: &'static str;
    const STEPS: &'static [Step<Self>];

    /// One line for people.
    fn title(&self) -> String;
}

pub fn shapes<P: Procedure>() -> Vec<Shape> {
    P::STEPS.iter().map(Step::shape).collect()
}

/// Gives an `async fn` the shape that the table wants.
pub fn boxed<'a, T>(future: impl Future<Output = T> + Send + 'a) -> BoxFuture<'a, T> {
    Box::pin(future)
}
