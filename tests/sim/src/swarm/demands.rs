//! What is asked of a seed's fleet, by chance: of all that there is to ask for, what an operator could ask for at that moment.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use sanfleet_controller::{
    plan::backup_detach::with_its_own,
    runs::{AnyProcedure, BackupAttach, Procedure},
};
use sanfleet_driver::Volume;
use sanfleet_protocol::{
    HostId, RunId,
    v1::{Attachment, RunState},
};

use super::FLEET;
use crate::{
    Array, Controller, Fleet, Source, clock,
    host::{HOOKED, Host},
    orders,
    rng::Rng,
};

/// Applications on each array.
const SOURCES: u32 = 2;
/// A volume grows by so much.
const MORE_BYTES: u64 = 1 << 20;
/// Where somebody has mounted something.
const OLD: &str = "/old";
/// An operator who has waited for a run sees a little later what it has done.
const SEEN_MS: i64 = 1_000;

pub struct Demands {
    fleet: Arc<Fleet>,
    rng: Rng,
    /// Two volumes of each application, on two arrays.
    sources: Vec<[Arc<Source>; 2]>,
    /// Each is asked about once.
    by_hand: Vec<ByHand>,
    /// Hosts with something on them that was made by hand.
    kept: BTreeSet<HostId>,
    retired: BTreeSet<HostId>,
    /// Attachments about which somebody has asked for something.
    taken: BTreeSet<String>,
    /// What was asked for on each host.
    asked: BTreeMap<HostId, Vec<RunId>>,
}

/// A volume that somebody has made by hand, and done something with.
struct ByHand {
    kind: Kind,
    array: Arc<Array>,
    volume: Volume,
    host: Arc<Host>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nobody sees it, and it was meant to be there.
    Spare,
    /// Nobody sees it, and nobody knows what it is for.
    Copy,
    Mounted,
    /// The host sees it as if a run had seen to that.
    Shown,
    /// The host has a device of it.
    Found,
}

impl Demands {
    /// Makes what is there before anything is asked for.
    pub fn prepare(fleet: &Arc<Fleet>, rng: Rng) -> Self {
        let mut sources = Vec::new();
        let next = fleet.arrays.values().cycle().skip(1);
        for (n, (array, other)) in (0..).zip(fleet.arrays.values().zip(next)) {
            let hosts = (1..=SOURCES).map(|one| n * SOURCES + one);
            for host in hosts.map(|host| fleet.host(host)) {
                sources.push([array.add_source(host, HOOKED), other.add_source(host, "/log")]);
            }
        }
        let mut demands = Self {
            fleet: Arc::clone(fleet),
            rng,
            sources,
            by_hand: Vec::new(),
            kept: BTreeSet::new(),
            retired: BTreeSet::new(),
            taken: BTreeSet::new(),
            asked: BTreeMap::new(),
        };
        for kind in [Kind::Spare, Kind::Spare, Kind::Copy, Kind::Mounted, Kind::Shown, Kind::Found] {
            demands.make_by_hand(kind);
        }
        demands
    }

    fn make_by_hand(&mut self, kind: Kind) {
        let arrays: Vec<Arc<Array>> = self.fleet.arrays.values().cloned().collect();
        let array = Arc::clone(self.rng.of(&arrays).expect("there are arrays"));
        let (host, n) = (self.an_untouched_host(), self.by_hand.len());
        let volume = array.make(&format!("by-hand-{n}"));
        let id = volume.volume_id().expect("the simulated array's volumes have ids");
        let (ours, theirs) = (format!("sanfleet-{}", host.id), format!("by hand {}", host.id));
        match kind {
            Kind::Spare | Kind::Copy => {}
            Kind::Shown => array.show(&host, &volume, &ours),
            Kind::Mounted | Kind::Found => array.show(&host, &volume, &theirs),
        }
        match kind {
            Kind::Spare | Kind::Copy => {}
            Kind::Mounted => host.mount_by_hand(&id, OLD),
            Kind::Shown | Kind::Found => host.find_by_hand(&id),
        }
        self.kept.insert(host.id.clone());
        self.by_hand.push(ByHand { kind, array, volume, host });
    }

    /// What is shown by hand to one host goes through one group: each thing has a host of its own.
    fn an_untouched_host(&mut self) -> Arc<Host> {
        loop {
            let host = self.a_host();
            if !self.kept.contains(&host.id) {
                return host;
            }
        }
    }

    /// A host on which something new may be put.
    fn a_host(&mut self) -> Arc<Host> {
        let first_free = u64::from(SOURCES * FLEET.arrays) + 1;
        loop {
            let host = self.rng.within(first_free..u64::from(FLEET.hosts) + 1);
            let host = self.fleet.host(u32::try_from(host).unwrap());
            if !self.retired.contains(&host.id) {
                return Arc::clone(host);
            }
        }
    }

    /// What the `n`th run is to do; none when what was thought of cannot be asked for now.
    pub fn next(&mut self, controller: &Controller, n: u64) -> Option<AnyProcedure> {
        let [source, other] = self.rng.of(&self.sources)?.clone();
        let (host, at, name) = (self.a_host(), format!("/mnt/{n}"), format!("run{n}"));
        let procedure = match self.rng.within(0..20) {
            0..4 => orders::attach(&source, &host, &at, &name),
            4 => orders::attach_both(&source, &other, &host, &at, &name),
            5 | 6 => orders::provision(&source, &host, &at, &name),
            7 => orders::clone(&source, &host, &at, &name),
            8 | 9 => self.roll_out(&source, &at, &name),
            10 | 11 => self.detach(controller)?,
            12 => orders::take_down(self.an_attachment(controller, |_| true)?),
            13 | 14 => {
                let what = self.an_attachment(controller, |one| one.host != host.id.as_str())?;
                let from = Arc::clone(&self.fleet.hosts[&what.host.parse().unwrap()]);
                orders::move_to(what, &from, &host, &at)
            }
            15 => {
                let more = self.rng.within(1..4) * MORE_BYTES;
                let bytes = self.fleet.array(&source.array).bytes(source.volume.id.as_str());
                orders::resize(&self.fleet, &source, bytes + more)
            }
            16 => self.about(Kind::Spare, |made| orders::delete(&made.array, &made.volume))?,
            17 => {
                self.about(Kind::Mounted, |made| orders::adopt(&made.array, &made.volume, &made.host, OLD))?
            }
            18 => self.retire(controller)?,
            _ => self.repair()?,
        };
        for place in procedure.places() {
            self.asked.entry(place.host).or_default().push(Fleet::run_id(n));
        }
        Some(procedure)
    }

    fn roll_out(&mut self, source: &Source, at: &str, name: &str) -> AnyProcedure {
        let hosts: Vec<Arc<Host>> = (0..self.rng.within(2..5)).map(|_| self.a_host()).collect();
        let mut hosts: Vec<&Host> = hosts.iter().map(Arc::as_ref).collect();
        hosts.sort_by(|one, other| one.id.cmp(&other.id));
        hosts.dedup_by(|one, other| one.id == other.id);
        orders::roll_out(source, &hosts, at, name)
    }

    /// One about which nobody has asked for anything yet.
    fn an_attachment(
        &mut self,
        controller: &Controller,
        is_wanted: impl Fn(&Attachment) -> bool,
    ) -> Option<Attachment> {
        let attachments = controller.runs.attachments().into_iter();
        let free: Vec<Attachment> =
            attachments.filter(|one| is_wanted(one) && !self.taken.contains(&one.id)).collect();
        let chosen = self.rng.of(&free)?.clone();
        self.taken.insert(chosen.id.clone());
        Some(chosen)
    }

    /// Of a backup, with all that go with it; none about which somebody has asked for something else.
    fn detach(&mut self, controller: &Controller) -> Option<AnyProcedure> {
        let attachments = controller.runs.attachments();
        let is_free = |one: &&Attachment| {
            let with_it = with_its_own(&attachments, one);
            one.procedure == BackupAttach::NAME && with_it.iter().all(|one| !self.taken.contains(&one.id))
        };
        let free: Vec<&Attachment> = attachments.iter().filter(is_free).collect();
        let backup = *self.rng.of(&free)?;
        self.taken.extend(with_its_own(&attachments, backup).into_iter().map(|one| one.id));
        Some(orders::detach(&attachments, backup))
    }

    /// Takes one of what was made by hand.
    fn about(&mut self, kind: Kind, order: impl FnOnce(&ByHand) -> AnyProcedure) -> Option<AnyProcedure> {
        let place = self.by_hand.iter().position(|made| made.kind == kind)?;
        Some(order(&self.by_hand.remove(place)))
    }

    fn repair(&mut self) -> Option<AnyProcedure> {
        match self.rng.of(&[Kind::Copy, Kind::Shown, Kind::Found])? {
            Kind::Copy => self.about(Kind::Copy, |made| orders::delete_copy(&made.array, &made.volume)),
            Kind::Shown => {
                self.about(Kind::Shown, |made| orders::hide(&made.array, &made.volume, &made.host))
            }
            _ => self.about(Kind::Found, |made| orders::remove_device(&made.volume, &made.host)),
        }
    }

    /// A host that has attachments, all of which are known, and on which nothing is under way.
    fn retire(&mut self, controller: &Controller) -> Option<AnyProcedure> {
        if !self.fleet.bus.reaches(&controller.name) {
            return None;
        }
        let attachments = controller.runs.attachments();
        let is_still = |host: &HostId| {
            let mine = attachments.iter().filter(|one| one.host == host.as_str());
            !self.kept.contains(host)
                && !self.retired.contains(host)
                && mine.clone().next().is_some()
                && mine.clone().all(|one| !self.taken.contains(&one.id))
                && self.asked[host].iter().all(|run| self.is_long_over(*run))
        };
        let still: Vec<HostId> = self.asked.keys().filter(|host| is_still(host)).cloned().collect();
        let host = Arc::clone(&self.fleet.hosts[self.rng.of(&still)?]);
        self.retired.insert(host.id.clone());
        let mine = attachments.iter().filter(|one| one.host == host.id.as_str());
        self.taken.extend(mine.map(|one| one.id.clone()));
        Some(orders::retire(&host, attachments))
    }

    fn is_long_over(&self, run: RunId) -> bool {
        let ended = matches!(
            self.fleet.journal.outcome(run),
            Some(RunState::Succeeded | RunState::Undone | RunState::Partial)
        );
        let last = self.fleet.journal.of(run).pop();
        ended && last.is_some_and(|last| last.record.at_unix_ms + SEEN_MS < clock::now())
    }
}
