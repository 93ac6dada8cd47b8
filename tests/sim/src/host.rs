//! One simulated host with the agent's own inbox, ledger and actions; and the fabric as its kernel would find it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use prost::Message;
use sanfleet_agent::{
    actions::{Quiesced, Workshop},
    claims::Claims,
    config::{Argv, Hook, Policy},
    deadline::Deadline,
    discover::{self, Snapshot},
    fabric::Wanted,
    host::{
        Host as _, SysDevice,
        sim::{SimDevice, SimGuards, SimHost},
    },
    inbox::Inbox,
    ledger::Ledger,
    policy::Gate,
    quiesce::Quiesces,
    report,
    trust::{Pinned, Trust},
};
use sanfleet_protocol::{Generation, HostId, Initiator, Labels, VolumeId, sign::PublicKey, v1};
use tokio::task::AbortHandle;

use crate::{array::Content, clock, fleet::LOOP};

const AT_ONCE: usize = 4;
/// The hook that every host has, for what is mounted at [`HOOKED`].
pub const HOOK: &str = "app";
pub const HOOKED: &str = "/data";
const MAX_DEAD_MAN: Duration = Duration::from_secs(10);

pub struct Host {
    pub id: HostId,
    pub initiator: Initiator,
    pub sim: SimHost,
    key: PublicKey,
    guards: SimGuards,
    state_dir: PathBuf,
    /// Where the arrays publish volumes.
    fabrics: Vec<PathBuf>,
    agent: Mutex<Option<Agent>>,
    offered: Mutex<BTreeSet<VolumeId>>,
    /// The agent was asked for a report, or has just started.
    report_due: Arc<AtomicBool>,
    reported: Mutex<Option<Arc<v1::HostReport>>>,
}

/// The agent's process.
struct Agent {
    inbox: Arc<Inbox>,
    /// What it carries out now.
    tasks: Vec<AbortHandle>,
}

impl Host {
    pub fn new(id: HostId, key: PublicKey, folder: &Path, fabrics: Vec<PathBuf>) -> Self {
        let initiator: Initiator = format!("iqn.2026-01.org.example:{id}").parse().unwrap();
        let sim = SimHost::builder().hostname(id.as_str()).initiator(initiator.clone()).fabric(LOOP).build();
        let state_dir = folder.join(id.as_str());
        std::fs::create_dir_all(&state_dir).unwrap();
        let guards = sim.guards();
        let agent = Mutex::default();
        let (offered, report_due, reported) = (Mutex::default(), Arc::default(), Mutex::default());
        Self { id, initiator, sim, key, guards, state_dir, fabrics, agent, offered, report_due, reported }
    }

    /// The agent starts, on whatever its ledger holds.
    pub fn start_agent(&self) {
        let mut agent = self.agent.lock().unwrap_or_else(PoisonError::into_inner);
        if agent.is_some() {
            return;
        }
        let ledger = Arc::new(Ledger::open(&self.state_dir, clock::now()).expect("its ledger can be opened"));
        let quiesces = Quiesces::with(Arc::new(self.guards.clone()), Arc::clone(&ledger));
        quiesces.thaw_what_was_held().expect("its ledger can be written");
        self.report_due.store(true, Ordering::Relaxed);
        let report_due = Arc::clone(&self.report_due);
        let workshop = Workshop {
            host: Arc::new(self.sim.clone()),
            ledger,
            quiesces,
            state_dir: self.state_dir.clone(),
            gate: Gate::new(Policy::of_simulated_host()),
            quiesced: Quiesced { hooks: hooks(), ..Quiesced::default() },
            max_dead_man: MAX_DEAD_MAN,
            claims: Claims::default(),
            report_now: Box::new(move || report_due.store(true, Ordering::Relaxed)),
        };
        let trust = Trust::new(Pinned::Controller(self.key.clone()));
        let inbox = Inbox::new(self.id.clone(), trust, Arc::new(workshop), AT_ONCE);
        *agent = Some(Agent { inbox: Arc::new(inbox.simulated(clock::now)), tasks: Vec::new() });
    }

    /// The agent is killed; its guards find its pipe closed.
    pub fn kill_agent(&self) {
        self.end_agent();
        self.guards.orphan();
    }

    /// The agent and its guards are killed: what they held is held until an agent starts again.
    pub fn kill_agent_and_guards(&self) {
        self.end_agent();
        self.guards.kill_all();
    }

    fn end_agent(&self) {
        let agent = self.agent.lock().unwrap_or_else(PoisonError::into_inner).take();
        for task in agent.iter().flat_map(|agent| &agent.tasks) {
            task.abort();
        }
    }

    pub fn has_agent(&self) -> bool {
        self.agent.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Hands one message to the agent; none when there is no agent, or none any more.
    pub async fn handle(&self, message: Vec<u8>) -> Option<Vec<u8>> {
        self.plug();
        let handled = {
            let mut agent = self.agent.lock().unwrap_or_else(PoisonError::into_inner);
            let agent = agent.as_mut()?;
            let inbox = Arc::clone(&agent.inbox);
            let handled = tokio::spawn(async move { inbox.handle(&message).await.encode_to_vec() });
            agent.tasks.retain(|task| !task.is_finished());
            agent.tasks.push(handled.abort_handle());
            handled
        };
        handled.await.ok()
    }

    /// The newest report of its agent, made anew when something has changed or somebody has asked; none before its first start.
    pub fn report(&self) -> Option<Arc<v1::HostReport>> {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if self.has_agent() {
            let changed = self.sim.wait_for_change(Duration::ZERO).expect("a simulated host tells").is_some();
            if self.report_due.swap(false, Ordering::Relaxed) || changed {
                let generation = reported.as_ref().map_or(1, |known| known.generation + 1);
                *reported = Some(Arc::new(self.look_round(Generation(generation))));
            }
        }
        reported.clone()
    }

    fn look_round(&self, generation: Generation) -> v1::HostReport {
        let content = |device: &SysDevice| {
            let found = self.sim.open(device).and_then(|open| open.file_system());
            match found.expect("a simulated device answers") {
                Some(found) => discover::Content::FileSystem(found, None),
                None => discover::Content::Nothing,
            }
        };
        let devices = self.sim.devices().expect("a simulated host lists its devices").into_iter();
        let snapshot = Snapshot {
            boot_id: self.sim.boot_id(),
            facts: self.sim.facts(),
            initiators: self.sim.initiators(),
            fabrics: self.sim.fabrics(),
            devices: devices.map(|sys| discover::Device { content: content(&sys), sys }).collect(),
            mounts: self.sim.mounts().expect("a simulated host lists its mounts"),
        };
        report::host_report(&self.id, &Labels::default(), generation, clock::now(), &snapshot).message
    }

    /// Makes the kernel's view that of the fabric at this moment: what is published can be found by a rescan, a device whose volume
    /// is published no more does not know its id any more, and one whose volume has grown shows it when its size is read again.
    pub fn plug(&self) {
        let published = published(&self.fabrics, &self.initiator);
        let ids: BTreeSet<VolumeId> = published.iter().map(|one| one.id.clone()).collect();
        for device in self.sim.devices().expect("a simulated host lists its devices") {
            let is = device.cached_ids.iter().filter(|id| ids.contains(id)).cloned().collect();
            self.sim.set_true_ids(&device.name, is);
            let unit = published.iter().find(|one| device.cached_ids.contains(&one.id));
            if let Some(unit) = unit {
                self.sim.resize(&device.name, unit.bytes);
                self.write_back(&device, &unit.file);
            }
        }
        let mut offered = self.offered.lock().unwrap_or_else(PoisonError::into_inner);
        offered.iter().for_each(|id| self.sim.withdraw(id));
        published.iter().for_each(|one| self.sim.offer(LOOP, one.device()));
        *offered = ids;
    }

    /// What was formatted or grown is on the volume, and not on the device.
    fn write_back(&self, device: &SysDevice, file: &Path) {
        let open = self.sim.open(device).expect("a simulated device opens");
        let Ok(Some(found)) = open.file_system() else { return };
        let (known, bytes) =
            (Content::read(file), self.sim.file_system_bytes(&device.name).unwrap_or_default());
        if (&known.kind, &known.uuid) != (&found.kind, &found.uuid) {
            Content { kind: found.kind, uuid: found.uuid, word: Content::STILL.into(), bytes }.write(file);
        } else if known.bytes != bytes {
            Content { bytes, ..known }.write(file);
        }
    }

    /// The device that was this volume when it appeared.
    pub fn device(&self, volume: &VolumeId) -> Option<SysDevice> {
        let devices = self.sim.devices().expect("a simulated host lists its devices");
        devices.into_iter().find(|device| device.cached_ids.contains(volume))
    }

    /// Somebody has this host find a volume that is shown to it.
    pub fn find_by_hand(&self, volume: &VolumeId) {
        self.plug();
        self.sim
            .rescan(LOOP, Wanted::anywhere(volume), Deadline::after(MAX_DEAD_MAN))
            .expect("the host is on the fabric");
    }

    /// Somebody attaches and mounts a volume that is shown to this host, read-write.
    pub fn mount_by_hand(&self, volume: &VolumeId, at: &str) {
        self.find_by_hand(volume);
        self.sim.mount_by_hand(&device_name(volume), at);
    }

    /// How large each volume is that arrays show to this host.
    pub fn shown_bytes(&self) -> BTreeMap<VolumeId, u64> {
        published(&self.fabrics, &self.initiator).into_iter().map(|one| (one.id, one.bytes)).collect()
    }

    /// The ids of the volumes that arrays show to this host.
    pub fn shown(&self) -> BTreeSet<VolumeId> {
        published(&self.fabrics, &self.initiator).into_iter().map(|one| one.id).collect()
    }
}

/// As a configuration would list them. Nobody runs their programs here.
fn hooks() -> Vec<Hook> {
    let program = || Argv::new(vec!["/bin/true".to_owned()]).expect("a program");
    vec![Hook {
        name: HOOK.parse().expect("a hook's name"),
        mount_point: HOOKED.parse().expect("a mount point"),
        before: program(),
        after: program(),
        timeout_s: 1,
        user: None,
    }]
}

/// Says which volume it was when it appeared.
fn device_name(volume: &VolumeId) -> String {
    format!("loop-{volume}")
}

/// A volume that an initiator sees.
#[derive(Debug)]
pub struct Published {
    pub id: VolumeId,
    file: PathBuf,
    bytes: u64,
}

impl Published {
    /// As the host's kernel finds it.
    pub fn device(&self) -> SimDevice {
        let Content { kind, uuid, word, bytes } = Content::read(&self.file);
        let device = SimDevice::loopback(&device_name(&self.id), vec![self.id.clone()]).size(self.bytes);
        match kind.is_empty() {
            true => device,
            false => device.formatted(&kind, &uuid, &word).file_system_of(bytes),
        }
    }
}

/// All that arrays publish to an initiator, read as an agent on the real `loop` fabric does.
pub fn published(fabrics: &[PathBuf], initiator: &Initiator) -> Vec<Published> {
    let mut found = Vec::new();
    for fabric in fabrics {
        let Ok(units) = fabric.join(initiator.to_string()).read_dir() else { continue };
        for unit in units.flatten().filter(|unit| unit.file_name().to_string_lossy().starts_with("lun-")) {
            let page = std::fs::read(unit.path().join("vpd_pg83")).expect("a published volume has its page");
            let ids = sanfleet_protocol::volume_id::designators(&page).expect("the page can be read");
            let file = unit.path().join("disk");
            let bytes = file.metadata().expect("a published volume has its file").len();
            found.extend(ids.into_iter().map(|id| Published { id, file: file.clone(), bytes }));
        }
    }
    found.sort_by(|one, other| one.id.cmp(&other.id));
    found
}
