//! The story as users live it: attach a copy, use it, take it down.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "this is a test"
)]

use std::{path::Path, time::Duration};

use sanfleet_protocol::v1::{self, RunState};
use sanfleet_tests::{
    leftovers,
    mariadb::MariaDb,
    rig::{COPY, DATA, Rig},
    wait,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_frozen_file_system_has_its_data_and_goes_without_a_trace() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    rig.fleet.db1.run(&["sh", "-c", "echo before > /srv/data/file"])?;
    let run = rig.attach("fsfreeze", &[])?;
    assert_eq!(run.state(), RunState::Succeeded, "{run:#?}");
    rig.fleet.db1.run(&["sh", "-c", "echo after > /srv/data/file"])?;

    assert_eq!(rig.fleet.backup1.run(&["cat", "/srv/copy/file"])?, "before\n");
    let options = rig.fleet.backup1.run(&["findmnt", "--noheadings", "--output", "OPTIONS", COPY])?;
    for option in ["ro", "nodev", "nosuid"] {
        assert!(options.split(',').any(|set| set.trim() == option), "{option} is not in {options}");
    }
    let listed = rig.fleet.cli(&["backup", "list"])?;
    assert!(listed.contains(COPY), "{listed}");

    rig.detach()?;
    rig.expect_nothing_left().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_committed_before_the_copy_is_in_it_and_the_database_writes_on() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    let database = rig.start_database().await?;
    let committed_before = database.writer.committed();
    let run = rig.attach("mysql", &["--rw"])?;
    let copied = run.copied.clone().unwrap_or_default();
    assert!(copied.blocked_us > 0 && copied.replicate_us > 0, "{run:#?}");
    database.expect_writes_within(Duration::from_secs(5)).await?;

    let second = MariaDb::start(&rig.fleet.backup1, "copy", Path::new(COPY)).await?;
    let (rows, highest) = second.count_rows().await?;
    assert_eq!(rows, highest, "rows are missing in the middle");
    assert!(rows >= committed_before, "{committed_before} rows were committed before, the copy has {rows}");
    second.stop().await?;
    rig.detach()?;
    rig.expect_nothing_left().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_shows_every_step_and_touches_nothing() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    let source = format!("db1:{DATA}");
    let arguments = [
        "backup",
        "attach",
        &source,
        "--to",
        "backup1",
        "--mount",
        COPY,
        "--quiesce",
        "fsfreeze",
        "--dry-run",
    ];
    let reply: v1::RunReply = rig.fleet.cli_json(&arguments)?;
    let plan = reply.plan.unwrap_or_default();
    let names: Vec<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["resolve", "copy", "mask", "attach", "mount"]);
    assert!(reply.run.is_empty());
    assert!(rig.fleet.newest_run().is_err(), "a dry run made a run");
    rig.expect_nothing_left().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_is_told_to_whoever_subscribes() -> anyhow::Result<()> {
    use futures::StreamExt;
    let mut rig = Rig::new().await?;
    let client = rig.fleet.nats.connect().await?;
    let mut events = client.subscribe("sanfleet.v1.event.>").await?;
    let run = rig.attach("fsfreeze", &[])?;
    rig.detach()?;
    // A host that is told to stop says so.
    rig.fleet.backup1.stop_agent();
    rig.fleet.backup1.start_agent()?;

    let mut kinds = Vec::new();
    let wanted = [
        "run.started",
        "step.started",
        "step.finished",
        "run.finished",
        "device.appeared",
        "volume.matched",
        "attachment.ready",
        "attachment.removed",
        "device.gone",
        "host.offline",
        "host.online",
    ];
    while wanted.iter().any(|kind| !kinds.iter().any(|seen| seen == kind)) {
        let event = tokio::time::timeout(Duration::from_secs(30), events.next()).await;
        let Ok(Some(event)) = event else {
            panic!("of {wanted:?} only {kinds:?} came\n{}", rig.fleet.logs())
        };
        let headers = event.headers.clone().unwrap_or_default();
        let header = |name: &str| headers.get(name).map(ToString::to_string).unwrap_or_default();
        assert_eq!(header("ce-specversion"), "1.0");
        assert!(!header("ce-id").is_empty() && !header("ce-time").is_empty());
        let data: v1::EventData = serde_json::from_slice(&event.payload)?;
        if let Some(v1::event_data::Event::Attachment(attachment)) = data.event {
            assert_eq!(attachment.id, run.id);
        }
        kinds.push(header("ce-type"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_in_use_stays_and_the_error_says_who_uses_it() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    rig.attach("none", &[])?;
    let sleeper =
        rig.fleet.backup1.recipe("sleeper", "sh").args(["-c", "cd /srv/copy && exec sleep 1000"]).start()?;
    wait::until_true("the copy is in use", Duration::from_secs(10), || {
        std::fs::read_link(format!("/proc/{}/cwd", sleeper.pid())).is_ok_and(|cwd| cwd == Path::new(COPY))
    })
    .await?;
    let output = rig.fleet.cli_output(&["backup", "detach", &format!("backup1:{COPY}")])?;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&sleeper.pid().to_string()), "{said}");
    assert_eq!(rig.fleet.newest_run()?.state(), RunState::Failed);
    rig.fleet.backup1.run(&["ls", COPY])?;

    drop(sleeper);
    rig.detach()?;
    rig.expect_nothing_left().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_leaves_the_run_going_and_says_so() -> anyhow::Result<()> {
    use std::{io::Read, process::Stdio};
    let rig = Rig::new().await?;
    let hold = sanfleet_tests::failpoint::Hold::new(rig.fleet.backup1.failpoints(), "agent.mount.before")?;
    let source = format!("db1:{DATA}");
    let arguments = ["backup", "attach", &source, "--to", "backup1", "--mount", COPY, "--quiesce", "none"];
    let mut child = rig.fleet.cli_command(&arguments).stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    hold.reached().await?;
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT)?;
    let status = child.wait()?;
    let mut said = String::new();
    child.stderr.take().map(|mut pipe| pipe.read_to_string(&mut said)).transpose()?;
    assert_eq!(status.code(), Some(130), "{said}");
    assert!(said.contains("sanfleet run watch"), "{said}");
    drop(hold);
    let run = rig.fleet.until_runs_end().await?;
    assert_eq!(run.state(), RunState::Succeeded);
    let left = leftovers::count(&rig.fleet, Path::new("/srv")).await?;
    assert_eq!((left.volumes, left.mounts), (1, 1));
    rig.expect_accounted_for(&run).await
}
