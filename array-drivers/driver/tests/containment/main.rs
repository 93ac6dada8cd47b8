//! Drivers that go wrong in every way, while another array is called ten thousand times.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
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

const CALLS: u64 = 10_000;
/// What every call to a driver that goes wrong may take.
const DEADLINE: Duration = Duration::from_secs(3);
/// What ending and reaping a driver may take besides, on a busy machine.
const BURIAL: Duration = Duration::from_secs(5);

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
        environment: vec![("TEST_FOLDER".into(), folder.into())],
        limits: Limits { memory: 64 << 20, ..Limits::default() },
        ..Options::default()
    };
    PoolOptions { session, failures: 2, pause: Duration::from_millis(500), ..PoolOptions::default() }
}

/// Calls the array until told to stop; every outcome, with how long it took.
async fn call_until(pool: Pool, stop: Arc<AtomicBool>) -> Vec<(ClientError, Duration)> {
    let mut errors = Vec::new();
    while !stop.load(Ordering::SeqCst) || errors.len() < 4 {
        let begun = Instant::now();
        let outcome = match pool.checkout(DEADLINE).await {
            Ok(mut lease) => lease.systems().await,
            Err(error) => Err(error),
        };
        errors.push((outcome.unwrap_err(), begun.elapsed()));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    errors
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
    let good =
        Pool::new(Way::Socket(serve_good(folder.path(), "good")), "good://", None, PoolOptions::default());
    let before = memory_peak();
    let stop = Arc::<AtomicBool>::default();
    let wrong: Vec<_> = ["hang", "flood", "cut", "fork", "leak"]
        .map(|kind| {
            let program = Way::Program(plugins().join(format!("{kind}_lsmplugin")));
            let pool = Pool::new(program, format!("{kind}://"), None, options(folder.path()));
            (kind, pool.clone(), tokio::spawn(call_until(pool, Arc::clone(&stop))))
        })
        .into();

    let callers: Vec<_> = (0..4)
        .map(|_| {
            let good = good.clone();
            tokio::spawn(async move {
                for _ in 0..CALLS / 4 {
                    assert_eq!(good.checkout(DEADLINE).await.unwrap().systems().await.unwrap().len(), 1);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let status = good.status();
    assert_eq!((status.breaker, status.failures, status.last_failure), (BreakerState::Closed, 0, None));
    let systems = status.calls.iter().find(|call| call.method == "systems").unwrap();
    assert_eq!((systems.count, systems.errors), (CALLS, 0));

    stop.store(true, Ordering::SeqCst);
    for (kind, pool, task) in wrong {
        let errors = task.await.unwrap();
        for (error, took) in &errors {
            assert!(*took < DEADLINE + BURIAL, "{kind}: {error} took {took:?}");
        }
        let (first, _) = &errors[0];
        assert!(is_expected(kind, first), "{kind}: {first:?}");
        // Not started over and over: the breaker has opened.
        assert!(
            errors.iter().any(|(error, _)| matches!(error, ClientError::Paused { .. })),
            "{kind}: {errors:?}"
        );
        eprintln!("{kind}: {first}; {} calls, {:?}", errors.len(), pool.status().breaker);
    }
    let grown = memory_peak() - before;
    assert!(grown < 64 << 20, "grew by {grown} bytes");
    for pid in fs::read_to_string(folder.path().join("children")).unwrap().lines() {
        assert!(is_gone(pid), "child {pid} of a driver lives on");
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
        "hang" => matches!(error, ClientError::Timeout { method: "systems", after } if *after == DEADLINE),
        "flood" => matches!(error, ClientError::Protocol { method: "systems", .. }),
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
    assert_eq!(names, ["cut", "flood", "fork", "hang", "leak"]);
    // They take the question for a registration and answer with nothing: nonsense, but no reason to stop.
    assert!(found.iter().all(|plugin| plugin.info.is_err()));
}
