//! What a procedure is: a typed table of steps, each with its undo beside it or a sentence why it has none.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use sanfleet_protocol::{
    ArrayId, Fence, HostId, MountPoint, RunId, VolumeId,
    v1::{self, command::Action, step_output::Output},
};

use super::{error::StepError, outputs::Outputs, params::ParamsError, progress::Shape, register::Register};
use crate::{
    agents::{AgentError, Agents, IfOffline, Order},
    arrays::{ArrayError, ArrayHandle, Arrays},
    clock::Clock,
    lease::{Lease, Permit},
    state::SharedCatalog,
    stored_hosts::NotesKeeper,
};

/// What procedures act on.
#[derive(Clone)]
pub struct World {
    pub agents: Arc<dyn Agents>,
    pub arrays: Arrays,
    /// What steps look at once more before they act, never what allows them to.
    pub catalog: SharedCatalog,
    pub notes: Arc<dyn NotesKeeper>,
    pub lease: Lease,
    pub clock: Clock,
}

/// Where a step stands: its procedure's parameters, what the steps before it left, and the world.
pub struct Here<'a, P> {
    pub world: &'a World,
    pub register: &'a dyn Register,
    pub params: &'a P,
    pub outputs: &'a Outputs,
    pub run: RunId,
    pub fence: Fence,
    pub step: &'static str,
    /// 1 for the first try.
    pub attempt: u32,
    pub permit: Permit,
    pub beat: &'a Beat,
}

impl<P> Here<'_, P> {
    /// Sends a command to an agent on behalf of this step.
    pub async fn command(
        &self,
        host: &HostId,
        action: Action,
        deadline: Duration,
    ) -> Result<v1::CommandDone, AgentError> {
        // The agent's fence holds an old owner only where a newer one has spoken. A resume lets go of what this run holds, and can do
        // nothing else: nobody waits for a permit to do that.
        if !self.permit.holds() && !matches!(action, Action::Resume(_)) {
            return Err(AgentError::NotOurs { host: host.clone() });
        }
        let (run, step, fence) = (self.run, self.step, self.fence);
        let order = Order { run, step, fence, if_offline: IfOffline::Wait };
        let answer = self.world.agents.command(host, order, action, deadline).await;
        self.beat.go_on();
        answer
    }

    /// Refuses what neither a journal nor an agent would keep from an owner that was cut off, and may be one no more.
    pub fn must_be_ours(&self) -> Result<(), StepError> {
        match self.permit.holds() {
            true => Ok(()),
            false => Err(StepError::NotVerified("this controller was cut off from the bus".to_owned())),
        }
    }

    /// The array, for as long as this run is ours.
    pub fn array(&self, name: &ArrayId) -> Result<ArrayHandle, ArrayError> {
        Ok(self.world.arrays.get(name)?.permitted(self.permit.clone()))
    }
}

/// Counts signs of progress of one step.
#[derive(Debug, Default)]
pub struct Beat(AtomicU64);

impl Beat {
    pub fn go_on(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How often and how long a step is tried.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    pub attempts: u32,
    /// For all tries together.
    pub within: Duration,
    /// How long one try may go without any sign of progress.
    pub silence: Duration,
}

impl Patience {
    /// Long enough for any one command or call: these have deadlines of their own.
    const SILENCE: Duration = Duration::from_secs(120);

    pub const fn new(attempts: u32, within_s: u64) -> Self {
        Self { attempts, within: Duration::from_secs(within_s), silence: Self::SILENCE }
    }
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

/// A place on a host that a run uses or frees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub host: HostId,
    pub mount_point: MountPoint,
}

/// A table of steps with the parameters they share.
pub trait Procedure: Send + Sync + Sized + 'static {
    const NAME: &'static str;
    const STEPS: &'static [Step<Self>];
    /// The parameters as the journal has them.
    type Message;

    fn to_message(&self) -> Self::Message;
    fn from_message(message: &Self::Message) -> Result<Self, ParamsError>;

    /// One line for people.
    fn title(&self) -> String;

    /// The array that it works on, or the first of several.
    fn array(&self) -> Option<ArrayId>;

    /// All arrays that it works on.
    fn arrays(&self) -> Vec<ArrayId> {
        self.array().into_iter().collect()
    }

    /// The places that no other run may use meanwhile.
    fn places(&self) -> Vec<Place>;

    /// The volumes that must stay what they are while it runs; those that it makes are told by its steps.
    fn volumes(&self) -> Vec<VolumeId>;

    /// The volumes that it makes, by name, in the order in which its outputs have them.
    fn makes(&self) -> Vec<(&ArrayId, &str)> {
        Vec::new()
    }

    /// How many runs will be parts of it.
    fn parts(&self) -> u32 {
        0
    }

    /// What it leaves attached once it has succeeded; the ids and the time are filled in from the run.
    fn attaches(&self, _outputs: &Outputs) -> Vec<v1::Attachment> {
        Vec::new()
    }

    /// The attachments that are gone once it has succeeded.
    fn removes(&self) -> Vec<&v1::Attachment> {
        Vec::new()
    }
}

pub fn shapes<P: Procedure>() -> Vec<Shape> {
    P::STEPS.iter().map(Step::shape).collect()
}

/// Gives an `async fn` the shape that the table wants.
pub fn boxed<'a, T>(future: impl Future<Output = T> + Send + 'a) -> BoxFuture<'a, T> {
    Box::pin(future)
}
