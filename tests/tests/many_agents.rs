//! Five hundred agents with fifty devices each report to one controller: the agent's own reporter over simulated hosts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "this is a test"
)]

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use prost::Message;
use sanfleet_agent::{
    heartbeat::{Heartbeat, Pulse},
    host::sim::{SimDevice, SimHost},
    relay::NatsSink,
    reporter::{Reporter, ReporterOptions},
};
use sanfleet_protocol::{HostId, VolumeId, subject, v1};
use sanfleet_tests::{
    control::{Control, PATIENCE, Programs},
    wait,
};

const HOSTS: u32 = 500;
const DEVICES: u32 = 50;

/// Every device of every host is another volume.
fn volume_id(host: u32, device: u32) -> VolumeId {
    let mut bytes = [0x60, 0x25, 0x34, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes[8..12].copy_from_slice(&host.to_be_bytes());
    bytes[12..16].copy_from_slice(&device.to_be_bytes());
    VolumeId::naa(&bytes).unwrap()
}

fn simulated(host: u32) -> SimHost {
    let disks =
        (0..DEVICES).map(|device| SimDevice::disk(&format!("sd{device}"), vec![volume_id(host, device)]));
    SimHost::builder().hostname(&format!("host{host}")).devices(disks).build()
}

/// Resident memory of a process in MiB.
fn resident_mib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}

/// More hosts than events may wait: see `controller/src/events.rs`.
const MANY: u32 = 12_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_starts_though_more_hosts_have_reported_than_events_may_wait() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut control = Control::start(Programs::from_environment()?, folder.path()).await?;
    control.until_ready().await?;
    control.kill_controller();
    let client = control.nats.connect().await?;
    for number in 0..MANY {
        let host: HostId = format!("host{number}").parse()?;
        let report =
            v1::HostReport { version: 1, host: host.to_string(), generation: 1, ..Default::default() };
        client.publish(subject::report(&host), report.encode_to_vec().into()).await?;
    }
    client.flush().await?;

    control.start_controller()?;
    control.until_ready().await?;
    let list: v1::HostListReply = control.cli_json(&["host", "list"])?;
    assert_eq!(list.hosts.len(), MANY as usize);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_agents_with_fifty_devices_each_are_listed_right() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let control = Control::start(Programs::from_environment()?, folder.path()).await?;
    // These agents have no inbox: nobody can ask them for a report that came before the controller listened.
    wait::until_true("the controller answers", PATIENCE, || control.cli(&["status"]).is_ok()).await?;
    let begun = Instant::now();
    let mut reporters = Vec::new();
    for number in 0..HOSTS {
        let host: HostId = format!("host{number}").parse()?;
        let state = folder.path().join(host.as_str());
        fs::create_dir_all(&state)?;
        let client = control.nats.connect().await?;
        let options = ReporterOptions::new(host.clone(), state);
        let sink = Arc::new(NatsSink::new(client, &host));
        let reporter = Reporter::start(Arc::new(simulated(number)), Arc::clone(&sink), options)?;
        let heartbeat = Heartbeat::start(sink, Pulse::new(host, reporter.handle()));
        reporters.push((reporter, heartbeat));
    }
    let started = begun.elapsed();

    let list = wait::until("all hosts are listed", Duration::from_secs(120), || {
        let list = control.cli_json::<v1::HostListReply>(&["host", "list"]).ok();
        let all = |list: &v1::HostListReply| {
            list.hosts.len() == HOSTS as usize
                && list.hosts.iter().all(|host| host.online && host.generation > 0)
        };
        std::future::ready(list.filter(all))
    })
    .await?;
    let took = begun.elapsed();
    for number in 0..HOSTS {
        let name = format!("host{number}");
        let host = list.hosts.iter().find(|host| host.host == name).expect("every host is listed");
        assert_eq!(host.devices, DEVICES, "{name}");
    }
    let pid = control.controller().map(sanfleet_tests::process::Process::pid).unwrap_or_default();
    println!(
        "{HOSTS} agents × {DEVICES} devices: started in {} ms, all in the catalog after {} ms; controller {} MiB resident",
        started.as_millis(),
        took.as_millis(),
        resident_mib(pid)
    );
    for (reporter, mut heartbeat) in reporters {
        reporter.stop().await;
        heartbeat.leave().await;
    }
    Ok(())
}
