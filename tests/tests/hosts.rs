//! What operators say of hosts: nothing new is put on a cordoned one, labels select, and a host that retires is left by all.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is a test"
)]

use std::time::Duration;

use sanfleet_protocol::v1::{self, RunState};
use sanfleet_tests::{
    rig::{DATA, Rig},
    wait,
};

const NEW: &str = "/srv/new";

fn provision<'a>(hosts: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let wanted = ["provision", "--hosts", hosts, "--size", "64MiB", "--fs", "ext4", "--mount", NEW];
    [&wanted, more].concat()
}

fn summary(rig: &Rig, host: &str) -> v1::HostSummary {
    let list = rig.fleet.cli_json::<v1::HostListReply>(&["host", "list"]).unwrap_or_default();
    list.hosts.into_iter().find(|one| one.host == host).unwrap_or_default()
}

/// The refusal and its exit status.
fn refused(rig: &Rig, arguments: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
    let output = rig.fleet.cli_output(arguments)?;
    Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_new_is_put_on_a_cordoned_host_even_after_its_controller_starts_again() -> anyhow::Result<()>
{
    let mut rig = Rig::new().await?;
    rig.fleet.cli(&["host", "cordon", "backup1"])?;
    let (code, said) = refused(&rig, &provision("backup1", &[]))?;
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("host backup1 is cordoned"), "{said}");

    rig.fleet.start_controller()?;
    rig.fleet.until_ready().await?;
    rig.fleet.until_online(&["db1", "backup1"]).await?;
    assert!(summary(&rig, "backup1").cordoned);
    rig.fleet.cli(&["host", "uncordon", "backup1"])?;
    rig.fleet.cli(&provision("backup1", &["--dry-run"]))?;
    let (code, _) = refused(&rig, &["host", "cordon", "nix"])?;
    assert_eq!(code, Some(3));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_label_that_an_operator_gave_selects_its_host() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    rig.fleet.cli(&["host", "label", "backup1", "role=backup", "zone=a"])?;
    let planned: v1::RunReply = rig.fleet.cli_json(&provision("role=backup", &["--dry-run"]))?;
    assert!(planned.plan.unwrap_or_default().title.contains("backup1"));
    rig.fleet.cli(&["host", "label", "backup1", "role-"])?;
    assert_eq!(
        summary(&rig, "backup1").labels.into_iter().collect::<Vec<_>>(),
        [("zone".into(), "a".into())]
    );
    let (code, _) = refused(&rig, &provision("role=backup", &["--dry-run"]))?;
    assert_eq!(code, Some(3));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_label_is_known_to_every_controller() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    let _other = rig.fleet.start_another("c2")?;
    wait::until_true("two controllers", Duration::from_secs(30), || {
        let status = rig.fleet.cli_json::<v1::StatusReply>(&["status"]).unwrap_or_default();
        status.controllers.len() == 2
    })
    .await?;
    rig.fleet.cli(&["host", "label", "db1", "role=db"])?;
    // Either answers, as it comes; ten in a row are both of them, as good as always.
    let mut in_a_row = 0;
    wait::until_true("both know it", Duration::from_secs(30), || {
        let knows = summary(&rig, "db1").labels.get("role").is_some_and(|role| role == "db");
        in_a_row = if knows { in_a_row + 1 } else { 0 };
        in_a_row == 10
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_attached_by_hand_is_adopted_and_can_then_be_taken_down() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    let place = format!("db1:{DATA}");
    let (code, said) = refused(&rig, &["volume", "detach", &place])?;
    assert_eq!(code, Some(3), "{said}");
    rig.fleet.cli(&["adopt", &place])?;
    let status: v1::StatusReply = rig.fleet.cli_json(&["status"])?;
    let adopted = status.attachments.into_iter().next().unwrap_or_default();
    assert_eq!((adopted.volume_name.as_str(), adopted.procedure.as_str()), ("data", "adopt"));
    assert!(adopted.read_write && !adopted.access_group_created);
    let (code, said) = refused(&rig, &["adopt", &place])?;
    assert_eq!(code, Some(5), "{said}");

    rig.fleet.cli(&["volume", "detach", &place])?;
    assert!(rig.fleet.db1.mounts_below(DATA.as_ref()).is_empty());
    assert!(rig.fleet.array.mappings().await?.is_empty());
    assert_eq!(rig.fleet.array.volumes().await?.iter().filter(|volume| volume.name == "data").count(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_retires_is_left_by_all_and_forgotten_by_the_array() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    rig.fleet.cli(&provision("db1", &[]))?;
    rig.fleet.until_matched("db1", NEW.as_ref()).await?;
    let (code, said) = refused(&rig, &["host", "retire", "db1"])?;
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains(&format!("no attachment accounts for: db1:{DATA}")), "{said}");

    rig.fleet.cli(&["adopt", &format!("db1:{DATA}")])?;
    let planned: v1::RunReply = rig.fleet.cli_json(&["host", "retire", "db1", "--dry-run"])?;
    assert_eq!(planned.plan.unwrap_or_default().hosts.len(), 2);
    rig.fleet.cli(&["host", "retire", "db1"])?;
    let run = rig.fleet.newest_run()?;
    assert_eq!((run.state(), run.procedure.as_str()), (RunState::Succeeded, "host retire"), "{run:#?}");
    assert!(summary(&rig, "db1").cordoned);
    assert!(rig.fleet.db1.mounts_below("/srv".as_ref()).is_empty());
    assert!(rig.fleet.array.access_groups().await?.is_empty());
    assert!(rig.fleet.array.mappings().await?.is_empty());
    assert_eq!(rig.fleet.array.volumes().await?.len(), 2, "every volume stays");
    Ok(())
}
