//! The whole: hosts, arrays, controllers, and the bus between them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future::join;
use sanfleet_protocol::{ArrayId, ControllerId, HostId, RunId, sign::CommandKey};
use tempfile::TempDir;
use tokio::time::{interval, sleep};
use uuid::Uuid;

use crate::{
    array::Array,
    clock,
    controller::Controller,
    host::Host,
    journal::ModelJournal,
    link::{Bus, Nemesis},
    rng::Rng,
};

/// The one fabric there is.
pub const LOOP: &str = "loop";
/// How often controllers say that they are there, as the real ones do. They hear of hosts and arrays as often.
const PRESENCE: Duration = Duration::from_secs(1);

/// How large a fleet is to be.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub hosts: u32,
    pub arrays: u32,
}

pub struct Fleet {
    pub bus: Arc<Bus>,
    pub journal: ModelJournal,
    pub hosts: BTreeMap<HostId, Arc<Host>>,
    pub arrays: BTreeMap<ArrayId, Arc<Array>>,
    pub(crate) key: CommandKey,
    pub(crate) nemesis: Arc<OnceLock<Arc<dyn Nemesis>>>,
    controllers: Mutex<Vec<Arc<Controller>>>,
    cordoned: Mutex<BTreeSet<HostId>>,
    /// All messages to agents.
    sent: Mutex<Vec<(HostId, Vec<u8>)>>,
    delivers_twice: AtomicBool,
    _folder: TempDir,
}

impl Fleet {
    /// Runs a story about a fleet in a time and on a thread of its own. The same story is the same to the last detail.
    pub fn simulate<T>(plan: Plan, story: impl AsyncFnOnce(Arc<Self>) -> T) -> T {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
        runtime.block_on(async {
            clock::begin();
            story(Self::new(plan)).await
        })
    }

    fn new(plan: Plan) -> Arc<Self> {
        let folder = in_memory();
        let key = CommandKey::from_bytes(&[7; 32]);
        let arrays: BTreeMap<ArrayId, Arc<Array>> = (1..=plan.arrays)
            .map(|n| Array::new(&format!("array{n}"), folder.path(), n.into()))
            .map(|array| (array.name.clone(), Arc::new(array)))
            .collect();
        let fabrics: Vec<_> = arrays.values().map(|array| array.fabric.clone()).collect();
        let hosts = (1..=plan.hosts)
            .map(|n| format!("host{n}").parse::<HostId>().expect("a host's name"))
            .map(|id| (id.clone(), Arc::new(Host::new(id, key.public(), folder.path(), fabrics.clone()))))
            .collect();
        let fleet = Arc::new(Self {
            bus: Bus::new(),
            journal: ModelJournal::default(),
            hosts,
            arrays,
            key,
            nemesis: Arc::default(),
            controllers: Mutex::default(),
            cordoned: Mutex::default(),
            sent: Mutex::default(),
            delivers_twice: AtomicBool::new(false),
            _folder: folder,
        });
        fleet.start_agents();
        tokio::spawn(keep_present(Arc::downgrade(&fleet)));
        fleet
    }

    pub fn host(&self, n: u32) -> &Arc<Host> {
        let id: HostId = format!("host{n}").parse().expect("a host's name");
        self.hosts.get(&id).expect("there is such a host")
    }

    pub fn array(&self, name: &ArrayId) -> &Arc<Array> {
        self.arrays.get(name).expect("there is such an array")
    }

    pub fn an_array(&self) -> &Arc<Array> {
        self.arrays.values().next().expect("there is an array")
    }

    /// The id of a run, of its number: like a real one it begins with a time, and ends in what no other run's id ends in. The ids of
    /// its parts are made of that end.
    pub fn run_id(n: u64) -> RunId {
        let end = Rng::new(n).draw() >> 16;
        let time = u128::from(n) << 80;
        RunId::new(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | time | u128::from(end)))
    }

    /// From now on nothing happens without it. There is one.
    pub fn set_nemesis(&self, nemesis: Arc<dyn Nemesis>) {
        assert!(self.nemesis.set(nemesis).is_ok(), "a fleet has one nemesis");
    }

    /// Starts a controller, in the place of a dead one when there was one of that name.
    pub async fn start_controller(self: &Arc<Self>, name: &str) -> Arc<Controller> {
        let name: ControllerId = name.parse().expect("a controller's name");
        let controller = Controller::start(self, name).await;
        self.controllers.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&controller));
        controller
    }

    /// All lives of all controllers, in the order of their starts.
    pub fn all_controllers(&self) -> Vec<Arc<Controller>> {
        self.controllers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those that run.
    pub fn controllers(&self) -> Vec<Arc<Controller>> {
        self.all_controllers().into_iter().filter(|controller| controller.is_running()).collect()
    }

    pub fn start_agents(&self) {
        self.hosts.values().for_each(|host| host.start_agent());
    }

    pub fn kill_agents(&self) {
        self.hosts.values().for_each(|host| host.kill_agent());
    }

    /// All sessions of all controllers with all drivers die.
    pub fn lose_sessions(&self) {
        self.arrays.values().for_each(|array| array.lose_sessions());
    }

    pub(crate) fn cordon(&self, host: &HostId) {
        self.cordoned.lock().unwrap_or_else(PoisonError::into_inner).insert(host.clone());
    }

    /// The hosts on which nothing new is put.
    pub fn cordoned(&self) -> BTreeSet<HostId> {
        self.cordoned.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on the bus delivers every message to an agent twice, at one time.
    pub fn deliver_twice(&self) {
        self.delivers_twice.store(true, Ordering::Relaxed);
    }

    /// Brings a message to an agent; none when the agent is gone before it has answered.
    pub(crate) async fn deliver(&self, host: &Host, message: Vec<u8>) -> Option<Vec<u8>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push((host.id.clone(), message.clone()));
        match self.delivers_twice.load(Ordering::Relaxed) {
            true => join(host.handle(message.clone()), host.handle(message)).await.0,
            false => host.handle(message).await,
        }
    }

    /// Brings all messages that there ever were to their agents once more, the newest first.
    pub async fn deliver_all_again(&self) {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (host, message) in sent.into_iter().rev() {
            self.hosts[&host].handle(message).await;
        }
    }

    fn say_who_is_there(&self) {
        let there: Vec<_> =
            self.controllers().into_iter().filter(|one| self.bus.reaches(&one.name)).collect();
        // Those that stand still will hear of it when they go on.
        self.controllers().iter().for_each(|one| one.look(self));
        for one in &there {
            there.iter().for_each(|other| one.hear(other));
        }
    }
}

async fn keep_present(fleet: Weak<Fleet>) {
    let mut ticks = interval(PRESENCE);
    loop {
        ticks.tick().await;
        let Some(fleet) = fleet.upgrade() else { return };
        fleet.say_who_is_there();
    }
}

/// A folder in memory, where there is one: nothing here has to survive.
fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

/// Waits for something that is not told.
pub async fn until(what: &str, within: Duration, holds: impl Fn() -> bool) -> Result<(), String> {
    let ends = tokio::time::Instant::now() + within;
    while !holds() {
        if tokio::time::Instant::now() > ends {
            return Err(format!("waited {} s in vain: {what}", within.as_secs()));
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
