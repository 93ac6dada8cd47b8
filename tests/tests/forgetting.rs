//! Runs that are long over are forgotten, and nothing that rests on them is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is a test"
)]

use std::{fs, time::Duration};

use async_nats::jetstream;
use sanfleet_protocol::{subject, v1};
use sanfleet_tests::{failpoint::Hold, rig::Rig, wait};

/// Nothing that is over is kept, however new.
const KEEP_NOTHING: &str = "[journal]\nkeep_runs = 0\nkeep_days = 0\n";
const SOON: Duration = Duration::from_secs(40);

fn runs(rig: &Rig) -> anyhow::Result<Vec<String>> {
    let list: v1::RunListReply = rig.fleet.cli_json(&["run", "list"])?;
    Ok(list.runs.into_iter().map(|run| run.id).collect())
}

fn attachments(rig: &Rig) -> anyhow::Result<Vec<String>> {
    let status: v1::StatusReply = rig.fleet.cli_json(&["status"])?;
    Ok(status.attachments.into_iter().map(|one| one.id).collect())
}

/// Records in the journal.
async fn records(rig: &Rig) -> anyhow::Result<u64> {
    let client = rig.fleet.nats.connect().await?;
    let mut stream = jetstream::new(client).get_stream(subject::RUNS_STREAM).await?;
    Ok(stream.info().await?.state.messages)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_over_is_forgotten_by_all_and_what_is_attached_is_not_even_when_the_controller_dies()
-> anyhow::Result<()> {
    let mut rig = Rig::new().await?;
    let config = fs::read_to_string(&rig.fleet.config)?;
    fs::write(&rig.fleet.config, config + KEEP_NOTHING)?;
    let first = rig.attach("fsfreeze", &[])?;
    rig.detach()?;
    let standing = rig.attach("fsfreeze", &[])?;
    assert_eq!(runs(&rig)?.len(), 3);

    let hold = Hold::new(rig.fleet.failpoints(), "controller.run.forgotten")?;
    rig.fleet.start_controller()?;
    rig.fleet.until_ready().await.map_err(|error| error.context(rig.fleet.logs()))?;
    hold.reached().await?;
    // It is written that the oldest run is forgotten, and its journal is still there.
    rig.fleet.kill_controller();
    assert!(records(&rig).await? > 0);
    drop(hold);

    rig.fleet.start_controller()?;
    rig.fleet.until_ready().await.map_err(|error| error.context(rig.fleet.logs()))?;
    wait::until_true("only the run that attached something is known", SOON, || {
        runs(&rig).is_ok_and(|runs| runs == [standing.id.clone()])
    })
    .await?;
    assert_eq!(attachments(&rig)?, std::slice::from_ref(&standing.id));
    let refused = rig.fleet.cli_output(&["run", "show", &first.id])?;
    assert_eq!(refused.status.code(), Some(3));

    rig.fleet.start_controller()?;
    rig.fleet.until_ready().await.map_err(|error| error.context(rig.fleet.logs()))?;
    assert_eq!(attachments(&rig)?, [standing.id], "read again, the journals say the same");
    rig.detach()?;
    wait::until("nothing is left in the journal", SOON, || async {
        (records(&rig).await.ok()? == 0).then_some(())
    })
    .await?;
    rig.expect_nothing_left().await
}
