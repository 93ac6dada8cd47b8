//! An attached volume goes from one host to another, and comes back when that fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is a test"
)]

use std::time::Duration;

use sanfleet_protocol::v1::{self, RunState};
use sanfleet_tests::{failpoint::Hold, rig::Rig, wait};

const NEW: &str = "/srv/new";
const OTHER: &str = "/srv/other";

/// Provisions a small volume with a file on it on db1, and waits until that is known.
async fn provisioned() -> anyhow::Result<Rig> {
    let rig = Rig::new().await?;
    let wanted = ["provision", "--hosts", "db1", "--size", "64MiB", "--fs", "ext4", "--mount", NEW];
    rig.fleet.cli(&wanted)?;
    rig.fleet.db1.run(&["sh", "-c", "echo hello > /srv/new/file && sync"])?;
    rig.fleet.until_matched("db1", NEW.as_ref()).await?;
    Ok(rig)
}

fn attachments(rig: &Rig) -> anyhow::Result<Vec<String>> {
    let status: v1::StatusReply = rig.fleet.cli_json(&["status"])?;
    Ok(status.attachments.iter().map(|one| format!("{}:{}", one.host, one.mount_point)).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_moves_with_its_files_and_its_attachment() -> anyhow::Result<()> {
    let rig = provisioned().await?;
    rig.fleet.cli(&["volume", "move", &format!("db1:{NEW}"), "--to", "backup1", "--mount", OTHER])?;
    assert_eq!(rig.fleet.backup1.run(&["cat", "/srv/other/file"])?, "hello\n");
    assert!(rig.fleet.db1.mounts_below(NEW.as_ref()).is_empty());
    assert_eq!(attachments(&rig)?, [format!("backup1:{OTHER}")]);
    let mappings = rig.fleet.array.mappings().await?;
    let groups: Vec<&str> = mappings
        .iter()
        .filter(|(_, name)| name.starts_with("sanfleet-"))
        .map(|(group, _)| group.as_str())
        .collect();
    assert_eq!(groups, ["sanfleet-backup1"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_is_cancelled_puts_the_volume_back() -> anyhow::Result<()> {
    let rig = provisioned().await?;
    let hold = Hold::new(rig.fleet.failpoints(), "controller.mask.after")?;
    rig.fleet.cli(&["volume", "move", &format!("db1:{NEW}"), "--to", "backup1", "--no-wait"])?;
    hold.reached().await?;
    let id = rig.fleet.newest_run()?.id;
    rig.fleet.cli(&["run", "cancel", &id])?;
    drop(hold);
    let run = rig.fleet.until_runs_end().await?;
    assert_eq!(run.state(), RunState::Undone, "{run:#?}");
    assert_eq!(rig.fleet.db1.run(&["cat", "/srv/new/file"])?, "hello\n");
    assert_eq!(attachments(&rig)?, [format!("db1:{NEW}")]);
    assert!(rig.fleet.backup1.mounts_below("/srv".as_ref()).is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_does_not_move_from_a_host_that_cannot_say_that_it_has_let_go() -> anyhow::Result<()> {
    let mut rig = provisioned().await?;
    rig.fleet.db1.stop_agent();
    wait::until_true("db1 is offline", Duration::from_secs(30), || {
        let list = rig.fleet.cli_json::<v1::HostListReply>(&["host", "list"]).unwrap_or_default();
        list.hosts.iter().any(|host| host.host == "db1" && !host.online)
    })
    .await?;
    let output = rig.fleet.cli_output(&["volume", "move", &format!("db1:{NEW}"), "--to", "backup1"])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("host db1 is offline"), "{said}");
    assert_eq!(attachments(&rig)?, [format!("db1:{NEW}")]);
    rig.fleet.db1.start_agent()?;
    Ok(())
}
