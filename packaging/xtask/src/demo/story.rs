//! The story, from an empty machine to an empty machine.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use sanfleet_protocol::{rights::Role, v1};
use sanfleet_tests::{
    control::Programs,
    disk,
    fleet::{BusSetup, Fleet, Setup},
    host::DatabaseLogin,
    leftovers::{self, Leftovers},
    mariadb::MariaDb,
    writer::{Stall, Writer},
};
use serde::Serialize;

use super::say::{Step, line};

const DATA: &str = "/srv/mysql";
const COPY: &str = "/srv/copy";
const VOLUME_BYTES: u64 = 1 << 30;
/// Rows before the copy begins: enough for the usual gap between two commits to be known.
const WARM_UP_ROWS: u64 = 500;
const USER: &str = "sanfleet";
const PASSWORD: &str = "only for the demo";

/// The last line.
#[derive(Debug, Serialize)]
struct Figures {
    ok: bool,
    writes_blocked_ms: f64,
    quiesce_ms: f64,
    replicate_ms: f64,
    resume_ms: f64,
    rows_before_freeze: u64,
    rows_in_copy: u64,
    total_ms: f64,
    leftovers: Leftovers,
}

pub async fn tell(programs: Programs, folder: &Path, keep: bool) -> anyhow::Result<()> {
    line("sanfleet demo: a copy of a live database, mounted on another host.");
    line(
        "Real: nats-server, controller, agents, driver, MariaDB, file systems. Simulated: the array and its fabric.",
    );

    let step = Step::begin("The ground: a store with reflinks for the simulated array");
    let mounted = folder.join("store");
    disk::make_reflink_store(&folder.join("store.img"), &mounted, 6 << 30)?;
    let store = mounted.join(super::IN_STORE.trim_start_matches('/'));
    step.done("an XFS image, mounted");

    let step =
        Step::begin("The fleet: nats-server, a controller, agents on hosts db1 and backup1, array lab");
    let socket = folder.join("db1/mariadb-run/sock");
    let login = DatabaseLogin {
        mount_point: DATA.into(),
        socket: socket.clone(),
        user: USER.into(),
        password: PASSWORD.into(),
    };
    let fleet = Fleet::start(
        programs,
        Setup { folder, store: &store, databases: &[login], pool_bytes: 8 << 30, bus: BusSetup::Guarded },
    )
    .await?;
    step.done("both hosts have reported");

    let step = Step::begin(
        "The database: a volume of the array on db1, with MariaDB on it and a writer that never stops",
    );
    let data = Path::new(DATA);
    let volume = fleet.mount_new_volume("mysql", VOLUME_BYTES, data).await?;
    MariaDb::create(&fleet.db1, data)?;
    let server = MariaDb::start(&fleet.db1, "mariadb", data).await?;
    server.add_backup_user(USER, PASSWORD).await?;
    let writer = Writer::start(&server).await?;
    server.wait_for_commits(&writer, WARM_UP_ROWS).await?;
    fleet.add_array()?;
    fleet.until_matched("db1", data).await?;
    step.done(&format!("volume {volume}, {} rows committed", writer.committed()));

    show(&fleet, &["map", "db1"])?;

    let source = format!("db1:{DATA}");
    let attach =
        ["backup", "attach", &source, "--to", "backup1", "--mount", COPY, "--quiesce", "mysql", "--rw"];
    let (before, begun) = (leftovers::count(&fleet, Path::new("/srv")).await?, Instant::now());
    ensure!(before == Leftovers::NONE, "there were leftovers before the copy: {before:?}");
    show(&fleet, &attach)?;
    let total = begun.elapsed();
    server.wait_for_commits(&writer, 100).await?;
    let stall = writer.longest_stall(begun).context("the writer was too slow to measure")?;
    let copied = fleet.newest_run()?.copied.context("the run has no figures")?;
    say_figures(&stall, &copied, total);

    let step = Step::begin("The proof: a second MariaDB, on backup1, on the copy");
    let second = MariaDb::start(&fleet.backup1, "mariadb-copy", Path::new(COPY)).await?;
    let (rows, highest) = second.count_rows().await?;
    ensure!(rows == highest, "the copy has {rows} rows, numbered up to {highest}: some are missing");
    ensure!(
        rows >= stall.rows_before,
        "{} rows were committed before, the copy has {rows}",
        stall.rows_before
    );
    step.done(&format!("{} rows were committed before the copy, {rows} are in it", stall.rows_before));
    if keep {
        return look_around(&fleet).await;
    }
    second.stop().await?;

    show(&fleet, &["backup", "detach", &format!("backup1:{COPY}")])?;
    let left = leftovers::count(&fleet, Path::new("/srv")).await?;
    let written = writer.stop().await?;
    line(&format!("\ndb1 wrote on all the time: {written} rows by now."));
    server.stop().await?;

    let figures = Figures {
        ok: left == Leftovers::NONE,
        writes_blocked_ms: ms(stall.blocked),
        quiesce_ms: us(copied.quiesce_us),
        replicate_ms: us(copied.replicate_us),
        resume_ms: us(copied.resume_us),
        rows_before_freeze: stall.rows_before,
        rows_in_copy: rows,
        total_ms: ms(total),
        leftovers: left,
    };
    line(&serde_json::to_string(&figures)?);
    ensure!(figures.ok, "something was left behind: {left:?}");
    Ok(())
}

/// Runs the command line as a person would, who sees all that it says.
fn show(fleet: &Fleet, arguments: &[&str]) -> anyhow::Result<()> {
    line(&format!("\n$ sanfleet {}", arguments.join(" ")));
    let status = fleet.cli_command(arguments).status()?;
    ensure!(status.success(), "it ended with {status}\n{}", fleet.logs());
    Ok(())
}

fn say_figures(stall: &Stall, copied: &v1::VolumeCopied, total: Duration) {
    line(&format!(
        "\nThe writer felt {:.1} ms more than its usual {:.1} ms between two commits.",
        ms(stall.blocked),
        ms(stall.usual)
    ));
    line(&format!(
        "Of it the array's clone took {:.1} ms; quiesce with its preparation {:.1} ms, resume {:.1} ms. All in all {:.0} ms.",
        us(copied.replicate_us),
        us(copied.quiesce_us),
        us(copied.resume_us),
        ms(total)
    ));
}

async fn look_around(fleet: &Fleet) -> anyhow::Result<()> {
    line("\nEverything is running. In another terminal:");
    line(&format!("  export SANFLEET_NATS={}", fleet.nats.url()));
    if let Some(file) = fleet.nats.credentials("admin", Role::Administrator)? {
        line(&format!("  export SANFLEET_CREDS={}", file.display()));
    }
    if let Some(file) = fleet.nats.authority() {
        line(&format!("  export SANFLEET_CA={}", file.display()));
    }
    line("  sanfleet status; sanfleet map; sanfleet events --follow      (target/debug/sanfleet)");
    line(&format!(
        "  nsenter --mount=/proc/{}/ns/mnt ls {COPY}          (inside backup1)",
        fleet.backup1.keeper_pid()
    ));
    line(&format!("  sanfleet backup detach backup1:{COPY}              (stop the MariaDB on it first)"));
    for (name, pid) in fleet.pids() {
        line(&format!("  {name}: pid {pid}"));
    }
    line("Ctrl-C here stops it all and leaves nothing.");
    std::future::pending().await
}

fn ms(duration: Duration) -> f64 {
    round(duration.as_secs_f64() * 1e3)
}

fn us(micros: u64) -> f64 {
    ms(Duration::from_micros(micros))
}

/// To a hundredth: the rest is noise.
fn round(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}
