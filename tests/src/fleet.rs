//! The whole: bus, controller, simulated array, and the two hosts of the story.

use std::{
    fs,
    ops::{Deref, DerefMut},
    path::Path,
};

use anyhow::Context;
use sanfleet_protocol::v1;

use crate::{
    array::SimArray,
    control::{Control, PATIENCE, Programs},
    host::{AgentSetup, DatabaseLogin, Host},
    network::Network,
    wait,
};

/// What the fleet is made of.
#[derive(Debug)]
pub struct Setup<'a> {
    /// The folder for everything; short, because it holds sockets.
    pub folder: &'a Path,
    /// Where the array keeps its volumes: a folder, on a file system with reflinks if clones are to cost nothing.
    pub store: &'a Path,
    /// Databases that the agent of db1 may quiesce.
    pub databases: &'a [DatabaseLogin],
    /// Size of the array.
    pub pool_bytes: u64,
    pub bus: BusSetup,
}

/// What everybody talks over.
#[derive(Debug, Default)]
pub enum BusSetup {
    /// A server on loopback, where everybody is a user with the rights of a role, over TLS.
    #[default]
    Guarded,
    /// The same, where everybody may do everything.
    Open,
    /// Three servers on a network of its own.
    Cluster(Network),
}

#[derive(Debug)]
pub struct Fleet {
    control: Control,
    pub array: SimArray,
    pub db1: Host,
    pub backup1: Host,
}

impl Deref for Fleet {
    type Target = Control;
    fn deref(&self) -> &Control {
        &self.control
    }
}

impl DerefMut for Fleet {
    fn deref_mut(&mut self) -> &mut Control {
        &mut self.control
    }
}

impl Fleet {
    /// Starts it all, and waits until both hosts have reported.
    pub async fn start(programs: Programs, setup: Setup<'_>) -> anyhow::Result<Self> {
        let folder = setup.folder;
        fs::create_dir_all(setup.store)?;
        let array = SimArray::new(&programs.sim, folder, setup.store, setup.pool_bytes);
        let control = match setup.bus {
            BusSetup::Guarded => Control::start(programs, folder).await?,
            BusSetup::Open => Control::start_open(programs, folder).await?,
            BusSetup::Cluster(network) => Control::start_on(programs, folder, network).await?,
        };
        let (machine, pinned) = (control.machine_of_agents()?, control.pinned()?);
        let agent = |databases| AgentSetup {
            program: &control.programs.agent,
            nats: &control.nats,
            machine,
            pinned: &pinned,
            fabric: &array.fabric,
            databases,
        };
        let mut db1 = Host::new("db1", folder, &agent(setup.databases)).await?;
        let mut backup1 = Host::new("backup1", folder, &agent(&[])).await?;
        db1.start_agent()?;
        backup1.start_agent()?;
        let fleet = Self { control, array, db1, backup1 };
        fleet.until_online(&["db1", "backup1"]).await.with_context(|| fleet.logs())?;
        Ok(fleet)
    }

    /// Makes the array known to the controller as `lab`.
    pub fn add_array(&self) -> anyhow::Result<()> {
        self.cli(&["array", "add", "lab", "--uri", &self.array.uri]).map(drop)
    }

    /// The processes of this fleet that end with it, for those who want to show them.
    pub fn pids(&self) -> Vec<(String, u32)> {
        let agents = [&self.db1, &self.backup1].into_iter().flat_map(Host::agent);
        let named = self
            .controller()
            .into_iter()
            .chain(agents)
            .map(|process| (process.name().to_owned(), process.pid()));
        named.chain(self.nats.pid().map(|pid| ("nats-server".to_owned(), pid))).collect()
    }

    /// Waits until the controller knows which volume of the array is mounted at db1:`at`.
    pub async fn until_matched(&self, host: &str, at: &Path) -> anyhow::Result<()> {
        let at = at.to_string_lossy();
        wait::until_true(&format!("{host}:{at} is matched to a volume"), PATIENCE, || {
            let Ok(map) = self.cli_json::<v1::MapReply>(&["map", host]) else { return false };
            let mut devices = map.hosts.iter().flat_map(|host| &host.devices);
            devices.any(|device| {
                !device.array.is_empty() && device.mount_points.iter().any(|point| *point == at)
            })
        })
        .await
    }

    /// Adds to the configuration of db1's agent, and waits until the one that has read it has reported.
    pub async fn configure_db1(&mut self, more: &str) -> anyhow::Result<()> {
        self.db1.stop_agent();
        // Its goodbye comes after all that it reported: what is newer afterwards is not its own.
        wait::until_true("db1 has said goodbye", PATIENCE, || {
            self.reported("db1").is_ok_and(|host| !host.online)
        })
        .await?;
        let before = self.reported("db1")?.generation;
        self.db1.configure(more)?;
        self.db1.start_agent()?;
        wait::until_true("db1 has reported again", PATIENCE, || {
            self.reported("db1").is_ok_and(|host| host.online && host.generation > before)
        })
        .await
    }

    fn reported(&self, name: &str) -> anyhow::Result<v1::HostSummary> {
        let list: v1::HostListReply = self.cli_json(&["host", "list"])?;
        let host = list.hosts.into_iter().find(|host| host.host == name);
        host.with_context(|| format!("{name} is not listed"))
    }

    /// A new volume, attached to db1 by hand, with a new file system, mounted at `at`.
    pub async fn mount_new_volume(&self, name: &str, size_bytes: u64, at: &Path) -> anyhow::Result<String> {
        let id = self.array.provision(name, size_bytes, &self.db1.initiator()).await?.to_string();
        let device = self.db1.attach_by_hand(&id)?;
        self.db1.run(&["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", &device])?;
        let at = at.to_string_lossy();
        self.db1.run(&["mkdir", "-p", &at])?;
        self.db1.run(&["mount", &device, &at])?;
        Ok(id)
    }

    /// Everything the processes wrote, for a test that failed.
    pub fn logs(&self) -> String {
        let mut text = String::new();
        for folder in [&self.folder, &self.db1.folder, &self.backup1.folder] {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.extension().is_some_and(|extension| extension == "log") {
                    text.push_str(&format!("== {}\n{}\n", path.display(), crate::process::tail(&path)));
                }
            }
        }
        text
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            #[allow(clippy::print_stderr, reason = "this is what a person who reads a failed test needs")]
            {
                eprintln!("{}", self.logs());
            }
        }
        self.control.kill_controller();
        self.db1.kill_agent();
        self.backup1.kill_agent();
    }
}
