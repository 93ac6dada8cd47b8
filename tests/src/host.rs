//! A simulated machine: a mount namespace with a `/srv` of its own, and an agent in it, whose two processes run as on a real one: the
//! helper as root, the one that faces the bus as a user without rights. The namespace outlives them, as a machine would.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use sanfleet_protocol::rights::Role;

use crate::{
    nats::Nats,
    process::{Process, Recipe, run, write_private},
    wait,
};

/// The user as whom the process that faces the bus runs, by name and number: Linux has this one everywhere, and it owns nothing.
pub const NOBODY: (&str, u32) = ("nobody", 65_534);

#[derive(Debug)]
pub struct Host {
    pub name: String,
    pub folder: PathBuf,
    config: PathBuf,
    program: PathBuf,
    failpoints: PathBuf,
    machine: Option<u32>,
    /// Holds the namespace open.
    keeper: Process,
    agent: Option<Process>,
    helper: Option<Process>,
}

/// A database that the host's agent may quiesce.
#[derive(Debug, Clone)]
pub struct DatabaseLogin {
    pub mount_point: PathBuf,
    pub socket: PathBuf,
    pub user: String,
    pub password: String,
}

/// What a host's agent has to know.
#[derive(Debug)]
pub struct AgentSetup<'a> {
    pub program: &'a Path,
    /// The servers of the bus.
    pub nats: &'a Nats,
    /// Where it has its network, unless that is ours.
    pub machine: Option<u32>,
    /// Whose commands count: a line of its configuration.
    pub pinned: &'a str,
    pub fabric: &'a Path,
    pub databases: &'a [DatabaseLogin],
}

impl Host {
    /// Makes the machine; its agent is not started yet.
    pub async fn new(name: &str, below: &Path, setup: &AgentSetup<'_>) -> anyhow::Result<Self> {
        let folder = below.join(name);
        let failpoints = folder.join("failpoints");
        fs::create_dir_all(&failpoints)?;
        for folder in [below, &folder] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o711))?;
        }
        let keeper = keep_namespace(name, &folder, setup.program).await?;
        let config = folder.join("agent.toml");
        let text = configuration(name, &folder, setup)?;
        fs::write(&config, text)?;
        let (name, program, machine) = (name.to_owned(), setup.program.to_owned(), setup.machine);
        Ok(Self { name, folder, config, program, failpoints, machine, keeper, agent: None, helper: None })
    }

    pub fn initiator(&self) -> String {
        initiator(&self.name)
    }

    /// Where its agent writes systemd units.
    pub fn units(&self) -> PathBuf {
        units(&self.folder)
    }

    /// While this file is there, its agent changes nothing.
    pub fn maintenance_file(&self) -> PathBuf {
        maintenance(&self.folder)
    }

    /// Starts both of its processes.
    pub fn start_agent(&mut self) -> anyhow::Result<()> {
        self.kill_agent();
        self.start_helper()?;
        self.start_relay()
    }

    pub fn start_helper(&mut self) -> anyhow::Result<()> {
        let helper = self.half("helper", "helper", &self.program);
        self.helper = Some(helper.env("SANFLEET_FAILPOINTS", &self.failpoints).start()?);
        Ok(())
    }

    /// The process that faces the bus.
    pub fn start_relay(&mut self) -> anyhow::Result<()> {
        let agent = self.half("agent", "run", &program(&self.folder));
        self.agent = Some(agent.on(self.machine).as_user(NOBODY.1).start()?);
        Ok(())
    }

    /// One of the agent's two processes.
    fn half(&self, name: &'static str, verb: &str, program: &Path) -> Recipe {
        Recipe::new(name, &self.folder, program)
            .args([Path::new(verb), Path::new("--config"), &self.config])
            .env("RUST_LOG", "info,sanfleet_agent=debug")
            .inside(self.keeper.pid())
    }

    /// Adds to the configuration that the agent reads when it starts.
    pub(crate) fn configure(&self, more: &str) -> anyhow::Result<()> {
        let text = fs::read_to_string(&self.config)?;
        fs::write(&self.config, format!("{text}{more}"))?;
        Ok(())
    }

    /// Where a path of this machine is for us.
    pub fn path(&self, path: &Path) -> PathBuf {
        Path::new("/proc")
            .join(self.keeper.pid().to_string())
            .join("root")
            .join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Kills both of its processes.
    pub fn kill_agent(&mut self) {
        self.kill_relay();
        self.kill_helper();
    }

    pub fn kill_relay(&mut self) {
        self.agent = None;
    }

    pub fn kill_helper(&mut self) {
        self.helper = None;
    }

    /// Asks both to stop, as systemd does: who came last goes first. Waits until they have.
    pub fn stop_agent(&mut self) {
        for mut process in [self.agent.take(), self.helper.take()].into_iter().flatten() {
            process.stop(Duration::from_secs(20));
        }
    }

    /// Its processes, those that run.
    pub fn agent(&self) -> impl Iterator<Item = &Process> {
        self.agent.iter().chain(&self.helper)
    }

    pub fn failpoints(&self) -> &Path {
        &self.failpoints
    }

    pub fn keeper_pid(&self) -> u32 {
        self.keeper.pid()
    }

    /// Runs a command on this machine to its end, and gives what it printed.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let namespace = format!("--mount=/proc/{}/ns/mnt", self.keeper.pid());
        run("nsenter", &[&[namespace.as_str(), "--"], arguments].concat())
    }

    /// How to start a process on this machine.
    pub fn recipe(&self, name: &str, program: &str) -> Recipe {
        Recipe::new(name, &self.folder, program).inside(self.keeper.pid())
    }

    /// What this machine has mounted below a folder.
    pub fn mounts_below(&self, folder: &Path) -> Vec<PathBuf> {
        crate::disk::mounts_below(&self.keeper.pid().to_string(), folder)
    }

    /// The processes of this machine whose command line has this word.
    pub fn processes(&self, word: &str) -> Vec<u32> {
        let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
        let here = namespace(&self.keeper.pid().to_string());
        let has_word = |pid: &str| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes())
        };
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let ours = pids.filter(|pid| here.is_some() && namespace(pid) == here && has_word(pid));
        ours.filter_map(|pid| pid.parse().ok()).collect()
    }

    /// An administrator of this machine attaches a volume by hand. Returns the device's path.
    pub fn attach_by_hand(&self, volume_id: &str) -> anyhow::Result<String> {
        let (program, config) = (self.program.to_string_lossy(), self.config.to_string_lossy());
        let device = self.run(&[&program, "rescan", "--config", &config, volume_id])?;
        Ok(format!("/dev/{}", device.trim().trim_start_matches("/dev/")))
    }
}

pub fn initiator(host: &str) -> String {
    format!("iqn.2026-11.example.sanfleet:{host}")
}

/// Where the program is on this machine: a user without rights may not get to where it was built.
fn program(folder: &Path) -> PathBuf {
    folder.join("sanfleet-agent")
}

async fn keep_namespace(name: &str, folder: &Path, built: &Path) -> anyhow::Result<Process> {
    let ready = folder.join("namespace");
    let _ = fs::remove_file(&ready);
    let script = "mount -t tmpfs -o mode=755 srv /srv && : >\"$2\" && mount --bind \"$1\" \"$2\" \
                  && : >\"$0\" && exec sleep infinity";
    let keeper = Recipe::new("namespace", folder, "unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", script])
        .args([&ready, built, &program(folder)])
        .start()?;
    let what = format!("namespace of {name}");
    wait::until_true(&what, Duration::from_secs(10), || ready.exists()).await?;
    Ok(keeper)
}

fn units(folder: &Path) -> PathBuf {
    folder.join("units")
}

fn maintenance(folder: &Path) -> PathBuf {
    folder.join("maintenance")
}

fn configuration(name: &str, folder: &Path, setup: &AgentSetup<'_>) -> anyhow::Result<String> {
    let (state, units, maintenance) = (folder.join("state"), units(folder), maintenance(folder));
    fs::create_dir_all(&units)?;
    let membership = setup.nats.membership_of(NOBODY.1, folder, name, Role::Host)?;
    let socket = folder.join("run/helper.sock");
    let mut text = format!(
        "host = {name:?}\nstate_dir = {state:?}\nunit_dir = {units:?}\n{}\ninitiators = [{:?}]\n\
         [helper]\nsocket = {socket:?}\nuser = {:?}\n\
         [policy]\nformat = true\nmaintenance_file = {maintenance:?}\n\
         [nats]\nurl = {:?}\n{membership}[fabric.loop]\ndir = {:?}\n",
        setup.pinned,
        initiator(name),
        NOBODY.0,
        setup.nats.urls(),
        setup.fabric,
    );
    for (number, database) in setup.databases.iter().enumerate() {
        let password = folder.join(format!("database-{number}.password"));
        write_private(&password, &database.password)?;
        text.push_str(&format!(
            "[[database]]\nmount_point = {:?}\nsocket = {:?}\nuser = {:?}\npassword_file = {password:?}\n",
            database.mount_point, database.socket, database.user,
        ));
    }
    Ok(text)
}
