//! Several controllers side by side: work moves when one dies or hangs, and an old owner that wakes up changes nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is a test"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost::Message;
use rustix::process::Signal;
use sanfleet_protocol::{
    subject,
    v1::{self, RunState},
};
use sanfleet_tests::{
    process::{Process, send},
    rig::Rig,
    wait,
};

/// Within this long work has moved to another controller.
const MOVED: Duration = Duration::from_secs(10);

async fn two_controllers() -> anyhow::Result<(Rig, Process)> {
    let rig = Rig::new().await?;
    let second = rig.fleet.start_another("c2")?;
    rig.until_both_controllers().await?;
    Ok((rig, second))
}

fn pid_of(rig: &Rig, second: &Process, owner: &str) -> u32 {
    match owner {
        "c1" => rig.fleet.controller().unwrap().pid(),
        _ => second.pid(),
    }
}

/// By the journal itself: an answer of the API may wait for the controller that hangs.
async fn until_moved_from(rig: &Rig, run: &v1::Run, since: SystemTime) -> anyhow::Result<()> {
    let bus = rig.fleet.nats.connect().await?;
    let journal = async_nats::jetstream::new(bus).get_stream(subject::RUNS_STREAM).await?;
    let subject = subject::run(&run.id.parse()?);
    let claimed = wait::until("another controller has the run", Duration::from_secs(30), || async {
        let newest = journal.get_last_raw_message_by_subject(&subject).await.ok()?;
        let record = v1::JournalRecord::decode(newest.payload).ok()?;
        (record.controller != run.owner).then_some(record.at_unix_ms)
    })
    .await?;
    let took = u64::try_from(claimed)? - u64::try_from(since.duration_since(UNIX_EPOCH)?.as_millis())?;
    assert!(Duration::from_millis(took) < MOVED, "it took {took} ms");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_runs_of_a_killed_controller_are_carried_on_by_another_within_ten_seconds() -> anyhow::Result<()>
{
    let (rig, second) = two_controllers().await?;
    let (hold, run) = rig.held_attach("controller.mask.after", "none").await?;
    let killed = SystemTime::now();
    send(Signal::KILL, pid_of(&rig, &second, &run.owner))?;
    drop(hold);
    until_moved_from(&rig, &run, killed).await?;
    let run = rig.fleet.until_runs_end().await?;
    assert_eq!(run.state(), RunState::Succeeded, "{run:#?}");
    rig.expect_accounted_for(&run).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_that_hung_and_wakes_up_changes_nothing() -> anyhow::Result<()> {
    let (rig, second) = two_controllers().await?;
    let (hold, run) = rig.held_attach("controller.mask.after", "none").await?;
    let old = pid_of(&rig, &second, &run.owner);
    let stopped = SystemTime::now();
    send(Signal::STOP, old)?;
    drop(hold);
    until_moved_from(&rig, &run, stopped).await?;
    let ended = rig.fleet.until_runs_end().await?;
    assert_eq!(ended.state(), RunState::Succeeded, "{ended:#?}");
    send(Signal::CONT, old)?;
    wait::until_true("the old owner says that it stops", Duration::from_secs(20), || {
        rig.fleet.logs().contains("this controller stops carrying the run on")
    })
    .await?;
    let after = rig.fleet.newest_run()?;
    assert_eq!((after.state(), &after.owner), (RunState::Succeeded, &ended.owner));
    rig.expect_accounted_for(&after).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_array_that_one_controller_learns_of_is_known_to_all() -> anyhow::Result<()> {
    let (rig, _second) = two_controllers().await?;
    let uri = rig.fleet.array.uri.clone();
    rig.fleet.cli(&["array", "add", "other", "--uri", &uri])?;
    let known = |wanted: bool| {
        // Asked several times, so that each of them is asked.
        (0..12).all(|_| {
            let list = rig.fleet.cli_json::<v1::ArrayListReply>(&["array", "list"]);
            list.is_ok_and(|list| list.arrays.iter().any(|array| array.name == "other") == wanted)
        })
    };
    wait::until_true("both know it", Duration::from_secs(20), || known(true)).await?;
    rig.fleet.cli(&["array", "remove", "other"])?;
    wait::until_true("both have forgotten it", Duration::from_secs(20), || known(false)).await
}
