//! What holds an application still on a simulated host. Like the real guard it is a process of its own: it lets go when it is
//! told to, when its time is up and when the agent is gone.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use sanfleet_protocol::{HookId, RunId};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};

use super::{SimHost, world::World};
use crate::{
    host::HostError,
    quiesce::{End, Guard, Guards, Held, OnEnd, Order, QuiesceError, word::By},
};

/// The guards of one simulated host. Its clones are the same.
#[derive(Debug, Clone)]
pub struct SimGuards {
    world: Arc<World>,
    living: Arc<Mutex<Vec<Arc<SimGuard>>>>,
}

struct SimGuard {
    me: Weak<Self>,
    world: Arc<World>,
    held: Held,
    dead_man: Duration,
    held_since: Mutex<Option<Instant>>,
    /// Taken by whatever ends it.
    on_end: Mutex<Option<OnEnd>>,
}

impl SimHost {
    pub fn guards(&self) -> SimGuards {
        SimGuards { world: Arc::clone(&self.world), living: Arc::default() }
    }

    /// Where writing waits at the moment.
    pub fn frozen(&self) -> Vec<PathBuf> {
        self.world.look(|state| state.frozen.iter().cloned().collect())
    }

    pub fn is_frozen(&self, at: &Path) -> bool {
        self.world.look(|state| state.frozen.contains(at))
    }

    /// The hooks that were begun and not ended.
    pub fn hooked(&self) -> Vec<HookId> {
        self.world.look(|state| state.hooked.iter().cloned().collect())
    }
}

impl SimGuards {
    /// The agent was killed: its guards find their pipe closed and let go, with nobody left to tell.
    pub fn orphan(&self) {
        for guard in self.bury() {
            guard.let_go();
        }
    }

    /// The guards were killed with their agent: what they held stays held.
    pub fn kill_all(&self) {
        self.bury();
    }

    fn bury(&self) -> Vec<Arc<SimGuard>> {
        let living = std::mem::take(&mut *locked(&self.living));
        living.iter().for_each(|guard| drop(locked(&guard.on_end).take()));
        living
    }
}

impl Guards for SimGuards {
    fn start(&self, order: &Order, on_end: OnEnd) -> Result<Arc<dyn Guard>, QuiesceError> {
        let guard = Arc::new_cyclic(|me| SimGuard {
            me: me.clone(),
            world: Arc::clone(&self.world),
            held: order.held.clone(),
            dead_man: order.dead_man,
            held_since: Mutex::default(),
            on_end: Mutex::new(Some(on_end)),
        });
        let mut living = locked(&self.living);
        living.retain(|guard| locked(&guard.on_end).is_some());
        living.push(Arc::clone(&guard));
        Ok(guard)
    }

    fn thaw(&self, held: &Held) -> Result<(), HostError> {
        thaw(&self.world, held);
        Ok(())
    }

    fn end_hook(&self, _run: RunId, held: &Held) -> String {
        end_hook(&self.world, held);
        String::new()
    }
}

fn thaw(world: &World, held: &Held) {
    world.alter(|state| {
        for at in held.places() {
            state.frozen.remove(at.as_path());
        }
    });
}

fn end_hook(world: &World, held: &Held) {
    if let Some(hook) = &held.hook {
        world.alter(|state| state.hooked.remove(&hook.name));
    }
}

impl SimGuard {
    fn let_go(&self) -> Option<Instant> {
        let since = locked(&self.held_since).take()?;
        thaw(&self.world, &self.held);
        end_hook(&self.world, &self.held);
        Some(since)
    }

    fn end(&self, by: By) {
        let Some(on_end) = locked(&self.on_end).take() else { return };
        let since = self.let_go();
        let blocked_us = since.map_or(0, |since| since.elapsed().as_micros());
        let blocked_us = u64::try_from(blocked_us).unwrap_or(u64::MAX);
        on_end(End { by, held: since.is_some(), blocked_us, trouble: String::new() });
    }
}

impl Guard for SimGuard {
    fn prepare(&self, order: &Order, _within: Duration) -> Result<String, QuiesceError> {
        Ok(format!("the simulated application on {}", order.held.mount_point))
    }

    fn hold(&self, _within: Duration) -> Result<u64, QuiesceError> {
        if locked(&self.on_end).is_none() {
            return Err(QuiesceError::Lost);
        }
        self.world.alter(|state| {
            state.hooked.extend(self.held.hook.iter().map(|hook| hook.name.clone()));
            state.frozen.extend(self.held.places().map(|at| at.as_path().to_owned()));
        });
        *locked(&self.held_since) = Some(Instant::now());
        // Without a runtime there is no time that could be up.
        if let Ok(runtime) = Handle::try_current() {
            let (me, dead_man) = (self.me.clone(), self.dead_man);
            runtime.spawn(async move {
                sleep(dead_man).await;
                if let Some(guard) = me.upgrade() {
                    guard.end(By::DeadMan);
                }
            });
        }
        Ok(0)
    }

    fn release(&self) {
        self.end(By::Command);
    }

    fn abandon(&self) {
        self.end(By::Loss);
    }

    fn kill(&self) {
        self.end(By::Loss);
    }

    fn process_id(&self) -> Option<u32> {
        None
    }
}

impl fmt::Debug for SimGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimGuard").field("held", &self.held).finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
