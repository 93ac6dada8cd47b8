//! The whole: bus, controller, simulated array, and the two hosts of the story.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use anyhow::Context;
use sanfleet_protocol::v1;
use serde::de::DeserializeOwned;

use crate::{
    array::SimArray,
    host::{AgentSetup, DatabaseLogin, Host},
    nats::Nats,
    process::{Process, Recipe, run},
    wait,
};

/// Where our own programs and nats-server are.
#[derive(Debug, Clone)]
pub struct Programs {
    pub agent: PathBuf,
    pub controller: PathBuf,
    pub sim: PathBuf,
    pub cli: PathBuf,
    pub nats_server: PathBuf,
}

impl Programs {
    pub fn new(folder: &Path, nats_server: &Path) -> Self {
        let program = |name: &str| folder.join(name);
        Self {
            agent: program("sanfleet-agent"),
            controller: program("sanfleet-controller"),
            sim: program("sim_lsmplugin"),
            cli: program("sanfleet"),
            nats_server: nats_server.to_owned(),
        }
    }

    /// As `cargo xtask test` says in the environment.
    pub fn from_environment() -> anyhow::Result<Self> {
        let named = |key: &str| {
            std::env::var_os(key)
                .map(PathBuf::from)
                .with_context(|| format!("{key} is not set; run `cargo xtask test`"))
        };
        Ok(Self::new(&named("SANFLEET_BIN_DIR")?, &named("SANFLEET_NATS_SERVER")?))
    }
}

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
}

#[derive(Debug)]
pub struct Fleet {
    pub folder: PathBuf,
    programs: Programs,
    pub nats: Nats,
    pub array: SimArray,
    pub db1: Host,
    pub backup1: Host,
    controller_config: PathBuf,
    controller: Option<Process>,
    failpoints: PathBuf,
}

/// How long anything that should be quick may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

impl Fleet {
    /// Starts it all, adds the array as `lab`, and waits until both hosts have reported.
    pub async fn start(programs: Programs, setup: Setup<'_>) -> anyhow::Result<Self> {
        let folder = setup.folder.to_owned();
        let failpoints = folder.join("failpoints");
        fs::create_dir_all(&failpoints)?;
        fs::create_dir_all(setup.store)?;
        let nats = Nats::start(&programs.nats_server, &folder).await?;
        let array = SimArray::new(&programs.sim, &folder, setup.store, setup.pool_bytes);

        let key = folder.join("command.key");
        let public =
            run(&programs.controller.to_string_lossy(), &["new-key", "--out", &key.to_string_lossy()])?;
        let controller_config = folder.join("controller.toml");
        let drivers = programs.sim.parent().context("driver has no folder")?;
        let text = format!(
            "name = \"c1\"\ncommand_key = {key:?}\ndriver_dir = {drivers:?}\n[nats]\nurl = [{:?}]\n",
            nats.url()
        );
        fs::write(&controller_config, text)?;

        let url = nats.url();
        let agent = |databases| AgentSetup {
            program: &programs.agent,
            nats: &url,
            public_key: public.trim(),
            fabric: &array.fabric,
            databases,
        };
        let db1 = Host::new("db1", &folder, &agent(setup.databases)).await?;
        let backup1 = Host::new("backup1", &folder, &agent(&[])).await?;
        let mut fleet = Self {
            folder,
            programs,
            nats,
            array,
            db1,
            backup1,
            controller_config,
            controller: None,
            failpoints,
        };
        fleet.db1.start_agent()?;
        fleet.backup1.start_agent()?;
        fleet.start_controller()?;
        fleet.until_online(&["db1", "backup1"]).await?;
        let uri = fleet.array.uri.clone();
        fleet.cli(&["array", "add", "lab", "--uri", &uri])?;
        Ok(fleet)
    }

    pub fn start_controller(&mut self) -> anyhow::Result<()> {
        self.controller = None;
        let controller = Recipe::new("controller", &self.folder, &self.programs.controller)
            .args([Path::new("run"), Path::new("--config"), &self.controller_config])
            .env("SANFLEET_FAILPOINTS", &self.failpoints)
            .env("RUST_LOG", "info,sanfleet_controller=debug");
        self.controller = Some(controller.start()?);
        Ok(())
    }

    pub fn kill_controller(&mut self) {
        self.controller = None;
    }

    pub fn controller(&self) -> Option<&Process> {
        self.controller.as_ref()
    }

    /// The drivers that the controller has started.
    pub fn driver_pids(&self) -> Vec<u32> {
        let Some(parent) = self.controller.as_ref().map(Process::pid) else { return Vec::new() };
        let is_child = |pid: &String| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            status
                .lines()
                .any(|line| line.strip_prefix("PPid:").is_some_and(|ppid| ppid.trim() == parent.to_string()))
        };
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().into_string().ok());
        pids.filter(is_child).filter_map(|pid| pid.parse().ok()).collect()
    }

    /// The failpoints of controller and drivers.
    pub fn failpoints(&self) -> &Path {
        &self.failpoints
    }

    /// The processes of this fleet that end with it, for those who want to show them.
    pub fn pids(&self) -> Vec<(String, u32)> {
        let agents = [&self.db1, &self.backup1].into_iter().filter_map(Host::agent);
        let named =
            self.controller.iter().chain(agents).map(|process| (process.name().to_owned(), process.pid()));
        named.chain(self.nats.pid().map(|pid| ("nats-server".to_owned(), pid))).collect()
    }

    pub async fn until_online(&self, hosts: &[&str]) -> anyhow::Result<()> {
        wait::until_true(&format!("{} online", hosts.join(" and ")), PATIENCE, || {
            let Ok(list) = self.cli_json::<v1::HostListReply>(&["host", "list"]) else { return false };
            let up = |name: &&str| {
                list.hosts.iter().any(|host| host.host == **name && host.online && host.generation > 0)
            };
            hosts.iter().all(|name| up(name))
        })
        .await
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

    /// Runs the command line and gives what it said, whatever its exit status.
    pub fn cli_output(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        let mut command = self.cli_command(arguments);
        Ok(command.stdin(Stdio::null()).output()?)
    }

    /// The command line, ready to be started.
    pub fn cli_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.programs.cli);
        command.args(["--server", &self.nats.url()]).args(arguments);
        command
    }

    /// Runs the command line; anything but success is an error with what it said.
    pub fn cli(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.cli_output(arguments)?;
        let (said, talk) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        anyhow::ensure!(
            output.status.success(),
            "sanfleet {} ended with {}:\n{said}{talk}",
            arguments.join(" "),
            output.status
        );
        Ok(said.into_owned())
    }

    /// Runs the command line with `--output json` and reads the answer.
    pub fn cli_json<T: DeserializeOwned>(&self, arguments: &[&str]) -> anyhow::Result<T> {
        let text = self.cli(&[&["--output", "json"], arguments].concat())?;
        serde_json::from_str(&text).with_context(|| format!("not the JSON that was expected: {text}"))
    }

    /// The newest run.
    pub fn newest_run(&self) -> anyhow::Result<v1::Run> {
        let list: v1::RunListReply = self.cli_json(&["run", "list"])?;
        list.runs.into_iter().next().context("there is no run")
    }

    /// Waits until no run is unfinished, and gives the newest one.
    pub async fn until_runs_end(&self) -> anyhow::Result<v1::Run> {
        wait::until("every run ends", Duration::from_secs(120), || {
            let run = self.cli_json::<v1::RunListReply>(&["run", "list"]).ok().and_then(|list| {
                let all_over = list.runs.iter().all(|run| run.finished_at_unix_ms != 0);
                list.runs.into_iter().next().filter(|_| all_over)
            });
            std::future::ready(run)
        })
        .await
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
        self.controller = None;
        self.db1.kill_agent();
        self.backup1.kill_agent();
    }
}
