//! Drivers that go wrong in every way, while another array is called ten thousand times.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use sanfleet_driver::{
    ArrayDriver, LsmError, PluginInfo, System, SystemId, SystemMode, SystemStatus, array_driver,
    client::{
        ClientError, Limits, LostReason, Options, Way, available_plugins, installed_plugins,
        pool::{BreakerState, Pool, PoolOptions},
    },
    serve,
};

/// How many calls of the other array there are at least.
const CALLS: u64 = 10_000;
/// How many make them side by side.
const CALLERS: usize = 4;
/// What every call to a driver that goes wrong may take, with the start of the driver.
const DEADLINE: Duration = Duration::from_secs(3);
/// How much later its error may come.
const LATE: Duration = Duration::from_millis(500);
/// What no call of the other array takes, though the machine is busy: far less than the deadline that a call behind a driver that
/// hangs would take.
const LONGEST: Duration = Duration::from_secs(1);
/// Trouble that is over sooner says nothing about whether others are served meanwhile. Those that hang take far longer.
const TELLING: Duration = Duration::from_millis(500);
/// The longest reply that is taken of a driver that goes wrong, in bytes.
const MAX_FRAME: usize = 16 << 20;
/// How the drivers go wrong: each is a plug-in of this name, but for one that is a socket where nobody speaks.
const WRONG: [&str; 7] = ["hang", "silent", "flood", "swamp", "cut", "fork", "leak"];

struct Good;

#[array_driver]
impl ArrayDriver for Good {
    fn plugin_info(&self) -> PluginInfo {
        PluginInfo { description: "an array without fault".into(), version: "1".into() }
    }

    fn plugin_register(&mut self, _: &str, _: Option<&str>, _: Duration) -> Result<(), LsmError> {
        Ok(())
    }

    fn systems(&mut self) -> Result<Vec<System>, LsmError> {
        Ok(vec![System {
            id: SystemId::new("good"),
            name: "good".into(),
            status: SystemStatus::OK,
            status_info: String::new(),
            plugin_data: None,
            fw_version: String::new(),
            mode: SystemMode::NO_SUPPORT,
            read_cache_pct: -2,
        }])
    }
}

/// Serves the good array behind a socket of this name, a thread a session, as a daemon would with a process.
fn serve_good(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    let listener = UnixListener::bind(&path).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || serve(&mut Good, stream));
        }
    });
    path
}

fn plugins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/containment/plugins")
}

fn options(folder: &Path) -> PoolOptions {
    let session = Options {
        deadline: DEADLINE,
        max_frame: MAX_FRAME,
        environment: vec![
            ("TEST_FOLDER".into(), folder.into()),
            ("MAX_FRAME".into(), MAX_FRAME.to_string().into()),
        ],
        limits: Limits { memory: 64 << 20, ..Limits::default() },
    };
    PoolOptions { session, failures: 2, pause: Duration::from_millis(500), ..PoolOptions::default() }
}

/// What happens on both sides, as each side can see it.
#[derive(Default)]
struct Course {
    /// Calls of the good array that were answered.
    answered: AtomicU64,
    /// Wrong drivers whose first caller has its error.
    erred: AtomicUsize,
    /// The good array's callers are done.
    over: AtomicBool,
}

/// One error of a driver that goes wrong.
struct Trouble {
    error: ClientError,
    took: Duration,
    /// How many calls of the good array were answered meanwhile.
    meanwhile: u64,
}

/// Calls an array that goes wrong until the other one's callers are done; every outcome.
async fn call_wrong(pool: Pool, course: Arc<Course>) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    while !course.over.load(Ordering::SeqCst) || troubles.len() < 4 {
        let (begun, answered) = (Instant::now(), course.answered.load(Ordering::SeqCst));
        let error = called(&pool).await.unwrap_err();
        let meanwhile = course.answered.load(Ordering::SeqCst) - answered;
        if troubles.is_empty() {
            course.erred.fetch_add(1, Ordering::SeqCst);
        }
        troubles.push(Trouble { error, took: begun.elapsed(), meanwhile });
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    troubles
}

/// One call of somebody who has so much time for all of it.
async fn called(pool: &Pool) -> Result<Vec<System>, ClientError> {
    let begun = Instant::now();
    let mut lease = pool.checkout(DEADLINE).await?;
    lease.within(DEADLINE.saturating_sub(begun.elapsed())).systems().await
}

/// Calls the good array until there were enough calls and every wrong driver has erred; how long the longest call took.
async fn call_good(pool: Pool, course: Arc<Course>) -> Duration {
    let mut longest = Duration::ZERO;
    while course.answered.load(Ordering::SeqCst) < CALLS || course.erred.load(Ordering::SeqCst) < WRONG.len()
    {
        let begun = Instant::now();
        assert_eq!(called(&pool).await.unwrap().len(), 1);
        longest = longest.max(begun.elapsed());
        course.answered.fetch_add(1, Ordering::SeqCst);
    }
    longest
}

/// The way to a driver that goes wrong.
fn wrong_way(kind: &str, folder: &Path) -> Way {
    match kind {
        "silent" => Way::Socket(folder.join(kind)),
        _ => Way::Program(plugins().join(format!("{kind}_lsmplugin"))),
    }
}

fn memory_peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

fn is_gone(pid: &str) -> bool {
    // A child that nobody reaps any more is gone all the same.
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drivers_that_go_wrong_cost_their_own_callers_one_clear_error_and_nobody_else_anything() {
    let folder = tempfile::tempdir().unwrap();
    let path = serve_good(folder.path(), "good");
    let good = Pool::new(Way::Socket(path), "good://", None, PoolOptions::default());
    // Accepted by the kernel, and by nobody else.
    let _silent = UnixListener::bind(folder.path().join("silent")).unwrap();
    let (before, course) = (memory_peak(), Arc::<Course>::default());

    let callers: Vec<_> =
        (0..CALLERS).map(|_| tokio::spawn(call_good(good.clone(), Arc::clone(&course)))).collect();
    let wrong = WRONG.map(|kind| {
        let way = wrong_way(kind, folder.path());
        let pool = Pool::new(way, format!("{kind}://"), None, options(folder.path()));
        (kind, tokio::spawn(call_wrong(pool, Arc::clone(&course))))
    });
    for caller in callers {
        let longest = caller.await.unwrap();
        assert!(longest < LONGEST, "a call of the good array took {longest:?}");
    }
    course.over.store(true, Ordering::SeqCst);

    let status = good.status();
    assert_eq!((status.breaker, status.failures, status.last_failure), (BreakerState::Closed, 0, None));
    let systems = status.calls_by_method["systems"];
    assert_eq!((systems.count, systems.failed), (course.answered.load(Ordering::SeqCst), 0));
    assert!(systems.count >= CALLS);
    for (kind, task) in wrong {
        let troubles = task.await.unwrap();
        assert_contained(kind, &troubles);
        let first = &troubles[0];
        eprintln!("{kind}: {} after {:?}, {} good calls meanwhile", first.error, first.took, first.meanwhile);
    }
    let grown = memory_peak() - before;
    assert!(grown < 64 << 20, "grew by {grown} bytes");
    assert_children_end(folder.path()).await;
}

/// Each caller had one error, in time and for the reason that there was, while others were served; and the driver is not started
/// over and over.
fn assert_contained(kind: &str, troubles: &[Trouble]) {
    for Trouble { error, took, .. } in troubles {
        assert!(*took < DEADLINE + LATE, "{kind}: {error} took {took:?}");
        let paused = matches!(error, ClientError::Paused { .. });
        assert!(paused || is_expected(kind, error), "{kind}: {error:?}");
    }
    let first = troubles.first().unwrap();
    assert!(is_expected(kind, &first.error), "{kind}: {:?}", first.error);
    let served = first.meanwhile > 0 || first.took < TELLING;
    assert!(served, "{kind}: no call of the good array was answered within {:?}", first.took);
    let opened = troubles.iter().any(|trouble| matches!(trouble.error, ClientError::Paused { .. }));
    assert!(opened, "{kind}: the breaker has not opened in {} calls", troubles.len());
}

/// They are killed with their driver, and nobody waits for that.
async fn assert_children_end(folder: &Path) {
    let end = Instant::now() + Duration::from_secs(5);
    for pid in fs::read_to_string(folder.join("children")).unwrap().lines() {
        while !is_gone(pid) {
            assert!(Instant::now() < end, "child {pid} of a driver lives on");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn is_expected(kind: &str, error: &ClientError) -> bool {
    let closed = |code: i32, memory: Option<u64>| match error {
        ClientError::Lost { reason: LostReason::Closed { end: Some(end) }, .. } => {
            end.status.code() == Some(code) && end.memory_limit == memory
        }
        _ => false,
    };
    match kind {
        "hang" => matches!(error, ClientError::Timeout { method: "systems", after } if *after <= DEADLINE),
        "silent" => matches!(error, ClientError::Timeout { method: "plugin_register", .. }),
        "flood" | "swamp" => matches!(error, ClientError::Protocol { method: "systems", .. }),
        "cut" => closed(3, None),
        "fork" => closed(0, None),
        "leak" => closed(1, Some(64 << 20)) && error.to_string().contains("at its limit of 64 MiB of memory"),
        _ => false,
    }
}

#[tokio::test]
async fn a_broken_plug_in_keeps_no_other_out_of_the_list() {
    let folder = tempfile::tempdir().unwrap();
    serve_good(folder.path(), "good");
    let silent = UnixListener::bind(folder.path().join("silent")).unwrap();
    drop(UnixListener::bind(folder.path().join("left_behind")).unwrap());
    fs::write(folder.path().join("a file"), "").unwrap();
    let options = Options { deadline: Duration::from_millis(300), ..Options::default() };
    let found = available_plugins(folder.path(), &options).await.unwrap();
    drop(silent);
    let names: Vec<&str> = found.iter().map(|plugin| plugin.name.as_str()).collect();
    assert_eq!(names, ["good", "left_behind", "silent"]);
    assert_eq!(found[0].info.as_ref().unwrap().description, "an array without fault");
    assert!(matches!(found[1].info, Err(ClientError::Start { .. })));
    assert!(matches!(found[2].info, Err(ClientError::Timeout { .. })));
}

#[tokio::test]
async fn installed_plug_ins_are_found_by_their_suffix() {
    let options = Options { deadline: Duration::from_secs(5), ..Options::default() };
    let found = installed_plugins(&plugins(), &options).await.unwrap();
    let names: Vec<&str> = found.iter().map(|plugin| plugin.name.as_str()).collect();
    assert_eq!(names, ["cut", "flood", "fork", "hang", "leak", "swamp"]);
    // They take the question for a registration and answer with nothing: nonsense, but no reason to stop.
    assert!(found.iter().all(|plugin| plugin.info.is_err()));
}
