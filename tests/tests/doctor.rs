//! What does not fit is made by hand, named by `sanfleet doctor`, and put right by it or by the remedy that it names.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "this is a test"
)]

use std::{fs, path::PathBuf, time::Duration};

use sanfleet_protocol::v1::{self, RunState};
use sanfleet_tests::{
    rig::{COPY, DATA, Rig},
    wait,
};

/// Two looks, the time of grace, a listing, a heartbeat: on a busy machine.
const SOON: Duration = Duration::from_secs(60);
/// Exit status: findings.
const FINDINGS: i32 = 10;

fn findings(rig: &Rig) -> anyhow::Result<Vec<v1::Finding>> {
    let output = rig.fleet.cli_output(&["--output", "json", "doctor"])?;
    anyhow::ensure!([Some(0), Some(FINDINGS)].contains(&output.status.code()), "{output:?}");
    Ok(serde_json::from_slice::<v1::DoctorListReply>(&output.stdout)?.findings)
}

async fn found(rig: &Rig, code: &str) -> anyhow::Result<v1::Finding> {
    let look = || {
        let found = findings(rig).ok().and_then(|all| all.into_iter().find(|one| one.code == code));
        std::future::ready(found)
    };
    wait::until(&format!("{code} is found"), SOON, look).await
}

async fn until_all_is_well(rig: &Rig) -> anyhow::Result<()> {
    let well = || findings(rig).is_ok_and(|all| all.is_empty());
    let waited = wait::until_true("nothing is found any more", SOON, well).await;
    waited.map_err(|error| error.context(format!("{:#?}", findings(rig))))
}

/// How the fabric shows a volume to an initiator: the folder with its file and its page of ids.
fn unit(rig: &Rig, initiator: &str, volume_id: &str) -> anyhow::Result<PathBuf> {
    for entry in fs::read_dir(rig.fleet.array.fabric.join(initiator))?.flatten() {
        let page = fs::read(entry.path().join("vpd_pg83")).unwrap_or_default();
        let ids = sanfleet_protocol::volume_id::designators(&page).unwrap_or_default();
        if ids.iter().any(|id| id.to_string() == volume_id) {
            return Ok(entry.path());
        }
    }
    anyhow::bail!("the fabric does not show {volume_id} to {initiator}")
}

/// Has the fabric show to backup1 what the array shows to db1 alone: what a host still has after an unmasking.
fn publish_behind_the_arrays_back(rig: &Rig, volume_id: &str) -> anyhow::Result<PathBuf> {
    let shown = unit(rig, &rig.fleet.db1.initiator(), volume_id)?;
    let left = rig.fleet.array.fabric.join(rig.fleet.backup1.initiator()).join("lun-77");
    fs::create_dir_all(&left)?;
    fs::hard_link(shown.join("disk"), left.join("disk"))?;
    fs::copy(shown.join("vpd_pg83"), left.join("vpd_pg83"))?;
    Ok(left)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_came_back_after_its_run_is_named_and_deleted() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    let run = rig.attach("none", &[])?;
    let name = run.attachment.unwrap_or_default().volume_name;
    until_all_is_well(&rig).await?;
    rig.detach()?;
    rig.fleet.array.copy("data", &name).await?;

    let orphan = found(&rig, "SF-D001").await?;
    assert!(orphan.evidence[0].contains(&run.id), "{orphan:#?}");
    rig.fleet.cli(&["doctor", "--fix", "--code", "SF-D001"])?;
    assert_eq!(rig.fleet.newest_run()?.procedure, "repair");
    until_all_is_well(&rig).await?;
    rig.expect_nothing_left().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapping_that_nobody_asked_for_stays_while_it_is_used_and_goes_with_its_device()
-> anyhow::Result<()> {
    let rig = Rig::new().await?;
    let backup1 = &rig.fleet.backup1;
    let id = rig.fleet.array.create("stray", 64 << 20).await?.to_string();
    rig.fleet.array.show("stray", "sanfleet-backup1", &backup1.initiator()).await?;
    let device = backup1.attach_by_hand(&id)?;
    backup1.run(&["mkfs.ext4", "-q", &device])?;
    backup1.run(&["mkdir", "-p", "/srv/stray"])?;
    backup1.run(&["mount", &device, "/srv/stray"])?;
    wait::until_true("it is seen to be mounted", SOON, || {
        findings(&rig).is_ok_and(|all| all.iter().any(|one| one.code == "SF-D002" && one.fix.is_empty()))
    })
    .await?;
    let output = rig.fleet.cli_output(&["doctor", "--fix"])?;
    assert_eq!(output.status.code(), Some(FINDINGS), "{output:?}");
    backup1.run(&["ls", "/srv/stray"])?;

    backup1.run(&["umount", "/srv/stray"])?;
    wait::until_true("it is seen to be unused", SOON, || {
        findings(&rig).is_ok_and(|all| all.iter().any(|one| one.code == "SF-D002" && !one.fix.is_empty()))
    })
    .await?;
    rig.fleet.cli(&["doctor", "--fix", "--host", "backup1"])?;
    until_all_is_well(&rig).await?;
    assert!(sanfleet_tests::disk::loops_below(&rig.fleet.array.fabric.join(backup1.initiator())).is_empty());
    let mappings = rig.fleet.array.mappings().await?;
    assert!(mappings.iter().all(|(_, volume)| volume != "stray"), "{mappings:?}");
    assert!(!rig.fleet.array.access_groups().await?.contains(&"sanfleet-backup1".to_owned()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_was_left_behind_is_named_and_removed() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    let id = rig.fleet.array.provision("other", 64 << 20, &rig.fleet.db1.initiator()).await?.to_string();
    let unit = publish_behind_the_arrays_back(&rig, &id)?;
    let device = rig.fleet.backup1.attach_by_hand(&id)?;
    let left = found(&rig, "SF-D003").await?;
    assert!(left.evidence.iter().any(|line| line.contains(device.trim_start_matches("/dev/"))), "{left:#?}");
    rig.fleet.cli(&["doctor", "--fix", "--code", "sf-d003"])?;
    until_all_is_well(&rig).await?;
    fs::remove_dir_all(unit)?;
    rig.expect_nothing_left().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hosts_that_write_to_one_volume_are_named_and_left_to_a_person() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    let backup1 = &rig.fleet.backup1;
    rig.fleet.array.show("data", "by-hand-both", &backup1.initiator()).await?;
    // One machine plays both hosts, and db1 has a device of it already: backup1 gets one of its own.
    let file = unit(&rig, &backup1.initiator(), &rig.volume_id)?.join("disk");
    let device = backup1.run(&["losetup", "--find", "--show", &file.to_string_lossy()])?.trim().to_owned();
    backup1.run(&["mkdir", "-p", "/srv/both"])?;
    // Nothing is written: the test wants the alarm, not the damage.
    backup1.run(&["mount", "-o", "rw,noatime", &device, "/srv/both"])?;
    let both = found(&rig, "SF-D004").await?;
    for place in [format!("db1:{DATA}"), "backup1:/srv/both".to_owned()] {
        assert!(both.evidence.iter().any(|line| line.contains(&place)), "{place} is not in {both:#?}");
    }
    assert_eq!(rig.fleet.cli_output(&["doctor", "--code", "SF-D004"])?.status.code(), Some(FINDINGS));
    assert!(rig.fleet.cli(&["status"])?.contains("errors: 1"));
    backup1.run(&["umount", "/srv/both"])?;
    backup1.run(&["losetup", "--detach", &device])?;
    until_all_is_well(&rig).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_was_unmounted_by_hand_is_named_told_and_goes_by_the_remedy() -> anyhow::Result<()> {
    use futures::StreamExt;
    let rig = Rig::new().await?;
    let client = rig.fleet.nats.connect().await?;
    let mut events = client.subscribe("sanfleet.v1.event.finding.>").await?;
    rig.attach("none", &[])?;
    rig.fleet.backup1.run(&["umount", COPY])?;
    let gone = found(&rig, "SF-D008").await?;
    let remedy: Vec<&str> = gone.remedy.split(' ').skip(1).collect();
    rig.fleet.cli(&remedy)?;
    assert_eq!(rig.fleet.newest_run()?.state(), RunState::Succeeded);
    until_all_is_well(&rig).await?;
    for kind in ["finding.raised", "finding.cleared"] {
        let event = tokio::time::timeout(SOON, events.next()).await?.expect("the bus is there");
        let headers = event.headers.unwrap_or_default();
        assert_eq!(headers.get("ce-type").map(ToString::to_string), Some(kind.to_owned()));
        let data: v1::EventData = serde_json::from_slice(&event.payload)?;
        assert!(
            matches!(data.event, Some(v1::event_data::Event::Finding(finding)) if finding.code == "SF-D008")
        );
    }
    rig.expect_nothing_left().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_away_with_a_copy_is_named_until_it_is_back() -> anyhow::Result<()> {
    let mut rig = Rig::new().await?;
    rig.attach("none", &[])?;
    rig.fleet.backup1.stop_agent();
    let away = found(&rig, "SF-D014").await?;
    assert!(away.what.contains("backup1"), "{away:#?}");
    rig.fleet.backup1.start_agent()?;
    until_all_is_well(&rig).await?;
    rig.detach()?;
    rig.expect_nothing_left().await
}
