//! One life of one controller: its real runs, over simulated seams.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use sanfleet_controller::{
    agents::SignedAgents,
    arrays::{ArrayDefinition, Arrays},
    catalog::{Catalog, Inventory},
    events::Events,
    lease::Lease,
    runs::{AnyProcedure, Runs, World},
    secrets::Passwords,
    state::SharedCatalog,
};
use sanfleet_protocol::{ControllerId, Generation, HostId, RunId, v1::HostReport};

use crate::{
    Fleet,
    agents::SimCarrier,
    array::Doors,
    clock,
    link::{Life, Link},
    notes::SimNotes,
};

pub struct Controller {
    pub name: ControllerId,
    pub runs: Runs,
    pub link: Arc<Link>,
    lease: Lease,
    catalog: SharedCatalog,
}

impl Controller {
    pub(crate) async fn start(fleet: &Arc<Fleet>, name: ControllerId) -> Arc<Self> {
        let link = Link::new(name.clone(), Arc::clone(&fleet.bus), Arc::clone(&fleet.nemesis));
        let weak = Arc::downgrade(fleet);
        let carrier = SimCarrier { link: Arc::clone(&link), fleet: weak.clone() };
        let agents = SignedAgents::new(carrier, fleet.key.clone(), clock::now);
        let notes = SimNotes { link: Arc::clone(&link), fleet: weak.clone() };
        let doors = Doors { link: Arc::clone(&link), fleet: weak };
        let arrays = Arrays::reached_by(
            Arc::new(doors),
            Passwords::of_arrays(Path::new("/nonexistent"), BTreeMap::new()),
        );
        let catalog = SharedCatalog::default();
        for array in fleet.arrays.values() {
            arrays.add(ArrayDefinition::parse(array.name.as_str(), &array.uri).expect("its URI is one"));
            catalog.write().add_array(array.record(clock::now()));
        }
        let lease = Lease::new();
        let world = World {
            agents: Arc::new(agents),
            arrays,
            catalog: catalog.clone(),
            notes: Arc::new(notes),
            lease: lease.clone(),
            clock: clock::now,
        };
        let journal = fleet.journal.client(Arc::clone(&link));
        let runs = Runs::new(name.clone(), Arc::new(journal), Events::nowhere(), world);
        let controller = Self { name, runs, link, lease, catalog };
        controller.look(fleet);
        controller.runs.recover().await;
        Arc::new(controller)
    }

    /// Takes in what has changed on hosts and arrays since it looked last.
    pub(crate) fn look(&self, fleet: &Fleet) {
        for array in fleet.arrays.values() {
            let listing = array.listing(clock::now());
            let known = |catalog: &Catalog| Some(Arc::clone(catalog.array(&array.name)?.state.as_ref()?));
            if known(&self.catalog.read()).is_none_or(|known| !Arc::ptr_eq(&known, &listing)) {
                self.catalog.write().take_listing(&array.name, Ok(listing), clock::now());
            }
        }
        if self.link.bus.reaches(&self.name) {
            fleet.hosts.values().for_each(|host| self.hear_of(&host.id, host.report()));
        }
    }

    fn hear_of(&self, host: &HostId, report: Option<Arc<HostReport>>) {
        let known = self.catalog.read().generation(host);
        let Some(report) = report.filter(|report| known < Some(Generation(report.generation))) else {
            return;
        };
        let inventory =
            Inventory::from_report(host, report.as_ref().clone()).expect("an agent's report is one");
        self.catalog.write().take_report(host, inventory, clock::now());
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
