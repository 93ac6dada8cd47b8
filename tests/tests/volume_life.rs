//! What becomes of a volume after it was made: taken from its host, deleted, and both refused while that would hurt.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is a test"
)]

use std::time::Duration;

use sanfleet_protocol::v1;
use sanfleet_tests::{
    rig::{DATA, Rig},
    wait,
};

const NEW: &str = "/srv/new";

/// Provisions a small volume on backup1, and gives its name on the array.
fn provision(rig: &Rig) -> anyhow::Result<String> {
    let wanted = ["provision", "--hosts", "backup1", "--size", "64MiB", "--fs", "ext4", "--mount", NEW];
    rig.fleet.cli(&wanted)?;
    let status: v1::StatusReply = rig.fleet.cli_json(&["status"])?;
    Ok(status.attachments.into_iter().next().unwrap_or_default().volume_name)
}

/// The refusal and its exit status.
fn refused(rig: &Rig, arguments: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
    let output = rig.fleet.cli_output(arguments)?;
    Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_is_deleted_only_after_it_was_taken_from_its_host() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    let name = provision(&rig)?;
    let volume = format!("lab/{name}");
    let place = format!("backup1:{NEW}");

    let (code, said) = refused(&rig, &["volume", "delete", &volume])?;
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains(&format!("host backup1 has it mounted at {NEW}")), "{said}");
    assert!(said.contains("of host backup1"), "the initiator's owner is named: {said}");

    rig.fleet.cli(&["volume", "detach", &place])?;
    assert!(rig.fleet.backup1.mounts_below(NEW.as_ref()).is_empty());
    assert!(rig.fleet.array.volumes().await?.iter().any(|volume| volume.name == name), "it stays");
    assert!(rig.fleet.array.mappings().await?.iter().all(|(_, volume)| *volume != name));
    let (code, said) = refused(&rig, &["volume", "detach", &place])?;
    assert_eq!(code, Some(3), "{said}");

    wait::until_true("it is deleted once nobody is known to see it", Duration::from_secs(30), || {
        rig.fleet.cli(&["volume", "delete", &volume]).is_ok()
    })
    .await?;
    assert!(rig.fleet.array.volumes().await?.iter().all(|volume| volume.name != name));
    rig.expect_nothing_left().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_that_somebody_uses_by_hand_is_not_deleted() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    let (code, said) = refused(&rig, &["volume", "delete", "lab/data"])?;
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains(&format!("host db1 has it mounted at {DATA}")), "{said}");
    let (code, _) = refused(&rig, &["volume", "delete", "lab/nix"])?;
    assert_eq!(code, Some(3));
    assert_eq!(rig.fleet.array.volumes().await?.iter().filter(|volume| volume.name == "data").count(), 1);
    Ok(())
}
