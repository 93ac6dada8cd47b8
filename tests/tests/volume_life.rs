//! What becomes of a volume after it was made: taken from its host, deleted, and both refused while that would hurt.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is a test"
)]

use std::time::Duration;

use futures::StreamExt;
use rustix::process::Signal;
use sanfleet_protocol::{HostId, subject, v1};
use sanfleet_tests::{
    process::send,
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

    // From the beginning it is refused, and with the next report of its host it is said where the volume is mounted.
    let mounted = format!("host backup1 has it mounted at {NEW}");
    let said = wait::until("the refusal names the mount", Duration::from_secs(20), || {
        let refused = refused(&rig, &["volume", "delete", &volume]).expect("the command line");
        assert_eq!(refused.0, Some(5), "{}", refused.1);
        std::future::ready(refused.1.contains(&mounted).then_some(refused.1))
    });
    let said = said.await?;
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

/// What backup1 can write to at a mount point, in bytes.
fn room(rig: &Rig, at: &str) -> anyhow::Result<u64> {
    let text = rig.fleet.backup1.run(&["df", "--output=size", "--block-size=1", at])?;
    Ok(text.lines().last().unwrap_or_default().trim().parse()?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_grows_on_its_array_on_its_host_and_under_its_files() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    let wanted = ["provision", "--hosts", "backup1", "--size", "320MiB", "--fs", "xfs", "--mount", NEW];
    rig.fleet.cli(&wanted)?;
    rig.fleet.backup1.run(&["sh", "-c", "echo hello > /srv/new/file && sync"])?;
    let (place, before) = (format!("backup1:{NEW}"), room(&rig, NEW)?);
    rig.fleet.until_matched("backup1", NEW.as_ref()).await?;

    let (code, said) = refused(&rig, &["volume", "resize", &place, "--size", "64MiB"])?;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("never made smaller"), "{said}");

    let plan: v1::RunReply =
        rig.fleet.cli_json(&["volume", "resize", &place, "--size", "640MiB", "--dry-run"])?;
    assert_eq!(plan.plan.unwrap_or_default().size_bytes, 320 << 20);
    rig.fleet.cli(&["volume", "resize", &place, "--size", "640MiB"])?;
    assert!(room(&rig, NEW)? > before + (256 << 20), "the file system has grown");
    assert_eq!(rig.fleet.backup1.run(&["cat", "/srv/new/file"])?, "hello\n");
    let list: v1::VolumeListReply = rig.fleet.cli_json(&["volume", "list"])?;
    let row = list.volumes.into_iter().find(|row| row.hosts.iter().any(|host| host == "backup1")).unwrap();
    assert_eq!((row.size_bytes, row.grow_pending.len()), (640 << 20, 0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_mounted_a_moment_ago_is_known_to_who_plans_with_it() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    provision(&rig)?;
    let copied = ["clone", "backup1:/srv/too", "--to", "db1", "--mount", "/mnt/copy", "--dry-run"];
    let host: HostId = "backup1".parse()?;
    let bus = rig.fleet.nats.connect().await?;
    let mut asked = bus.subscribe(subject::command(&host)).await?;
    // What the server answers after the subscription says that it is in force; that nobody listens there is an answer.
    assert!(bus.request("nobody", "".into()).await.is_err());
    // It reports nothing before it is asked.
    let helper = rig.fleet.backup1.agent().find(|process| process.name() == "helper").unwrap().pid();
    send(Signal::STOP, helper)?;
    rig.fleet.backup1.run(&["sh", "-c", "mkdir /srv/too && mount --bind /srv/new /srv/too"])?;
    tokio::spawn(async move { asked.next().await.map(|_| send(Signal::CONT, helper)) });
    rig.fleet.cli(&copied)?;
    rig.fleet.backup1.run(&["umount", "/srv/too"])?;
    wait::until_true("that is reported", Duration::from_secs(20), || {
        !rig.fleet.cli(&["map", "backup1"]).is_ok_and(|map| map.contains("/srv/too"))
    })
    .await?;
    let (code, said) = refused(&rig, &copied)?;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("nothing is mounted"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_growth_that_a_host_has_not_seen_is_shown_as_pending_and_can_be_finished() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    let mut session = rig.fleet.array.session().await?;
    let volume = session.volumes(None).await?.into_iter().find(|volume| volume.name == "data").unwrap();
    // Somebody grows it on the array, and leaves it at that.
    session.volume_resize(&volume, 512 << 20).await?;
    session.close().await?;
    let pending = || {
        let list = rig.fleet.cli_json::<v1::VolumeListReply>(&["volume", "list"]).unwrap_or_default();
        list.volumes
            .into_iter()
            .find(|row| row.name == "data")
            .map(|row| row.grow_pending)
            .unwrap_or_default()
    };
    wait::until_true("db1 is behind", Duration::from_secs(60), || pending() == ["db1"]).await?;
    // Mounted read-only there is no file system to grow, which takes a privilege that not every test has.
    rig.fleet.db1.run(&["mount", "-o", "remount,ro", DATA])?;
    wait::until_true("that is reported", Duration::from_secs(20), || {
        let shown = rig.fleet.cli_json::<v1::HostShowReply>(&["host", "show", "db1"]).unwrap_or_default();
        let mounts = shown.report.unwrap_or_default().mounts;
        mounts.iter().any(|mount| mount.mount_point == DATA && mount.read_only)
    })
    .await?;
    rig.fleet.cli(&["volume", "resize", "lab/data", "--size", "512MiB"])?;
    assert!(pending().is_empty());
    Ok(())
}
