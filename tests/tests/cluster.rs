//! A bus of three servers, each on a machine of its own: one of them may be lost, and who is cut off changes nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is a test"
)]

use std::{
    fs,
    time::{Duration, Instant},
};

use sanfleet_protocol::v1::{self, RunState};
use sanfleet_tests::{
    control::{CONTROLLER, Site},
    rig::Rig,
    wait,
};

const SOON: Duration = Duration::from_secs(40);
/// Within this long work has moved to another controller. The bus itself takes up to nine seconds to find that the server which led
/// a stream is gone, and to let another one lead it; the controllers wait for five of these anyhow.
const MOVED: Duration = Duration::from_secs(20);
/// So often in a row that hardly ever one of two controllers gives all the answers.
const ASKED: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_server_of_the_bus_may_be_killed_in_the_middle_of_a_run() -> anyhow::Result<()> {
    let mut rig = Rig::on_a_cluster().await?;
    for victim in 0..3 {
        let (hold, _) = rig.held_attach("controller.mask.after", "fsfreeze").await?;
        rig.fleet.nats.kill_one(victim);
        drop(hold);
        let run = rig.fleet.until_runs_end().await.map_err(|error| error.context(rig.fleet.logs()))?;
        assert_eq!(run.state(), RunState::Succeeded, "server {victim}: {run:#?}\n{}", rig.fleet.logs());
        rig.fleet.nats.restart().await?;
        wait::until_true("the copy is taken down", SOON, || rig.detach().is_ok()).await?;
    }
    rig.expect_nothing_left().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_that_is_cut_off_together_with_a_server_changes_nothing() -> anyhow::Result<()> {
    let rig = Rig::on_a_cluster().await?;
    let _second = rig.fleet.start_another("c2")?;
    rig.until_both_controllers().await?;
    let (hold, run) = rig.held_attach("controller.mask.before", "fsfreeze").await?;
    let machine = if run.owner == "c1" { CONTROLLER } else { CONTROLLER + 1 };
    let Site::Network(network) = &rig.fleet.site else { panic!("{:?}", rig.fleet.site) };

    hold.forget()?;
    let pulled = Instant::now();
    network.pull(machine)?;
    // Both are held there then: the old owner, which still speaks with a server, and the new one.
    hold.reached().await?;
    assert!(pulled.elapsed() < MOVED, "it took {} ms", pulled.elapsed().as_millis());
    drop(hold);
    let ended = rig.fleet.until_runs_end().await?;
    assert_eq!(ended.state(), RunState::Succeeded, "{ended:#?}\n{}", rig.fleet.logs());

    network.plug(machine)?;
    let log = rig.fleet.folder.join(if run.owner == "c1" { "controller.log" } else { "c2.log" });
    let said = |words: &str| fs::read_to_string(&log).is_ok_and(|log| log.contains(words));
    wait::until_true("the old owner says that it stops", SOON, || {
        said("this controller stops carrying the run on")
    })
    .await?;
    assert!(
        said("was not called: this controller was cut off from the bus"),
        "{}",
        fs::read_to_string(&log)?
    );
    rig.until_both_controllers().await?;
    // Streams that were led by the server that was away may be without a leader for a while.
    wait::until_true("what is asked can be written down", 2 * SOON, || {
        rig.fleet.cli(&["host", "uncordon", "backup1"]).is_ok()
    })
    .await?;
    // Either of the two may answer, and the one that was away reads first what has happened meanwhile.
    let is_as_it_ended = |run: v1::Run| run.state() == RunState::Succeeded && run.owner == ended.owner;
    wait::until_true("both say how it ended", SOON, || {
        (0..ASKED).all(|_| rig.fleet.newest_run().is_ok_and(is_as_it_ended))
    })
    .await?;
    rig.expect_accounted_for(&ended).await
}
