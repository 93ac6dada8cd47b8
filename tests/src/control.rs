//! The control plane: bus and controller, and the command line to talk to it.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use anyhow::Context;
use sanfleet_protocol::{rights::Role, v1};
use serde::de::DeserializeOwned;

use crate::{
    nats::Nats,
    network::Network,
    process::{Process, Recipe, network_of, run},
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
        // Processes are started from other folders than ours.
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
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

#[derive(Debug)]
pub struct Control {
    pub folder: PathBuf,
    pub programs: Programs,
    pub nats: Nats,
    /// The controller's, which agents pin where no operator has given his word.
    pub public_key: String,
    pub config: PathBuf,
    /// Added to the controller's environment when it is started again.
    pub environment: Vec<(String, String)>,
    controller: Option<Process>,
    failpoints: PathBuf,
    /// Who we are on the bus, where it asks.
    administrator: Option<PathBuf>,
    pub site: Site,
}

/// Where all of it is.
#[derive(Debug)]
pub enum Site {
    /// On this machine, over loopback.
    Here,
    /// On one machine, that of this process.
    Machine(u32),
    /// On the machines of a network of its own.
    Network(Network),
}

/// Which machine of a network is whose: each of these has a server of the cluster too.
pub const CONTROLLER: u8 = 0;
const ANOTHER_CONTROLLER: u8 = 1;
/// Agents, and whoever gives orders.
const ALL_OTHERS: u8 = 2;

/// How long anything that should be quick may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// The file of a controller's secret key, in its folder.
const KEY: &str = "command.key";
/// And of the operator's word for it.
pub const DELEGATION: &str = "delegation";

/// What the suites need of the doctor: to be told soon.
const HURRIED: &str = "[doctor]\nlook_every_s = 1\ngrace_s = 1\n";

/// A controller's configuration, with its key and what it keeps in `folder`.
fn write_config(
    programs: &Programs,
    folder: &Path,
    name: &str,
    (nats, machine): (&Nats, u8),
    doctor: &str,
) -> anyhow::Result<PathBuf> {
    let drivers = programs.sim.parent().context("driver has no folder")?;
    let (key, state, config) = (folder.join(KEY), folder.join("state"), folder.join("controller.toml"));
    // Its own server, which tells it of the others.
    let (urls, replicas) = ([nats.url_at(machine)], nats.urls().len());
    let membership = nats.membership(name, Role::Controller)?;
    let delegation = match folder.join(DELEGATION) {
        file if file.exists() => format!("delegation = {file:?}\n"),
        _ => String::new(),
    };
    let text = format!(
        "name = {name:?}\n{delegation}command_key = {key:?}\ndriver_dir = {drivers:?}\nstate_dir = {state:?}\n\
         [nats]\nurl = {urls:?}\nreplicas = {replicas}\n{membership}{doctor}"
    );
    fs::write(&config, text)?;
    Ok(config)
}

impl Control {
    /// Starts the bus, makes the controller's key and configuration, and starts the controller.
    pub async fn start(programs: Programs, folder: &Path) -> anyhow::Result<Self> {
        let nats = Nats::start(&programs, folder).await?;
        Self::start_with(programs, folder, HURRIED, nats, Site::Here)
    }

    /// The same on the network of this process, with the bus at this address of it.
    pub async fn start_at(
        programs: Programs,
        folder: &Path,
        machine: u32,
        address: Ipv4Addr,
    ) -> anyhow::Result<Self> {
        let nats = Nats::start_on(&programs, folder, machine, address).await?;
        Self::start_with(programs, folder, HURRIED, nats, Site::Machine(machine))
    }

    /// The same with a bus that is open to all, which others' programs are tried on.
    pub async fn start_open(programs: Programs, folder: &Path) -> anyhow::Result<Self> {
        let nats = Nats::start_open(&programs, folder).await?;
        Self::start_with(programs, folder, HURRIED, nats, Site::Here)
    }

    /// The same with the controller's paces as they ship, and with a bus that is open to all.
    pub async fn start_unhurried(programs: Programs, folder: &Path) -> anyhow::Result<Self> {
        let nats = Nats::start_open(&programs, folder).await?;
        Self::start_with(programs, folder, "", nats, Site::Here)
    }

    /// The same with a cluster for a bus, on a network of its own.
    pub async fn start_on(programs: Programs, folder: &Path, network: Network) -> anyhow::Result<Self> {
        let nats = Nats::cluster(&programs, folder, &network).await?;
        Self::start_with(programs, folder, HURRIED, nats, Site::Network(network))
    }

    fn start_with(
        programs: Programs,
        folder: &Path,
        doctor: &str,
        nats: Nats,
        site: Site,
    ) -> anyhow::Result<Self> {
        let failpoints = folder.join("failpoints");
        fs::create_dir_all(&failpoints)?;
        let key = folder.join(KEY);
        let public =
            run(&programs.controller.to_string_lossy(), &["new-key", "--out", &key.to_string_lossy()])?;
        let public_key = public.trim().to_owned();
        if let Some(users) = nats.users() {
            users.delegate(&public_key, &folder.join(DELEGATION))?;
        }
        let config = write_config(&programs, folder, "c1", (&nats, CONTROLLER), doctor)?;
        let folder = folder.to_owned();
        let administrator = nats.credentials("admin", Role::Administrator)?;
        let mut control = Self {
            folder,
            programs,
            nats,
            public_key,
            config,
            environment: Vec::new(),
            controller: None,
            failpoints,
            administrator,
            site,
        };
        control.start_controller()?;
        Ok(control)
    }

    /// Whose commands count, as agents' configurations have it.
    pub fn pinned(&self) -> anyhow::Result<String> {
        match self.nats.users() {
            Some(users) => Ok(format!("operator_key = {:?}", users.operator_key()?)),
            None => Ok(format!("controller_key = {:?}", self.public_key)),
        }
    }

    pub fn start_controller(&mut self) -> anyhow::Result<()> {
        self.controller = None;
        let mut controller = self.recipe("controller", &self.config).on(self.machine(CONTROLLER)?);
        for (name, value) in &self.environment {
            controller = controller.env(name, value);
        }
        self.controller = Some(controller.start()?);
        Ok(())
    }

    /// Starts a further controller beside the one of [`Control`]. It has the same key, and the same folder of drivers.
    pub fn start_another(&self, name: &str) -> anyhow::Result<Process> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder)?;
        fs::copy(self.folder.join(KEY), folder.join(KEY))?;
        if self.folder.join(DELEGATION).exists() {
            fs::copy(self.folder.join(DELEGATION), folder.join(DELEGATION))?;
        }
        let config = write_config(&self.programs, &folder, name, (&self.nats, ANOTHER_CONTROLLER), HURRIED)?;
        self.recipe(name, &config).on(self.machine(ANOTHER_CONTROLLER)?).start()
    }

    fn machine(&self, number: u8) -> anyhow::Result<Option<u32>> {
        match &self.site {
            Site::Here => Ok(None),
            Site::Machine(machine) => Ok(Some(*machine)),
            Site::Network(network) => network.machine(number).map(Some),
        }
    }

    /// Where agents are, unless they are where we are.
    pub fn machine_of_agents(&self) -> anyhow::Result<Option<u32>> {
        self.machine(ALL_OTHERS)
    }

    fn recipe(&self, name: &str, config: &Path) -> Recipe {
        Recipe::new(name, &self.folder, &self.programs.controller)
            .args([Path::new("run"), Path::new("--config"), config])
            .env("SANFLEET_FAILPOINTS", &self.failpoints)
            .env("RUST_LOG", "info,sanfleet_controller=debug")
    }

    pub async fn until_ready(&self) -> anyhow::Result<()> {
        wait::until_true("the controller answers", PATIENCE, || self.cli(&["status"]).is_ok()).await
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

    pub async fn until_online(&self, hosts: &[&str]) -> anyhow::Result<()> {
        wait::until_true(&format!("{} online", hosts.join(" and ")), PATIENCE, || {
            let Ok(list) = self.cli_json::<v1::HostListReply>(&["host", "list"]) else { return false };
            let up = |name: &&str| {
                list.hosts.iter().any(|host| host.host == **name && host.online && host.generation > 0)
            };
            hosts.iter().all(up)
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
        let mut command = match self.machine(ALL_OTHERS) {
            Ok(Some(machine)) => {
                let mut command = Command::new("nsenter");
                command.args([&network_of(machine), "--"]).arg(&self.programs.cli);
                command
            }
            _ => Command::new(&self.programs.cli),
        };
        command.args(["--server", &self.nats.url()]).args(arguments);
        if let Some(file) = &self.administrator {
            command.env("SANFLEET_CREDS", file);
        }
        if let Some(file) = self.nats.authority() {
            command.env("SANFLEET_CA", file);
        }
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
}
