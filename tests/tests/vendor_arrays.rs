//! The whole way from a provision to a copy on fifty hosts, with an array of a vendor's: controller, bus and driver are real processes, the
//! array is the emulator that the vendor's own clients judge, and hosts are simulated, and see over iSCSI what the array shows them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is a test"
)]

#[allow(dead_code, reason = "not all of what the driver's own tests do with it is done here")]
#[path = "../../array-drivers/nexentastor/tests/nexentastor/emulator/mod.rs"]
mod emulator;

use std::sync::{Arc, Mutex};

use async_nats::ConnectOptions;
use emulator::{Config, Emulator, PASSWORD, Release, State};
use sanfleet_agent::{
    host::{
        FileSystem, Host,
        sim::{SimDevice, SimHost, Supply},
    },
    reporter::Notices,
};
use sanfleet_protocol::{HostId, Initiator, VolumeId, v1};
use sanfleet_sim::{Parts, SimulatedAgent};
use sanfleet_tests::{
    control::{Control, PATIENCE, Programs},
    wait,
};

const HOSTS: usize = 50;
const DATA: &str = "/srv/data";
const COPY: &str = "/srv/copy";
const IMAGE: &str = "/srv/image";

struct Stage {
    control: Control,
    emulator: Emulator,
    hosts: Hosts,
    _agents: Vec<SimulatedAgent>,
    _folder: tempfile::TempDir,
}

/// All hosts, for each of them to look at what others have written to a volume.
type Hosts = Arc<Mutex<Vec<SimHost>>>;

fn initiator(host: &str) -> Initiator {
    format!("iqn.2026-11.org.example:{host}").parse().unwrap()
}

/// Which volume it is, and what it is a copy of.
fn unit(state: &State, wanted: &VolumeId) -> Option<(String, u64, Option<String>)> {
    let is_it = |guid: &String| VolumeId::from_lsm_vpd83(&guid.to_lowercase()).as_ref() == Some(wanted);
    let (path, _) = state.stmf.units.iter().find(|(_, guid)| is_it(guid))?;
    let dataset = state.zfs.datasets.get(path)?;
    let origin = dataset.origin.as_ref().map(|snapshot| snapshot.split('@').next().unwrap().to_owned());
    Some((path.clone(), dataset.size, origin))
}

fn is_shown(state: &State, path: &str, to: &Initiator) -> bool {
    let name = to.to_string();
    let groups = &state.stmf.host_groups;
    let is_member = |group: &str| groups.get(group).is_some_and(|members| members.contains(&name));
    state.stmf.views.values().any(|view| view.volume == path && is_member(&view.host_group))
}

/// What is on a volume, as far as a host that has it tells.
fn content(hosts: &Hosts, state: &State, path: &str) -> Option<FileSystem> {
    let guid = state.stmf.units.get(path)?;
    let id = VolumeId::from_lsm_vpd83(&guid.to_lowercase())?;
    hosts.lock().unwrap().iter().find_map(|host| {
        let devices = host.devices().unwrap();
        let device = devices.into_iter().find(|device| device.cached_ids.contains(&id))?;
        host.open(&device).unwrap().file_system().unwrap()
    })
}

/// What the array shows a host, as its kernel finds it.
fn supply(state: Arc<Mutex<State>>, hosts: Hosts, to: Initiator) -> Supply {
    Supply::new(move |wanted| {
        let state = state.lock().unwrap();
        let (path, bytes, origin) = unit(&state, wanted)?;
        if !is_shown(&state, &path, &to) {
            return None;
        }
        let device =
            SimDevice::disk(&format!("sd-{wanted}"), vec![wanted.clone()]).on_fabric("iscsi").size(bytes);
        Some(match origin.and_then(|origin| content(&hosts, &state, &origin)) {
            Some(FileSystem { kind, uuid, label }) => device.formatted(&kind, &uuid, &label),
            None => device,
        })
    })
}

impl Stage {
    async fn new(release: Release) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("sanfleet-").tempdir_in("/var/tmp")?;
        let control = Control::start_open(Programs::from_environment()?, folder.path()).await?;
        control.until_ready().await?;
        // As slow and as moody as it is known to be.
        let config = Config {
            release,
            pool_bytes: 1 << 40,
            page: 20,
            job_polls: Some(1),
            lag: 1,
            busy_every: Some(40),
            ..Config::default()
        };
        let emulator = Emulator::start(config);
        let (hosts, mut agents, mut names) =
            (Hosts::default(), Vec::new(), vec!["db1".to_owned(), "backup1".to_owned()]);
        names.extend((0..HOSTS).map(|number| format!("web{number:02}")));
        for name in &names {
            let id: HostId = name.parse()?;
            let whose = initiator(name);
            let found = supply(Arc::clone(&emulator.state), Arc::clone(&hosts), whose.clone());
            let host = SimHost::builder().hostname(name).initiator(whose).fabric_with("iscsi", found).build();
            hosts.lock().unwrap().push(host.clone());
            let client = ConnectOptions::new().connect(control.nats.urls()).await?;
            let (state_dir, controller) = (folder.path().join(name), control.public_key.parse()?);
            let parts = Parts { id, host, client, state_dir, controller, notices: Notices::FromHost };
            agents.push(SimulatedAgent::start(parts).await?);
        }
        control.until_online(&names.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        let password = folder.path().join("array.password");
        sanfleet_tests::process::write_private(&password, PASSWORD)?;
        let file = password.to_string_lossy();
        control.cli(&["array", "add", "store", "--uri", &emulator.uri(), "--password-file", &file])?;
        Ok(Self { control, emulator, hosts, _agents: agents, _folder: folder })
    }

    /// How many hosts have something mounted there, and with how many file systems.
    fn mounted(&self, at: &str) -> (usize, usize) {
        let hosts = self.hosts.lock().unwrap();
        let found = hosts.iter().filter_map(|host| {
            let mount = host.mounts().unwrap().into_iter().find(|mount| mount.mount_point == *at)?;
            let device = host.devices().unwrap().into_iter().find(|one| one.number == mount.device)?;
            host.open(&device).unwrap().file_system().unwrap()
        });
        let found: Vec<String> = found.map(|found| found.uuid).collect();
        (found.len(), found.iter().collect::<std::collections::BTreeSet<_>>().len())
    }

    /// Waits until the controller knows which volume of the array is mounted there.
    async fn until_matched(&self, host: &str, at: &str) -> anyhow::Result<()> {
        wait::until_true("what is mounted is matched", PATIENCE, || {
            let map = self.control.cli_json::<v1::MapReply>(&["map", host]).unwrap_or_default();
            let mut devices = map.hosts.iter().flat_map(|host| &host.devices);
            devices
                .any(|device| !device.array.is_empty() && device.mount_points.iter().any(|point| point == at))
        })
        .await
    }

    fn attachments(&self) -> anyhow::Result<usize> {
        Ok(self.control.cli_json::<v1::StatusReply>(&["backup", "list"])?.attachments.len())
    }

    fn volumes(&self) -> usize {
        let state = self.emulator.state.lock().unwrap();
        state.zfs.datasets.values().filter(|dataset| dataset.is_volume).count()
    }
}

async fn plays_the_whole_story(release: Release) -> anyhow::Result<()> {
    let stage = Stage::new(release).await?;
    let cli = |words: &[&str]| stage.control.cli(words);
    let size =
        ["--size", "1GiB", "--fs", "ext4", "--mount", DATA, "--array", "store", "--pool", emulator::POOL];
    cli(&[&["provision", "--hosts", "db1"][..], &size, &["--yes"]].concat())?;
    assert_eq!((stage.mounted(DATA), stage.volumes()), ((1, 1), 1));

    stage.until_matched("db1", DATA).await?;
    let source = format!("db1:{DATA}");
    cli(&[
        "backup",
        "attach",
        &source,
        "--to",
        "backup1",
        "--mount",
        COPY,
        "--quiesce",
        "fsfreeze",
        "--verify",
    ])?;
    assert_eq!((stage.mounted(COPY), stage.volumes()), ((1, 1), 2));
    cli(&["backup", "detach", &format!("backup1:{COPY}")])?;
    assert_eq!((stage.mounted(COPY), stage.volumes(), stage.attachments()?), ((0, 0), 1, 1));

    cli(&["clone", &source, "--to", "web*", "--mount", IMAGE, "--rw", "--yes"])?;
    assert_eq!(stage.mounted(IMAGE), (HOSTS, HOSTS), "each has a file system with a UUID of its own");
    assert_eq!(stage.volumes(), 1 + HOSTS);
    let findings = stage.control.cli_json::<v1::DoctorListReply>(&["doctor"])?.findings;
    assert!(findings.is_empty(), "{findings:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nexentastor_5_is_provisioned_from_backed_up_and_cloned_to_fifty_hosts() -> anyhow::Result<()> {
    plays_the_whole_story(Release::Rest).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nexentastor_4_is_provisioned_from_backed_up_and_cloned_to_fifty_hosts() -> anyhow::Result<()> {
    plays_the_whole_story(Release::Nms).await
}
