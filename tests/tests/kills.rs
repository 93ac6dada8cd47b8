//! `kill -9` of every process, while a database is held still and while the copy is being mounted: the database takes writes
//! again within the dead-man's limit, the run ends or is undone, and nothing is left that nobody accounts for.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "this is a test"
)]

use std::time::{Duration, Instant};

use rustix::process::Signal;
use sanfleet_tests::{
    failpoint::Hold,
    process::send,
    rig::{COPY, DATA, Rig},
};

/// The limit that these tests set, and what a busy machine may add to it.
const DEAD_MAN: Duration = Duration::from_secs(3);
const SLACK: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Victim {
    Controller,
    Driver,
    /// Both processes of the host's agent.
    SourceAgent,
    TargetAgent,
    /// The one that faces the bus.
    SourceRelay,
    TargetRelay,
    /// The one that acts on the host.
    SourceHelper,
    TargetHelper,
    Bus,
}

impl Victim {
    fn kill(self, rig: &mut Rig) -> anyhow::Result<()> {
        match self {
            Self::Controller => rig.fleet.kill_controller(),
            Self::SourceAgent => rig.fleet.db1.kill_agent(),
            Self::TargetAgent => rig.fleet.backup1.kill_agent(),
            Self::SourceRelay => rig.fleet.db1.kill_relay(),
            Self::TargetRelay => rig.fleet.backup1.kill_relay(),
            Self::SourceHelper => rig.fleet.db1.kill_helper(),
            Self::TargetHelper => rig.fleet.backup1.kill_helper(),
            Self::Bus => rig.fleet.nats.kill(),
            Self::Driver => {
                for pid in rig.fleet.driver_pids() {
                    send(Signal::KILL, pid)?;
                }
            }
        }
        Ok(())
    }

    async fn revive(self, rig: &mut Rig) -> anyhow::Result<()> {
        match self {
            Self::Controller => rig.fleet.start_controller(),
            Self::SourceAgent => rig.fleet.db1.start_agent(),
            Self::TargetAgent => rig.fleet.backup1.start_agent(),
            Self::SourceRelay => rig.fleet.db1.start_relay(),
            Self::TargetRelay => rig.fleet.backup1.start_relay(),
            Self::SourceHelper => rig.fleet.db1.start_helper(),
            Self::TargetHelper => rig.fleet.backup1.start_helper(),
            Self::Bus => rig.fleet.nats.restart().await,
            Self::Driver => Ok(()),
        }
    }
}

fn ask_for_a_copy(rig: &Rig) -> anyhow::Result<()> {
    let source = format!("db1:{DATA}");
    let dead_man = format!("{}s", DEAD_MAN.as_secs());
    rig.fleet.cli(&[
        "backup",
        "attach",
        &source,
        "--to",
        "backup1",
        "--mount",
        COPY,
        "--quiesce",
        "mysql",
        "--rw",
        "--dead-man",
        &dead_man,
        "--no-wait",
    ])?;
    Ok(())
}

async fn killed_while_quiesced(victim: Victim) -> anyhow::Result<()> {
    let mut rig = Rig::new().await?;
    let database = rig.start_database().await?;
    let hold = Hold::new(rig.fleet.failpoints(), "sim.volume_replicate.before")?;
    ask_for_a_copy(&rig)?;
    hold.reached().await?;
    let held_at = Instant::now();
    victim.kill(&mut rig)?;
    // Held still until somebody lets go: the agent's guard, whatever has died.
    database.expect_writes_within(DEAD_MAN + SLACK).await?;
    assert!(held_at.elapsed() < DEAD_MAN + SLACK, "held for {:?}", held_at.elapsed());
    drop(hold);
    victim.revive(&mut rig).await?;
    let run = rig.fleet.until_runs_end().await?;
    database.expect_writes_within(SLACK).await?;
    rig.expect_accounted_for(&run).await
}

async fn killed_while_mounting(victim: Victim) -> anyhow::Result<()> {
    let mut rig = Rig::new().await?;
    let database = rig.start_database().await?;
    let (folder, place) = match victim {
        Victim::Controller => (rig.fleet.failpoints().to_owned(), "controller.mount.before"),
        _ => (rig.fleet.backup1.failpoints().to_owned(), "agent.mount.before"),
    };
    let hold = Hold::new(&folder, place)?;
    ask_for_a_copy(&rig)?;
    hold.reached().await?;
    victim.kill(&mut rig)?;
    drop(hold);
    victim.revive(&mut rig).await?;
    let run = rig.fleet.until_runs_end().await?;
    database.expect_writes_within(SLACK).await?;
    rig.expect_accounted_for(&run).await
}

macro_rules! kills {
    ($($name:ident: $how:ident($victim:ident);)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() -> anyhow::Result<()> {
            $how(Victim::$victim).await
        }
    )*};
}

kills! {
    the_controller_killed_while_the_database_is_held: killed_while_quiesced(Controller);
    the_driver_killed_while_the_database_is_held: killed_while_quiesced(Driver);
    the_agent_of_the_database_killed_while_it_is_held: killed_while_quiesced(SourceAgent);
    the_agent_of_the_target_killed_while_the_database_is_held: killed_while_quiesced(TargetAgent);
    the_process_that_faces_the_bus_killed_while_the_database_is_held: killed_while_quiesced(SourceRelay);
    the_helper_killed_while_the_database_is_held: killed_while_quiesced(SourceHelper);
    the_process_of_the_target_that_faces_the_bus_killed_while_the_database_is_held: killed_while_quiesced(TargetRelay);
    the_helper_of_the_target_killed_while_the_database_is_held: killed_while_quiesced(TargetHelper);
    the_bus_killed_while_the_database_is_held: killed_while_quiesced(Bus);
    the_controller_killed_while_mounting: killed_while_mounting(Controller);
    the_driver_killed_while_mounting: killed_while_mounting(Driver);
    the_agent_of_the_database_killed_while_mounting: killed_while_mounting(SourceAgent);
    the_agent_of_the_target_killed_while_mounting: killed_while_mounting(TargetAgent);
    the_process_that_faces_the_bus_killed_while_mounting: killed_while_mounting(TargetRelay);
    the_helper_killed_while_mounting: killed_while_mounting(TargetHelper);
    the_bus_killed_while_mounting: killed_while_mounting(Bus);
}
