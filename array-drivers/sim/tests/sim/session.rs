use std::process::Command;

use sanfleet_driver::{Capability, ErrorNumber};

use crate::bench::{Bench, pool, refusal, volume};

#[tokio::test]
async fn a_new_array_has_a_system_four_pools_and_five_ports() {
    let bench = Bench::new();
    let mut session = bench.open_with("&pool_bytes=1048576", Vec::new()).await.unwrap();
    let system = session.systems().await.unwrap().remove(0);
    let pools = session.pools(None).await.unwrap();
    let names: Vec<_> = pools.iter().map(|pool| pool.name.as_str()).collect();
    assert_eq!(names, ["Pool 1", "Pool 2(sub pool of Pool 1)", "Pool 3", "lsm_test_aggr"]);
    assert!(pools.iter().all(|pool| pool.system_id == system.id));
    // The first one is four times as large, and a part of it is the second one.
    let free: Vec<_> = pools.iter().map(|pool| pool.free_space.unwrap() >> 20).collect();
    assert_eq!(free, [3, 1, 1, 1]);
    assert_eq!(pool(&mut session).await.total_space, Some(1 << 20));
    assert_eq!(session.target_ports(None).await.unwrap().len(), 5);
    let capabilities = session.capabilities(&system).await.unwrap();
    assert!(capabilities.supports(Capability::VOLUME_REPLICATE_CLONE));
    assert!(!capabilities.supports(Capability::VOLUME_PHYSICAL_DISK_CACHE_UPDATE_SYSTEM_LEVEL));
    session.close().await.unwrap();
}

#[tokio::test]
async fn volumes_outlive_the_session_and_keep_their_identity() {
    let bench = Bench::new();
    let mut session = bench.open().await;
    let before = volume(&mut session, "data", 1 << 20).await;
    session.close().await.unwrap();
    let mut session = bench.open().await;
    assert_eq!(session.volume(&before.id).await.unwrap(), Some(before));
}

#[tokio::test]
async fn wrong_parameters_are_refused_by_name() {
    let bench = Bench::new();
    let error = bench.open_with("&colour=blue", Vec::new()).await.unwrap_err();
    assert!(error.to_string().contains("colour"), "{error}");
    assert_eq!(refusal(Err::<(), _>(error)), ErrorNumber::InvalidArgument);
}

#[tokio::test]
async fn an_array_does_not_move_between_folders() {
    let bench = Bench::new();
    bench.open().await.close().await.unwrap();
    let moved = bench.uri("").replace("/data&", "/elsewhere&");
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_sim_lsmplugin"));
    let outcome =
        sanfleet_driver::client::Session::connect_executable(program, &moved, None, Default::default()).await;
    assert_eq!(refusal(outcome.map(drop)), ErrorNumber::InvalidArgument);
}

#[tokio::test]
async fn a_state_file_of_an_older_version_is_refused_and_says_what_to_do() {
    let bench = Bench::new();
    rusqlite::Connection::open(bench.path("state.db"))
        .unwrap()
        .pragma_update(None, "user_version", 1)
        .unwrap();
    let error = bench.open_with("", Vec::new()).await.unwrap_err();
    assert!(error.to_string().contains("move or delete"), "{error}");
    assert_eq!(refusal(Err::<(), _>(error)), ErrorNumber::InvalidArgument);
}

#[tokio::test]
async fn a_seed_makes_the_same_identities_again() {
    let (one, same, other) = (Bench::new(), Bench::new(), Bench::new());
    let mut seen = Vec::new();
    for (bench, seed) in [(&one, "&seed=7"), (&same, "&seed=7"), (&other, "&seed=8")] {
        let mut session = bench.open_with(seed, Vec::new()).await.unwrap();
        let disk = session.disks(None).await.unwrap().remove(0);
        seen.push((volume(&mut session, "data", 512).await.vpd83, disk.vpd83));
    }
    assert_eq!(seen[0], seen[1]);
    assert!(seen[0].0 != seen[2].0 && seen[0].1 != seen[2].1, "{seen:?}");
}

#[tokio::test]
async fn a_state_file_of_something_else_is_left_alone() {
    let bench = Bench::new();
    std::fs::write(bench.path("state.db"), "not a database, but somebody's work of years").unwrap();
    let error = bench.open_with("", Vec::new()).await.unwrap_err();
    let wanted = format!("move or delete {}", bench.path("state.db").display());
    assert!(error.to_string().contains(&wanted), "{error}");
    assert_eq!(refusal(Err::<(), _>(error)), ErrorNumber::InvalidArgument);
    let kept = std::fs::read_to_string(bench.path("state.db")).unwrap();
    assert_eq!(kept, "not a database, but somebody's work of years");
}

#[test]
fn the_program_says_what_it_is_and_refuses_what_is_no_socket() {
    let run =
        |argument: &str| Command::new(env!("CARGO_BIN_EXE_sim_lsmplugin")).arg(argument).output().unwrap();
    let version = run("--version");
    assert!(version.status.success());
    assert!(String::from_utf8_lossy(&version.stdout).contains("simulated"));
    assert!(run("--help").status.success());
    assert_eq!(run("0").status.code(), Some(2));
    assert_eq!(run("4000000000").status.code(), Some(2));
    assert_eq!(run("list").status.code(), Some(2));
}
