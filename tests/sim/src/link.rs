//! What is between a controller and everything else, and where tests interfere.

use std::{
    collections::BTreeSet,
    fmt,
    future::pending,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use crate::bell::Bell;
use futures::future::BoxFuture;
use sanfleet_driver::client::Passage;
use sanfleet_protocol::ControllerId;

/// What is crossed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seam {
    Journal,
    Agent,
    Array,
    /// What is said of hosts, as the bus keeps it.
    Notes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Nothing has happened yet.
    Before,
    /// It has happened, and whoever asked for it does not know.
    After,
}

/// One call of a controller, on one side of its effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crossing {
    pub controller: ControllerId,
    pub seam: Seam,
    /// What is asked: `step_done copy`, `quiesce copy db1`, `volume_mask`.
    pub what: String,
    pub side: Side,
}

impl Crossing {
    /// True when by now another host may see a volume, have it mounted, or see it no more.
    pub fn has_changed_who_sees(&self) -> bool {
        let changes = ["mount", "volume_mask", "volume_unmask", "volume_delete", "access_group_delete"];
        self.side == Side::After && changes.iter().any(|change| self.what.starts_with(change))
    }
}

impl fmt::Display for Crossing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} {}", self.side, self.seam, self.what)
    }
}

/// Who interferes. It may wait; and it may do to the fleet what it likes.
pub trait Nemesis: Send + Sync {
    fn cross<'a>(&'a self, crossing: &'a Crossing) -> BoxFuture<'a, Passage>;
}

/// Lets everything through.
pub struct Calm;

impl Nemesis for Calm {
    fn cross<'a>(&'a self, _: &'a Crossing) -> BoxFuture<'a, Passage> {
        Box::pin(async { Passage::Open })
    }
}

/// Whether a controller's process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    Running,
    /// As by SIGSTOP: what it was about to do it will do when it goes on.
    Frozen,
    Dead,
}

/// Who can reach the bus.
#[derive(Debug)]
pub struct Bus {
    changed: Bell,
    state: Mutex<BusState>,
}

#[derive(Debug, Default)]
struct BusState {
    down: bool,
    cut: BTreeSet<ControllerId>,
}

impl Bus {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { changed: Bell::default(), state: Mutex::default() })
    }

    pub fn set_down(&self, down: bool) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).down = down;
        self.changed.ring();
    }

    /// Cuts one controller off, or lets it back on.
    pub fn set_cut(&self, controller: &ControllerId, cut: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match cut {
            true => state.cut.insert(controller.clone()),
            false => state.cut.remove(controller),
        };
        drop(state);
        self.changed.ring();
    }

    pub fn reaches(&self, controller: &ControllerId) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        !state.down && !state.cut.contains(controller)
    }

    pub async fn reached(&self, controller: &ControllerId) {
        self.changed.until(|| self.reaches(controller).then_some(())).await;
    }
}

/// All that goes out of one life of one controller.
pub struct Link {
    pub controller: ControllerId,
    pub bus: Arc<Bus>,
    life: Mutex<Life>,
    changed: Bell,
    nemesis: Arc<OnceLock<Arc<dyn Nemesis>>>,
}

impl Link {
    pub fn new(
        controller: ControllerId,
        bus: Arc<Bus>,
        nemesis: Arc<OnceLock<Arc<dyn Nemesis>>>,
    ) -> Arc<Self> {
        Arc::new(Self { controller, bus, life: Mutex::new(Life::Running), changed: Bell::default(), nemesis })
    }

    pub fn set_life(&self, life: Life) {
        let mut known = self.life.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != Life::Dead {
            *known = life;
        }
        drop(known);
        self.changed.ring();
    }

    pub fn life(&self) -> Life {
        *self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns only while the controller runs: a dead one does nothing any more, and never learns it.
    pub async fn lives(&self) {
        let life = self.changed.until(|| Some(self.life()).filter(|life| *life != Life::Frozen)).await;
        if life == Life::Dead {
            pending::<()>().await;
        }
    }

    pub async fn cross(&self, seam: Seam, what: &str, side: Side) -> Passage {
        self.lives().await;
        let crossing = Crossing { controller: self.controller.clone(), seam, what: what.to_owned(), side };
        let passage = match self.nemesis.get() {
            Some(nemesis) => nemesis.cross(&crossing).await,
            None => Passage::Open,
        };
        self.lives().await;
        match seam == Seam::Array || self.bus.reaches(&self.controller) {
            true => passage,
            false => Passage::Lost,
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("controller", &self.controller).finish_non_exhaustive()
    }
}
