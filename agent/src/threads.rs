//! Where work is done that may block.

use tokio::task::{JoinHandle, spawn, spawn_blocking};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Threads {
    /// On a thread of its own, so that a call that hangs holds up nobody else.
    #[default]
    Own,
    /// On the runtime's, for a simulated host, none of whose calls block: a fleet of them then needs one thread, and the order of
    /// what happens depends on nothing else.
    Shared,
}

impl Threads {
    pub fn run<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        match self {
            Self::Own => spawn_blocking(work),
            Self::Shared => spawn(async { work() }),
        }
    }
}
