//! The seam to what holds an application still: a process of its own, or its simulated twin.

use std::{fmt, sync::Arc, time::Duration};

use sanfleet_protocol::RunId;

use super::{Held, Order, QuiesceError, word::By};
use crate::host::HostError;

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    pub by: By,
    /// False when it never held.
    pub held: bool,
    pub blocked_us: u64,
    /// Why the application may not go on as before; empty when all went well.
    pub trouble: String,
}

/// Told exactly once, when nothing is held any more.
pub type OnEnd = Box<dyn FnOnce(End) + Send>;

/// Starts what holds.
pub trait Guards: Send + Sync + fmt::Debug {
    /// Nothing is held yet when this returns.
    fn start(&self, order: &Order, on_end: OnEnd) -> Result<Arc<dyn Guard>, QuiesceError>;

    /// Thaws what a guard held that nobody knows of any more: all of it, though one fails.
    fn thaw(&self, held: &Held) -> Result<(), HostError>;

    /// Then ends its hook, where there is one. Returns why that could not be done; empty when all went well.
    fn end_hook(&self, run: RunId, held: &Held) -> String;
}

/// What holds one application. It lets go by itself when its time is up, and when the agent is gone.
pub trait Guard: Send + Sync + fmt::Debug {
    /// Everything that can be done before anyone is blocked. Returns what application answered.
    fn prepare(&self, order: &Order, within: Duration) -> Result<String, QuiesceError>;

    /// Returns how long it took until all was still, in microseconds.
    fn hold(&self, within: Duration) -> Result<u64, QuiesceError>;

    /// Tells it to let go. That it has is told by the end.
    fn release(&self);

    /// It lets go as if we had died.
    fn abandon(&self);

    /// For one that no longer answers. The end follows, with a thaw.
    fn kill(&self);

    /// Its process, where it is one.
    fn process_id(&self) -> Option<u32>;
}
