//! A device name that now holds another volume: the agent asks the device, sees it, and refuses.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "this is a test"
)]

use std::path::Path;

use sanfleet_protocol::v1::RunState;
use sanfleet_tests::{
    failpoint::Hold,
    rig::{COPY, DATA, Rig},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_volume_in_its_place_before_the_mount_is_refused_with_both_ids() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    let initiator = rig.fleet.backup1.initiator();
    let fabric = rig.fleet.array.fabric.join(&initiator);
    let other = rig.fleet.array.provision("other", 64 << 20, &initiator).await?.to_string();

    let hold = Hold::new(rig.fleet.failpoints(), "controller.mount.before")?;
    let source = format!("db1:{DATA}");
    rig.fleet.cli(&[
        "backup",
        "attach",
        &source,
        "--to",
        "backup1",
        "--mount",
        COPY,
        "--quiesce",
        "none",
        "--no-wait",
    ])?;
    hold.reached().await?;

    // Behind the agent's back: the device that was attached for the copy now has the other volume behind it.
    let devices = sanfleet_tests::disk::loops_below(&fabric);
    assert_eq!(devices.len(), 1, "{devices:?}");
    let device = format!("/dev/{}", devices[0]);
    rig.fleet.backup1.run(&["losetup", "--detach", &device])?;
    let other_file = published(&fabric, &other)?;
    rig.fleet.backup1.run(&["losetup", &device, &other_file])?;
    drop(hold);

    let run = rig.fleet.until_runs_end().await?;
    assert_ne!(run.state(), RunState::Succeeded, "{run:#?}");
    let mount =
        run.steps.iter().find(|step| step.name == "mount").map(|step| step.error.clone()).unwrap_or_default();
    assert!(mount.contains(&other), "{other} is not in: {mount}");
    let copy = run.copied.map(|copied| copied.volume_id).unwrap_or_default();
    assert!(mount.contains(&copy), "{copy} is not in: {mount}");
    assert_eq!(rig.fleet.backup1.mounts_below(Path::new("/srv")), Vec::<std::path::PathBuf>::new());
    Ok(())
}

/// The file by which the fabric shows a volume.
fn published(fabric: &Path, volume_id: &str) -> anyhow::Result<String> {
    for entry in std::fs::read_dir(fabric)?.flatten() {
        let page = std::fs::read(entry.path().join("vpd_pg83")).unwrap_or_default();
        let ids = sanfleet_protocol::volume_id::designators(&page).unwrap_or_default();
        if ids.iter().any(|id| id.to_string() == volume_id) {
            return Ok(entry.path().join("disk").to_string_lossy().into_owned());
        }
    }
    anyhow::bail!("the fabric does not show {volume_id}")
}
