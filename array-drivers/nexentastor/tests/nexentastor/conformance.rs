//! The driver's program is held against the conformance suite.

use std::path::PathBuf;

use sanfleet_conformance::{Door, Options, Outcome, Report, Target, run};

use super::emulator::{Config, Emulator, PASSWORD, Release};

const MANY: usize = 60;
/// Where each of them takes its time.
const FEW: usize = 8;

#[tokio::test]
async fn it_keeps_to_the_protocol() {
    let report = conforms(Config::default(), MANY).await;
    assert!(report.passed() > 90, "{}", report.summary());
}

#[tokio::test]
async fn it_keeps_to_the_protocol_while_every_seventh_answer_to_a_change_is_lost() {
    let report = conforms(Config { lose_every: Some(7), ..Config::default() }, MANY).await;
    assert!(report.passed() > 90, "{}", report.summary());
}

#[tokio::test]
async fn it_keeps_to_the_protocol_of_an_appliance_that_is_slow_busy_and_forgetful() {
    let config = Config {
        job_polls: Some(2),
        lag: 2,
        busy_every: Some(41),
        token_life: Some(40),
        page: 3,
        odd_errors: true,
        ..Config::default()
    };
    let report = conforms(config, FEW).await;
    assert!(report.passed() > 90, "{}", report.summary());
}

#[tokio::test]
async fn it_keeps_to_the_protocol_with_releases_3_and_4() {
    let report = conforms(Config { release: Release::Nms, ..Config::default() }, FEW).await;
    assert!(report.passed() > 60, "{}", report.summary());
}

#[tokio::test]
async fn it_keeps_to_the_protocol_with_releases_3_and_4_that_are_late_busy_and_lose_every_seventh_answer_to_a_change()
 {
    let config = Config {
        release: Release::Nms,
        lose_every: Some(7),
        lag: 2,
        busy_every: Some(101),
        ..Config::default()
    };
    let report = conforms(config, FEW).await;
    assert!(report.passed() > 60, "{}", report.summary());
}

#[tokio::test]
async fn it_is_there_under_its_older_name_too() {
    let emulator = Emulator::start(Config::default());
    let target = Target {
        uri: emulator.uri().replace("nexentastor://", "nstor://"),
        password: Some(PASSWORD.into()),
        door: Door::Program(PathBuf::from(env!("CARGO_BIN_EXE_nstor_lsmplugin"))),
    };
    let report = run(&target, &Options::default(), |line| println!("{line}")).await.unwrap();
    let failed = report.checks.iter().any(|line| matches!(line.outcome, Outcome::Failed(_)));
    assert!(!failed && report.passed() > 20, "{}", report.summary());
}

async fn conforms(config: Config, many: usize) -> Report {
    let emulator = Emulator::start(config);
    let target = Target {
        uri: emulator.uri(),
        password: Some(PASSWORD.into()),
        door: Door::Program(PathBuf::from(env!("CARGO_BIN_EXE_nexentastor_lsmplugin"))),
    };
    let options = Options { changes: true, many, ..Options::default() };
    let report = run(&target, &options, |line| println!("{line}")).await.unwrap();
    let failed = report.checks.iter().filter(|line| matches!(line.outcome, Outcome::Failed(_)));
    let failed: Vec<String> = failed.map(ToString::to_string).collect();
    println!("{}", report.summary());
    assert!(failed.is_empty(), "{} checks failed:\n{}", failed.len(), failed.join("\n"));
    report
}
