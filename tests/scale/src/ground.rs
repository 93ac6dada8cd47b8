//! What figures are measured on: a bus, a controller, an array, and more and more agents.

use std::{fs, path::Path, time::Duration};

use anyhow::Context;
use async_nats::{Client, jetstream};
use prost::Message;
use sanfleet_protocol::{BusUser, HostId, VERSION, subject, v1};
use sanfleet_sim::Content;
use sanfleet_tests::{
    array::SimArray,
    control::{Control, Programs},
    process::{Process, Recipe},
    wait,
};
use tempfile::TempDir;

use crate::agent;

/// Agents in one process.
const PART: u32 = 2_500;
/// Disks of each host.
pub const DEVICES: u32 = 20;
const TEMPLATE_BYTES: u64 = 1 << 20;
const POOL_BYTES: u64 = 1 << 40;
/// The array, and the volume on it that is cloned.
pub const ARRAY: &str = "array";
pub const TEMPLATE: &str = "template";
/// How long a fleet may take to come up.
const UP_WITHIN: Duration = Duration::from_secs(180);

pub struct Ground {
    pub control: Control,
    pub client: Client,
    pub array: SimArray,
    hosts: u32,
    parts: Vec<Process>,
    /// The states of agents and array, and the volumes, in memory where there is such a thing: a fleet's agents do not share a disk.
    memory: TempDir,
    _disk: TempDir,
}

impl Ground {
    pub async fn start(programs: Programs) -> anyhow::Result<Self> {
        let (memory, disk) = (in_memory()?, tempfile::tempdir()?);
        let control = Control::start_unhurried(programs, disk.path()).await?;
        control.until_ready().await?;
        let client = control.nats.connect().await?;
        let array = SimArray::new(&control.programs.sim, memory.path(), memory.path(), POOL_BYTES);
        let ground = Self { control, client, array, hosts: 0, parts: Vec::new(), memory, _disk: disk };
        ground.make_template().await?;
        ground.control.cli(&["array", "add", ARRAY, "--uri", &ground.array.uri])?;
        Ok(ground)
    }

    /// Starts the controller again, with this in its configuration too.
    pub async fn restart_with(&mut self, more: &str) -> anyhow::Result<()> {
        let config = fs::read_to_string(&self.control.config)?;
        fs::write(&self.control.config, config + more)?;
        self.control.start_controller()?;
        self.control.until_ready().await
    }

    /// A volume with a file system, to be cloned.
    async fn make_template(&self) -> anyhow::Result<()> {
        self.array.create(TEMPLATE, TEMPLATE_BYTES).await?;
        let volumes = self.array.volumes().await?;
        let template = volumes.iter().find(|volume| volume.name == TEMPLATE).context("no template")?;
        let content = Content {
            kind: "ext4".into(),
            uuid: "template".into(),
            word: Content::STILL.into(),
            bytes: TEMPLATE_BYTES,
        };
        content.write(&self.memory.path().join("volumes").join(template.id.as_str()));
        Ok(())
    }

    /// Starts agents until there are so many, and waits until the catalog has them all.
    pub async fn grow(&mut self, hosts: u32) -> anyhow::Result<()> {
        while self.hosts < hosts {
            let count = PART.min(hosts - self.hosts);
            self.parts.push(self.part(self.hosts, count)?);
            self.hosts += count;
        }
        self.until_right(UP_WITHIN).await
    }

    fn part(&self, first: u32, count: u32) -> anyhow::Result<Process> {
        let program = std::env::current_exe()?;
        let (state, fabric) = (self.memory.path().join("agents"), &self.array.fabric);
        fs::create_dir_all(&state)?;
        let numbers = [("--first", first), ("--count", count), ("--devices", DEVICES)];
        let recipe = Recipe::new(&format!("agents-{first}"), &self.control.folder, program).args(["agents"]);
        let recipe = numbers
            .into_iter()
            .fold(recipe, |recipe, (name, number)| recipe.args([name.to_owned(), number.to_string()]));
        let (url, key) = (self.control.nats.url(), self.control.public_key.clone());
        recipe
            .args(["--url", &url, "--key", &key])
            .args([Path::new("--state"), &state, Path::new("--fabric"), fabric])
            .start()
    }

    /// Waits until the catalog has every host online with all of its disks.
    pub async fn until_right(&self, within: Duration) -> anyhow::Result<()> {
        let (hosts, devices) = (self.hosts, self.hosts * DEVICES);
        wait::until(&format!("{hosts} hosts are in the catalog"), within, || async {
            let status = self.status().await.ok()?;
            (status.hosts_online == hosts && status.devices >= devices).then_some(())
        })
        .await
    }

    /// A host that was there for a figure is gone for good: it says goodbye, and nothing of it is kept.
    pub async fn forget(&self, host: &HostId) -> anyhow::Result<()> {
        let leaving =
            v1::Heartbeat { version: VERSION, host: host.to_string(), generation: 0, leaving: true };
        self.client.publish(subject::heartbeat(host), leaving.encode_to_vec().into()).await?;
        let reports = jetstream::new(self.client.clone()).get_stream(subject::REPORTS_STREAM).await?;
        reports.purge().filter(subject::report(host)).await?;
        Ok(())
    }

    pub async fn status(&self) -> anyhow::Result<v1::StatusReply> {
        let reply = self
            .client
            .request(subject::api(&BusUser::anybody(), "status.show"), bytes::Bytes::new())
            .await?;
        Ok(v1::StatusReply::decode(reply.payload)?)
    }

    /// What became of the parts of the newest run, the worst first.
    pub fn what_failed(&self) -> String {
        let shown = self.control.newest_run().and_then(|run| self.control.cli(&["run", "show", &run.id]));
        let lines: Vec<String> = shown.unwrap_or_default().lines().take(40).map(str::to_owned).collect();
        lines.join("\n")
    }

    pub fn names(&self, count: u32) -> Vec<HostId> {
        (0..count.min(self.hosts)).map(agent::name).collect()
    }

    pub fn hosts(&self) -> u32 {
        self.hosts
    }

    /// The processes of the agents.
    pub fn parts(&self) -> impl Iterator<Item = u32> {
        self.parts.iter().map(Process::pid)
    }
}

fn in_memory() -> anyhow::Result<TempDir> {
    let memory = Path::new("/dev/shm");
    Ok(if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? })
}
