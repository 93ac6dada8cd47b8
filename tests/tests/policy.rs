//! A host's own policy is the last word, though every command is signed by the right controller.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is a test"
)]

use std::{fs, time::Duration};

use sanfleet_protocol::v1::{self, RunState};
use sanfleet_tests::{
    failpoint::Hold,
    rig::{COPY, Rig},
    wait,
};

fn provision_at(at: &str) -> Vec<&str> {
    vec!["provision", "--hosts", "backup1", "--size", "64MiB", "--fs", "ext4", "--mount", at]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_host_does_not_let_be_done_is_refused_before_anything_is_touched() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    for more in [&["--dry-run"][..], &["--yes"]] {
        let output = rig.fleet.cli_output(&[&provision_at("/etc/evil"), more].concat())?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(5), "{said}");
        assert!(
            said.contains("/etc/evil is not below /mnt or /srv") && said.contains("mount_roots"),
            "{said}"
        );
    }
    assert!(rig.fleet.newest_run().is_err(), "a refused request made a run");
    rig.expect_nothing_left().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_on_a_volume_do_not_run_unless_the_host_lets_them() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    rig.fleet.cli(&provision_at(COPY))?;
    let program = format!("{COPY}/program");
    rig.fleet.backup1.run(&["cp", "/bin/true", &program])?;
    assert!(rig.fleet.backup1.run(&[&program]).is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_in_maintenance_is_left_alone_until_that_is_over() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    let hold = Hold::new(rig.fleet.failpoints(), "sim.volume_mask.before")?;
    rig.fleet.cli(&[&provision_at(COPY)[..], &["--no-wait"]].concat())?;
    hold.reached().await?;
    let file = rig.fleet.backup1.maintenance_file();
    fs::write(&file, "disks are being moved\n")?;
    drop(hold);
    let waits = |run: &v1::Run| run.steps.iter().any(|step| step.error.contains("in maintenance"));
    wait::until_true("the run says what it waits for", Duration::from_secs(20), || {
        rig.fleet.newest_run().is_ok_and(|run| waits(&run))
    })
    .await?;
    let is_mounted = || rig.fleet.backup1.run(&["mountpoint", "-q", COPY]).is_ok();
    assert!(!is_mounted());
    fs::remove_file(&file)?;
    let run = rig.fleet.until_runs_end().await?;
    assert_eq!(run.state(), RunState::Succeeded, "{run:#?}");
    assert!(is_mounted());
    Ok(())
}
