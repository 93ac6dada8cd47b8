//! Applications that are held still in one piece: PostgreSQL, what only a hook knows, and what lies on several volumes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "this is a test"
)]

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use sanfleet_protocol::v1::RunState;
use sanfleet_tests::{
    failpoint::Hold,
    postgresql::Postgresql,
    process::run,
    rig::{COPY, DATA, Rig},
    wait,
};

/// The limit that these tests set, and what a busy machine may add to it.
const DEAD_MAN: Duration = Duration::from_secs(3);
const SLACK: Duration = Duration::from_secs(3);
/// A second volume of the application, mounted below the first; and its copy, below the other.
const LOG: &str = "/srv/data/log";
const LOG_COPY: &str = "/srv/copy/log";
const LOG_BYTES: u64 = 64 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_live_postgresql_has_every_row_that_was_confirmed() -> anyhow::Result<()> {
    let mut rig = Rig::new().await?;
    let data = Path::new(DATA).join("pg");
    Postgresql::create(&rig.fleet.db1, &data)?;
    let server = Postgresql::start(&rig.fleet.db1, "postgresql", &data).await?;
    server.sql("CREATE TABLE sold (n BIGSERIAL PRIMARY KEY)")?;
    server.sql("CREATE ROLE sanfleet LOGIN; GRANT pg_checkpoint, pg_read_all_settings TO sanfleet")?;
    server.sql("INSERT INTO sold SELECT FROM generate_series(1, 5000)")?;
    rig.fleet.configure_db1(&format!(
        "[[database]]\nkind = \"postgresql\"\nmount_point = {DATA:?}\nsocket = {:?}\nuser = \"sanfleet\"\n",
        server.socket()
    ))
    .await?;

    let run = rig.attach("postgresql", &["--rw"])?;
    assert_eq!(run.state(), RunState::Succeeded, "{run:#?}");
    assert!(run.copied.unwrap_or_default().blocked_us > 0);
    server.sql("INSERT INTO sold DEFAULT VALUES")?;

    let copied = Path::new(COPY).join("pg");
    // The server that it was copied from does not run on it.
    rig.fleet.backup1.run(&["rm", &copied.join("postmaster.pid").to_string_lossy()])?;
    let copy = Postgresql::start(&rig.fleet.backup1, "copy", &copied).await?;
    assert_eq!(copy.sql("SELECT count(*) FROM sold")?, "5000");
    copy.stop().await?;
    server.stop().await?;
    rig.detach()?;
    rig.expect_nothing_left().await
}

/// Notes of a hook: what it was told, a line each.
struct Notes(PathBuf);

impl Notes {
    /// Lists a hook for `/srv/data` that notes what it is told, and that needs to write there afterwards.
    async fn listed(rig: &mut Rig) -> anyhow::Result<Self> {
        Self::listed_with(rig, "true", &format!("echo > {DATA}/after")).await
    }

    /// The same, with more for its two programs to do.
    async fn listed_with(rig: &mut Rig, before: &str, after: &str) -> anyhow::Result<Self> {
        let notes = rig.fleet.folder.join("notes");
        let program = |word: &str, more: &str| {
            let script = format!("echo {word} $SANFLEET_HOOK $SANFLEET_RUN >> {}; {more}", notes.display());
            format!("{word} = [\"/bin/sh\", \"-c\", {script:?}]\n")
        };
        let (before, after) = (program("before", before), program("after", after));
        let hook =
            format!("[[hook]]\nname = \"app\"\nmount_point = {DATA:?}\n{before}{after}timeout_s = 3\n");
        rig.fleet.configure_db1(&hook).await?;
        Ok(Self(notes))
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(&self.0).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// As often begun as ended, at least.
    fn is_ended(&self) -> bool {
        let lines = self.lines();
        let count = |word: &str| lines.iter().filter(|line| line.starts_with(word)).count();
        lines.last().is_some_and(|last| last.starts_with("after")) && count("after") >= count("before")
    }
}

fn ask_for_a_copy(rig: &Rig, quiesce: &str) -> anyhow::Result<()> {
    let (source, dead_man) = (format!("db1:{DATA}"), format!("{}s", DEAD_MAN.as_secs()));
    let arguments = ["backup", "attach", &source, "--to", "backup1", "--mount", COPY, "--quiesce", quiesce];
    rig.fleet.cli(&[&arguments[..], &["--dead-man", &dead_man, "--no-wait"]].concat())?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_is_told_before_and_after_and_only_by_its_name() -> anyhow::Result<()> {
    let mut rig = Rig::new().await?;
    let notes = Notes::listed(&mut rig).await?;
    let run = rig.attach("hook:app", &[])?;
    assert_eq!(run.state(), RunState::Succeeded, "{run:#?}");
    assert_eq!(notes.lines(), [format!("before app {}", run.id), format!("after app {}", run.id)]);
    rig.detach()?;

    let source = format!("db1:{DATA}");
    let unknown = ["backup", "attach", &source, "--to", "backup1", "--mount", COPY, "--quiesce", "hook:nix"];
    let output = rig.fleet.cli_output(&unknown)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("no hook nix is known"), "{said}");
    assert_eq!(notes.lines().len(), 2);
    rig.expect_nothing_left().await
}

/// Each with how often the hook was told to begin.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_that_fails_leaves_no_copy_and_its_words_in_the_run() -> anyhow::Result<()> {
    for (before, after, begun) in [
        ("echo the queue is full >&2; exit 3", "true", 1),
        ("true", "echo it does not come up >&2; exit 3", 3),
    ] {
        let mut rig = Rig::new().await?;
        let notes = Notes::listed_with(&mut rig, before, after).await?;
        ask_for_a_copy(&rig, "hook:app")?;
        let run = rig.fleet.until_runs_end().await?;
        assert_eq!(run.state(), RunState::Undone, "{run:#?}");
        let words = if before == "true" { "it does not come up" } else { "the queue is full" };
        assert!(run.error.contains(words), "{}", run.error);
        let lines = notes.lines();
        assert_eq!(lines.iter().filter(|line| line.starts_with("before")).count(), begun, "{lines:?}");
        assert!(notes.is_ended(), "{lines:?}");
        rig.expect_nothing_left().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_is_ended_when_the_agent_is_killed_while_it_holds() -> anyhow::Result<()> {
    let mut rig = Rig::new().await?;
    let notes = Notes::listed(&mut rig).await?;
    let hold = Hold::new(rig.fleet.failpoints(), "sim.volume_replicate.before")?;
    ask_for_a_copy(&rig, "hook:app")?;
    hold.reached().await?;
    assert_eq!(notes.lines().len(), 1, "{:?}", notes.lines());
    rig.fleet.db1.kill_agent();
    wait::until_true("the guard ends the hook", SLACK, || notes.is_ended()).await?;
    drop(hold);
    rig.fleet.db1.start_agent()?;
    let run = rig.fleet.until_runs_end().await?;
    assert!(notes.is_ended(), "{:?}", notes.lines());
    rig.expect_accounted_for(&run).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_is_ended_at_the_next_start_when_agent_and_guard_were_killed() -> anyhow::Result<()> {
    let mut rig = Rig::new().await?;
    let notes = Notes::listed(&mut rig).await?;
    let hold = Hold::new(rig.fleet.failpoints(), "sim.volume_replicate.before")?;
    ask_for_a_copy(&rig, "hook:app")?;
    hold.reached().await?;
    let guards = rig.fleet.db1.processes("quiesce-guard");
    let [guard] = guards[..] else { panic!("{guards:?}") };
    // Stopped, so that it does not see its agent go.
    run("kill", &["-STOP", &guard.to_string()])?;
    rig.fleet.db1.kill_agent();
    run("kill", &["-KILL", &guard.to_string()])?;
    assert_eq!(notes.lines().len(), 1, "{:?}", notes.lines());
    rig.fleet.db1.start_agent()?;
    // It writes to what was frozen.
    let written = rig.fleet.db1.path(Path::new(DATA)).join("after");
    wait::until_true("the agent thaws and ends the hook", SLACK, || notes.is_ended() && written.exists())
        .await?;
    drop(hold);
    let run = rig.fleet.until_runs_end().await?;
    rig.expect_accounted_for(&run).await
}

/// Counts up in a file of each of two folders, always in the first one first.
struct Counter {
    counted: Arc<AtomicU64>,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Counter {
    fn start(first: &Path, second: &Path) -> Self {
        let open = |folder: &Path| {
            let file = folder.join("count");
            OpenOptions::new().create(true).truncate(false).write(true).open(file).unwrap()
        };
        let files = [open(first), open(second)];
        let (counted, closing) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (count, told) = (Arc::clone(&counted), Arc::clone(&closing));
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                let next = count.load(Ordering::Relaxed) + 1;
                for file in &files {
                    file.write_all_at(format!("{next:020}").as_bytes(), 0).unwrap();
                    file.sync_data().unwrap();
                }
                count.store(next, Ordering::Relaxed);
            }
        });
        Self { counted, closing, thread: Some(thread) }
    }

    fn counted(&self) -> u64 {
        self.counted.load(Ordering::Relaxed)
    }

    async fn goes_on(&self) -> anyhow::Result<()> {
        let wanted = self.counted() + 20;
        wait::until_true("the writer writes", DEAD_MAN + SLACK, || self.counted() >= wanted).await
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A fleet whose db1 has an application on two volumes, and who writes to both.
async fn on_two_volumes() -> anyhow::Result<(Rig, Counter)> {
    let rig = Rig::new().await?;
    rig.fleet.mount_new_volume("log", LOG_BYTES, Path::new(LOG)).await?;
    rig.fleet.until_matched("db1", Path::new(LOG)).await?;
    let [data, log] = [DATA, LOG].map(|at| rig.fleet.db1.path(Path::new(at)));
    let counter = Counter::start(&data, &log);
    counter.goes_on().await?;
    Ok((rig, counter))
}

fn counted_at(rig: &Rig, folder: &str) -> anyhow::Result<u64> {
    Ok(rig.fleet.backup1.run(&["cat", &format!("{folder}/count")])?.trim().parse()?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_of_two_volumes_are_of_one_moment_and_go_together() -> anyhow::Result<()> {
    let (rig, counter) = on_two_volumes().await?;
    for _ in 0..3 {
        let confirmed = counter.counted();
        let run = rig.attach("fsfreeze", &["--also", &format!("{LOG}={LOG_COPY}"), "--verify"])?;
        assert_eq!(run.state(), RunState::Succeeded, "{run:#?}");
        assert_eq!(run.also_attached.len(), 1);
        counter.goes_on().await?;
        let (first, second) = (counted_at(&rig, COPY)?, counted_at(&rig, LOG_COPY)?);
        assert!(second >= confirmed, "{confirmed} was confirmed, {second} is there");
        assert!(first == second || first == second + 1, "{first} is in the first, {second} in the second");
        rig.detach()?;
        rig.expect_nothing_left().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_several_copies_goes_alone_when_it_is_named() -> anyhow::Result<()> {
    let (rig, _counter) = on_two_volumes().await?;
    rig.attach("fsfreeze", &["--also", &format!("{LOG}={LOG_COPY}")])?;
    rig.fleet.cli(&["backup", "detach", &format!("backup1:{LOG_COPY}")])?;
    rig.fleet.backup1.run(&["ls", &format!("{COPY}/count")])?;
    let listed = rig.fleet.cli(&["backup", "list"])?;
    assert!(listed.contains(COPY) && !listed.contains(LOG_COPY), "{listed}");
    rig.detach()?;
    rig.expect_nothing_left().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_volumes_are_all_let_go_when_the_agent_is_killed() -> anyhow::Result<()> {
    let (mut rig, counter) = on_two_volumes().await?;
    let hold = Hold::new(rig.fleet.failpoints(), "sim.volume_replicate.before")?;
    let (source, also) = (format!("db1:{DATA}"), format!("{LOG}={LOG_COPY}"));
    let arguments = ["backup", "attach", &source, "--also", &also, "--to", "backup1", "--mount", COPY];
    rig.fleet.cli(&[&arguments[..], &["--dead-man", "3s", "--no-wait"]].concat())?;
    hold.reached().await?;
    rig.fleet.db1.kill_agent();
    counter.goes_on().await?;
    drop(hold);
    rig.fleet.db1.start_agent()?;
    let run = rig.fleet.until_runs_end().await?;
    counter.goes_on().await?;
    rig.expect_accounted_for(&run).await
}
