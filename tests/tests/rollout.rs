//! New volumes and copies on several hosts at once, carried out exactly as they were planned.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is a test"
)]

use std::{collections::BTreeSet, time::Duration};

use sanfleet_protocol::v1::{self, RunState};
use sanfleet_tests::{
    failpoint::Hold,
    rig::{DATA, Rig},
    wait,
};

const NEW: &str = "/srv/new";

fn provision<'a>(hosts: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let wanted = ["provision", "--hosts", hosts, "--size", "64MiB", "--fs", "ext4", "--mount", NEW];
    [&wanted, more].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_volume_is_made_formatted_and_mounted_on_every_host() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    let reply: v1::RunShowReply =
        rig.fleet.cli_json(&provision("*", &["--canary", "1", "--label", "fresh"]))?;
    let run = reply.run.unwrap_or_default();
    assert_eq!(run.state(), RunState::Succeeded, "{run:#?}");
    for host in [&rig.fleet.db1, &rig.fleet.backup1] {
        let options = host.run(&["findmnt", "--noheadings", "--output", "FSTYPE,OPTIONS", NEW])?;
        assert!(options.contains("ext4") && options.contains("rw,nosuid,nodev"), "{options}");
        host.run(&["sh", "-c", "echo hello > /srv/new/file && sync"])?;
    }
    let shown: v1::RunShowReply = rig.fleet.cli_json(&["run", "show", &run.id])?;
    assert_eq!(shown.parts.len(), 2);
    // The hosts of this fleet share a kernel, so that each sees the devices of both.
    wait::until_true("two new file systems with UUIDs of their own", Duration::from_secs(20), || {
        let shown = rig.fleet.cli_json::<v1::HostShowReply>(&["host", "show", "db1"]).unwrap_or_default();
        let devices = shown.report.unwrap_or_default().devices;
        let fresh =
            devices.into_iter().filter_map(|device| device.file_system).filter(|fs| fs.label == "fresh");
        fresh.map(|fs| fs.uuid).collect::<BTreeSet<_>>().len() == 2
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_that_no_host_has_ever_seen_is_cloned_with_whatever_file_system_it_holds()
-> anyhow::Result<()> {
    let rig = Rig::new().await?;
    rig.fleet.cli(&["provision", "--hosts", "db1", "--size", "64MiB", "--fs", "ext4", "--mount", NEW])?;
    rig.fleet.db1.run(&["sh", "-c", "echo template > /srv/new/file && sync"])?;
    let status: v1::StatusReply = rig.fleet.cli_json(&["status"])?;
    let name = status.attachments[0].volume_name.clone();
    rig.fleet.cli(&["volume", "detach", &format!("db1:{NEW}")])?;
    let template = format!("lab/{name}");
    wait::until_true("nobody is known to see it", Duration::from_secs(30), || {
        let list = rig.fleet.cli_json::<v1::VolumeListReply>(&["volume", "list"]).unwrap_or_default();
        list.volumes.iter().any(|row| row.name == name && row.hosts.is_empty())
    })
    .await?;
    rig.fleet.cli(&["clone", &template, "--to", "backup1", "--mount", NEW])?;
    assert_eq!(rig.fleet.backup1.run(&["cat", "/srv/new/file"])?, "template\n");
    rig.fleet.cli(&["backup", "detach", &format!("backup1:{NEW}")]).map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_volume_is_mounted_on_another_host_and_goes_without_a_trace() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    rig.fleet.db1.run(&["sh", "-c", "echo template > /srv/data/file && sync"])?;
    let source = format!("db1:{DATA}");
    rig.fleet.cli(&["clone", &source, "--to", "backup*", "--mount", NEW, "--rw"])?;
    assert_eq!(rig.fleet.backup1.run(&["cat", "/srv/new/file"])?, "template\n");
    let uuid = |host: &sanfleet_tests::host::Host, at: &str| {
        let number = host.run(&["findmnt", "--noheadings", "--output", "MAJ:MIN", at])?;
        let device = format!("/dev/loop{}", number.trim().trim_start_matches("7:"));
        host.run(&["blkid", "--probe", "--match-tag", "UUID", "--output", "value", &device])
    };
    let (source_uuid, own) = (uuid(&rig.fleet.db1, DATA)?, uuid(&rig.fleet.backup1, NEW)?);
    assert!(source_uuid != own && own.len() > 30, "the copy of {source_uuid} is {own}");
    rig.fleet.cli(&["backup", "detach", &format!("backup1:{NEW}")])?;
    rig.expect_nothing_left().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_that_is_to_stay_has_a_mount_unit_and_a_verified_copy_was_read() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    rig.fleet.cli(&provision("backup1", &["--persist"]))?;
    let units = rig.fleet.backup1.units();
    let unit = std::fs::read_to_string(units.join("srv-new.mount"))?;
    assert!(unit.contains("Where=/srv/new") && unit.contains("/dev/disk/by-uuid/"), "{unit}");
    let run = rig.attach("fsfreeze", &["--verify", "--expire", "6h"])?;
    let verify = run.steps.iter().find(|step| step.name == "verify").unwrap();
    assert_eq!(verify.state(), v1::StepState::Done);
    let expires = run.attachment.unwrap().expires_at_unix_ms - run.created_at_unix_ms;
    assert!((6 * 3_600_000 - 60_000..6 * 3_600_000 + 1).contains(&expires), "expires after {expires} ms");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_was_shown_is_carried_out_once_and_refused_when_the_world_has_moved() -> anyhow::Result<()>
{
    let rig = Rig::new().await?;
    let planned: v1::RunReply = rig.fleet.cli_json(&provision("backup1", &["--dry-run"]))?;
    let plan = planned.plan.unwrap_or_default();
    let named = format!("{}:{}", plan.run, plan.hash);
    let first: v1::RunShowReply = rig.fleet.cli_json(&provision("backup1", &["--plan", &named]))?;
    let again: v1::RunShowReply = rig.fleet.cli_json(&provision("backup1", &["--plan", &named]))?;
    let id = |reply: v1::RunShowReply| reply.run.unwrap_or_default().id;
    let (first, again) = (id(first), id(again));
    assert_eq!((first.as_str(), again.as_str()), (plan.run.as_str(), plan.run.as_str()));

    let planned: v1::RunReply = rig.fleet.cli_json(&provision("db1", &["--dry-run"]))?;
    let plan = planned.plan.unwrap_or_default();
    rig.fleet.db1.run(&["mkdir", "-p", NEW])?;
    rig.fleet.db1.run(&["mount", "-t", "tmpfs", "tmpfs", NEW])?;
    let named = format!("{}:{}", plan.run, plan.hash);
    let output = rig.fleet.cli_output(&provision("db1", &["--plan", &named]))?;
    assert_ne!(output.status.code(), Some(0));
    let other = rig.fleet.cli_output(&[
        "provision",
        "--hosts",
        "backup1",
        "--size",
        "65MiB",
        "--fs",
        "ext4",
        "--mount",
        "/srv/other",
        "--plan",
        &named,
    ])?;
    assert_eq!(other.status.code(), Some(5), "{}", String::from_utf8_lossy(&other.stderr));
    rig.fleet.db1.run(&["umount", NEW])?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_cancelled_in_the_middle_is_taken_back_whole() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    let hold = Hold::new(rig.fleet.failpoints(), "controller.mask.after")?;
    rig.fleet.cli(&provision("backup1", &["--no-wait"]))?;
    hold.reached().await?;
    let run = rig.fleet.newest_run()?;
    rig.fleet.cli(&["run", "cancel", &run.id])?;
    drop(hold);
    let run = rig.fleet.until_runs_end().await?;
    assert_eq!((run.state(), run.cancelled), (RunState::Undone, true), "{run:#?}");
    rig.expect_nothing_left().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_run_waits_and_a_resumed_one_ends() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    let hold = Hold::new(rig.fleet.failpoints(), "controller.mask.after")?;
    rig.fleet.cli(&provision("backup1", &["--no-wait"]))?;
    hold.reached().await?;
    let id = rig.fleet.newest_run()?.id;
    rig.fleet.cli(&["run", "pause", &id])?;
    drop(hold);
    wait::until_true("the mask is done and nothing follows", Duration::from_secs(20), || {
        rig.fleet.newest_run().is_ok_and(|run| {
            let state = |name: &str| run.steps.iter().find(|step| step.name == name).map(v1::RunStep::state);
            run.paused
                && state("mask") == Some(v1::StepState::Done)
                && state("attach") == Some(v1::StepState::Pending)
        })
    })
    .await?;
    rig.fleet.cli(&["run", "resume", &id])?;
    assert_eq!(rig.fleet.until_runs_end().await?.state(), RunState::Succeeded);
    Ok(())
}
