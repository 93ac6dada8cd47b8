//! Wrong input gives one clear error before anything is touched, or a complete undo.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "this is a test"
)]

use std::time::Duration;

use sanfleet_protocol::v1::RunState;
use sanfleet_tests::{
    rig::{COPY, DATA, Rig},
    wait,
};

/// Asks for a copy and expects a refusal. Gives the exit status and what was said.
fn refused(rig: &Rig, arguments: &[&str]) -> anyhow::Result<(i32, String)> {
    let output = rig.fleet.cli_output(arguments)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    anyhow::ensure!(!output.status.success(), "{arguments:?} was not refused: {said}");
    Ok((output.status.code().unwrap_or(-1), said))
}

fn attach<'a>(source: &'a str, to: &'a str, mount: &'a str, quiesce: &'a str) -> Vec<&'a str> {
    vec!["backup", "attach", source, "--to", to, "--mount", mount, "--quiesce", quiesce]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_is_refused_before_anything_is_touched() -> anyhow::Result<()> {
    let mut rig = Rig::new().await?;
    let data = format!("db1:{DATA}");
    let by_hand = rig.fleet.folder.join("by-hand.img");
    let image = by_hand.to_string_lossy().into_owned();
    rig.fleet.db1.run(&["truncate", "-s", "32M", &image])?;
    rig.fleet.db1.run(&["mkfs.ext4", "-q", &image])?;
    rig.fleet.db1.run(&["mkdir", "-p", "/srv/local"])?;
    rig.fleet.db1.run(&["mount", "-o", "loop", &image, "/srv/local"])?;
    rig.fleet.backup1.run(&["mkdir", "-p", "/srv/full/of-things"])?;
    rig.fleet.backup1.run(&["mkdir", "-p", "/srv/taken"])?;
    rig.fleet.backup1.run(&["mount", "-t", "tmpfs", "tmpfs", "/srv/taken"])?;

    let with_name = [attach(&data, "backup1", COPY, "none"), vec!["--name", "data"]].concat();
    let cases: [(Vec<&str>, i32, &str); 9] = [
        (attach("nix:/srv/data", "backup1", COPY, "none"), 3, "no host is named nix"),
        (attach(&data, "nix", COPY, "none"), 3, "no host is named nix"),
        (attach("db1:/srv/nothing", "backup1", COPY, "none"), 3, "nothing is mounted at db1:/srv/nothing"),
        (attach(&data, "backup1", "/srv/full", "none"), 2, "/srv/full"),
        (attach(&data, "backup1", "/srv/taken", "none"), 5, "/srv/taken"),
        (attach(&data, "db1", COPY, "none"), 2, "both host db1"),
        (attach(&data, "backup1", "relative", "none"), 2, "not an absolute path"),
        (with_name, 5, "already has a volume named \"data\""),
        (vec!["backup", "detach", "backup1:/srv/copy"], 3, "no attachment"),
    ];
    for (arguments, status, words) in cases {
        let (code, said) = refused(&rig, &arguments)?;
        assert_eq!((code, said.contains(words)), (status, true), "{arguments:?} said: {said}");
    }
    // As soon as db1 has reported the mount it is known, and known to be on no array.
    let local = attach("db1:/srv/local", "backup1", COPY, "none");
    wait::until_true("a local file system is refused as being on no array", Duration::from_secs(10), || {
        refused(&rig, &local)
            .is_ok_and(|(code, said)| code == 2 && said.contains("no volume of a known array"))
    })
    .await?;
    rig.fleet.db1.run(&["umount", "/srv/local"])?;

    rig.fleet.backup1.run(&["umount", "/srv/taken"])?;

    rig.fleet.backup1.kill_agent();
    let (code, said) = refused(&rig, &attach(&data, "backup1", COPY, "none"))?;
    assert_eq!(code, 20, "{said}");
    assert!(said.contains("backup1") && said.contains("offline"), "{said}");

    assert!(rig.fleet.newest_run().is_err(), "a refused request made a run");
    rig.expect_nothing_left().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_database_password_is_found_before_the_database_is_held() -> anyhow::Result<()> {
    let rig = Rig::with(8 << 30, "not the password").await?;
    let database = rig.start_database().await?;
    let (code, said) = refused(&rig, &attach(&format!("db1:{DATA}"), "backup1", COPY, "mysql"))?;
    assert_eq!(code, 5, "{said}");
    assert!(said.to_lowercase().contains("denied"), "{said}");
    assert!(!said.contains("not the password"), "{said}");
    assert!(rig.fleet.newest_run().is_err(), "a refused request made a run");
    drop(database);
    rig.expect_nothing_left().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_array_undoes_the_run_and_the_database_writes_on() -> anyhow::Result<()> {
    let rig = Rig::with(300 << 20, "a-test-password").await?;
    let database = rig.start_database().await?;
    let (code, said) = refused(&rig, &attach(&format!("db1:{DATA}"), "backup1", COPY, "mysql"))?;
    assert_eq!(code, 1, "{said}");
    let run = rig.fleet.newest_run()?;
    assert_eq!(run.state(), RunState::Undone, "{run:#?}");
    assert!(run.error.contains("350") || run.error.to_lowercase().contains("space"), "{}", run.error);
    database.expect_writes_within(Duration::from_secs(5)).await?;
    rig.expect_nothing_left().await
}
