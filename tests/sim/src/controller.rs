//! One life of one controller: its real runs, over simulated seams.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use futures::future::BoxFuture;
use sanfleet_controller::{
    agents::SignedAgents,
    arrays::{ArrayDefinition, Arrays},
    events::Events,
    lease::Lease,
    runs::{AnyProcedure, Runs, World},
    secrets::Passwords,
    state::SharedCatalog,
    stored_hosts::{NotesError, NotesKeeper},
};
use sanfleet_protocol::{ControllerId, HostId, RunId};

use crate::{
    Fleet,
    agents::SimCarrier,
    array::Doors,
    clock,
    link::{Life, Link},
};

/// No host of this fleet is ever retired.
struct NoNotes;

impl NotesKeeper for NoNotes {
    fn cordon<'a>(&'a self, host: &'a HostId) -> BoxFuture<'a, Result<(), NotesError>> {
        Box::pin(async { Err(NotesError::Contended { host: host.clone() }) })
    }
}

pub struct Controller {
    pub name: ControllerId,
    pub runs: Runs,
    pub link: Arc<Link>,
    lease: Lease,
}

impl Controller {
    pub(crate) async fn start(fleet: &Arc<Fleet>, name: ControllerId) -> Arc<Self> {
        let link = Link::new(name.clone(), Arc::clone(&fleet.bus), Arc::clone(&fleet.nemesis));
        let weak = Arc::downgrade(fleet);
        let carrier = SimCarrier { link: Arc::clone(&link), fleet: weak.clone() };
        let agents = SignedAgents::new(carrier, fleet.key.clone(), clock::now);
        let doors = Doors { link: Arc::clone(&link), fleet: weak };
        let arrays = Arrays::reached_by(
            Arc::new(doors),
            Passwords::of_arrays(Path::new("/nonexistent"), BTreeMap::new()),
        );
        for array in fleet.arrays.values() {
            arrays.add(ArrayDefinition::parse(array.name.as_str(), &array.uri).expect("its URI is one"));
        }
        let lease = Lease::new();
        let world = World {
            agents: Arc::new(agents),
            arrays,
            catalog: SharedCatalog::default(),
            notes: Arc::new(NoNotes),
            lease: lease.clone(),
            clock: clock::now,
        };
        let journal = fleet.journal.client(Arc::clone(&link));
        let runs = Runs::new(name.clone(), Arc::new(journal), Events::nowhere(), world);
        runs.recover().await;
        Arc::new(Self { name, runs, link, lease })
    }

    /// Whoever asks a controller waits for it no longer than it lives.
    pub fn begin(self: &Arc<Self>, run: RunId, procedure: AnyProcedure) {
        let controller = Arc::clone(self);
        tokio::spawn(async move {
            controller.runs.start(run, &procedure).await.expect("a new run has no other owner");
        });
    }

    /// As by SIGKILL.
    pub fn kill(&self) {
        self.link.set_life(Life::Dead);
    }

    pub fn is_running(&self) -> bool {
        self.link.life() == Life::Running
    }

    /// Hears what was said over the bus, by itself too.
    pub(crate) fn hear(&self, other: &Self) {
        if other.name == self.name {
            self.lease.confirmed(tokio::time::Instant::now());
        }
        self.runs.heard(other.name.clone());
    }
}
