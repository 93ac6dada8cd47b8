//! Whose commands agents heed: those of a controller whom the operator has given his word for, while that is in force.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is a test"
)]

use std::{fs, path::Path};

use sanfleet_protocol::v1::RunState;
use sanfleet_tests::{
    control::DELEGATION,
    process::run,
    rig::{COPY, DATA, Rig},
};

const KEY: &str = "command.key";

/// Key and delegation of the controller, put aside.
fn put_aside(rig: &Rig, into: &Path) -> anyhow::Result<()> {
    fs::create_dir(into)?;
    [KEY, DELEGATION]
        .iter()
        .try_for_each(|name| Ok(fs::rename(rig.fleet.folder.join(name), into.join(name))?))
}

fn put_back(rig: &Rig, from: &Path) -> anyhow::Result<()> {
    [KEY, DELEGATION].iter().try_for_each(|name| {
        fs::copy(from.join(name), rig.fleet.folder.join(name))?;
        Ok(())
    })
}

async fn restart(rig: &mut Rig) -> anyhow::Result<()> {
    rig.fleet.start_controller()?;
    rig.fleet.until_ready().await?;
    rig.fleet.until_online(&["db1", "backup1"]).await?;
    rig.fleet.until_matched("db1", Path::new(DATA)).await
}

/// What is said when a copy is asked for, and refused.
fn refused(rig: &Rig) -> anyhow::Result<String> {
    let source = format!("db1:{DATA}");
    let output = rig.fleet.cli_output(&[
        "backup",
        "attach",
        &source,
        "--to",
        "backup1",
        "--mount",
        COPY,
        "--quiesce",
        "none",
    ])?;
    anyhow::ensure!(!output.status.success(), "it was not refused");
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controllers_key_is_replaced_without_a_word_to_the_hosts_and_the_old_one_is_of_no_use_then()
-> anyhow::Result<()> {
    let mut rig = Rig::new().await?;
    assert_eq!(rig.attach("fsfreeze", &[])?.state(), RunState::Succeeded);
    let (old, key) = (rig.fleet.folder.join("old"), rig.fleet.folder.join(KEY));
    put_aside(&rig, &old)?;
    let program = rig.fleet.programs.controller.to_string_lossy().into_owned();
    let public = run(&program, &["new-key", "--out", &key.to_string_lossy()])?;
    let bus = rig.fleet.nats.users().unwrap();
    bus.delegate(public.trim(), &rig.fleet.folder.join(DELEGATION))?;
    // The configuration says already where both are.
    restart(&mut rig).await?;
    assert_eq!(rig.detach()?.state(), RunState::Succeeded);

    put_back(&rig, &old)?;
    restart(&mut rig).await?;
    let said = refused(&rig)?;
    assert!(said.contains("delegation has serial 1, and 2 has been seen"), "{said}");
    rig.expect_nothing_left().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_that_nobody_gave_his_word_for_is_not_heeded() -> anyhow::Result<()> {
    let mut rig = Rig::new().await?;
    fs::remove_file(rig.fleet.folder.join(KEY))?;
    let (program, key) =
        (rig.fleet.programs.controller.to_string_lossy().into_owned(), rig.fleet.folder.join(KEY));
    run(&program, &["new-key", "--out", &key.to_string_lossy()])?;
    restart(&mut rig).await?;
    let said = refused(&rig)?;
    assert!(said.contains("signature is not by the controller's key"), "{said}");
    assert!(rig.fleet.newest_run().is_err(), "a refused request made a run");
    rig.expect_nothing_left().await
}
