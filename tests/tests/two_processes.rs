//! The agent's two processes: one faces the bus and may nothing, one may everything and faces only the first.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is a test"
)]

use std::{fs, io::Read, os::unix::net::UnixStream, path::PathBuf, time::Duration};

use sanfleet_tests::{
    control::PATIENCE,
    process::{Recipe, tail},
    rig::{COPY, DATA, Rig},
    wait,
};

const BOUND: Duration = Duration::from_secs(10);

fn ask_for_a_copy(rig: &Rig) -> anyhow::Result<()> {
    let source = format!("db1:{DATA}");
    rig.fleet
        .cli(&["backup", "attach", &source, "--to", "backup1", "--mount", COPY, "--quiesce", "mysql"])
        .map(drop)
}

fn socket(rig: &Rig) -> PathBuf {
    rig.fleet.db1.folder.join("run/helper.sock")
}

/// What the kernel says of a process, by the first words of the lines.
fn status(pid: u32, word: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(word)).unwrap_or_default();
    line.split_whitespace().map(str::to_owned).collect()
}

/// The address families of its sockets that lead to a network.
fn internet_sockets(pid: u32) -> usize {
    let own = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let links = own.filter_map(|fd| fs::read_link(fd.path()).ok()?.to_str().map(str::to_owned));
    let inodes: Vec<String> =
        links.filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect();
    let tables = ["tcp", "tcp6", "udp", "udp6", "raw", "raw6"]
        .map(|table| fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default());
    let lines = tables.iter().flat_map(|table| table.lines());
    lines
        .filter(|line| line.split_whitespace().nth(9).is_some_and(|of| inodes.iter().any(|own| own == of)))
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_faces_the_bus_may_do_nothing_to_the_host_and_who_acts_on_it_has_no_network() -> anyhow::Result<()>
{
    let rig = Rig::new().await?;
    let database = rig.start_database().await?;
    ask_for_a_copy(&rig)?;
    let pids: Vec<(&str, u32)> =
        rig.fleet.backup1.agent().map(|process| (process.name(), process.pid())).collect();
    let [("agent", relay), ("helper", helper)] = pids[..] else { panic!("{pids:?}") };
    for capabilities in ["CapEff:", "CapPrm:", "CapBnd:", "CapInh:", "CapAmb:"] {
        assert_eq!(status(relay, capabilities), ["0000000000000000"], "{capabilities}");
    }
    assert!(status(relay, "Uid:").iter().all(|user| user == "65534"));
    assert_eq!(status(relay, "NoNewPrivs:"), ["1"]);
    assert_eq!((internet_sockets(relay) > 0, internet_sockets(helper)), (true, 0));
    drop(database);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_helper_speaks_to_the_agents_user_and_not_even_to_root() -> anyhow::Result<()> {
    let mut rig = Rig::new().await?;
    rig.fleet.db1.kill_relay();
    let mut root = UnixStream::connect(socket(&rig))?;
    root.set_read_timeout(Some(BOUND))?;
    assert_eq!(root.read(&mut [0; 1])?, 0, "it was not hung up on");

    // Another one finds the door shut.
    let (host, config) = (&rig.fleet.db1, rig.fleet.db1.folder.join("agent.toml"));
    let credentials = host.folder.join("credentials");
    std::os::unix::fs::chown(&credentials, Some(1), None)?;
    let program = host.folder.join("sanfleet-agent");
    let mut stranger = Recipe::new("stranger", &host.folder, program)
        .args(["run", "--config"])
        .args([&config])
        .inside(host.keeper_pid())
        .as_user(1)
        .start()?;
    let log = host.folder.join("stranger.log");
    let is_shut = |line: &str| line.contains("helper.sock") && line.contains("Permission denied");
    wait::until_true("a stranger is refused", PATIENCE, || tail(&log).lines().any(is_shut)).await?;
    stranger.kill();

    std::os::unix::fs::chown(&credentials, Some(65_534), None)?;
    rig.fleet.db1.start_relay()?;
    rig.fleet.until_online(&["db1"]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_the_two_may_be_restarted_and_the_host_is_there_again() -> anyhow::Result<()> {
    let mut rig = Rig::new().await?;
    let database = rig.start_database().await?;
    let is_online = |rig: &Rig, online: bool| {
        let list = rig.fleet.cli_json::<sanfleet_protocol::v1::HostListReply>(&["host", "list"]);
        list.is_ok_and(|list| list.hosts.iter().any(|host| host.host == "db1" && host.online == online))
    };
    rig.fleet.db1.kill_relay();
    wait::until_true("db1 is missed", PATIENCE, || is_online(&rig, false)).await?;
    rig.fleet.db1.start_relay()?;
    wait::until_true("db1 is back", PATIENCE, || is_online(&rig, true)).await?;
    rig.fleet.db1.kill_helper();
    wait::until_true("db1 is missed", PATIENCE, || is_online(&rig, false)).await?;
    rig.fleet.db1.start_helper()?;
    wait::until_true("db1 is back", PATIENCE, || is_online(&rig, true)).await?;
    ask_for_a_copy(&rig)?;
    database.expect_writes_within(BOUND).await
}
