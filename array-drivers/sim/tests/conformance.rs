//! The simulated array is held against the conformance suite, in each of its profiles.

use std::path::PathBuf;

use sanfleet_conformance::{Door, Options, Outcome, Target, run};

#[tokio::test]
async fn the_plain_array_keeps_to_the_protocol() {
    conforms("", 150).await;
}

#[tokio::test]
async fn the_array_whose_jobs_take_time_keeps_to_the_protocol() {
    conforms("&job_ms=20", 0).await;
}

/// Runs every check on an array of its own; `parameters` (`&key=value`) choose the profile.
async fn conforms(parameters: &str, many: usize) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display();
    let target = Target {
        uri: format!("sim://?statefile={root}/state.db&data={root}/data&fabric={root}/fabric{parameters}"),
        password: None,
        door: Door::Program(PathBuf::from(env!("CARGO_BIN_EXE_sim_lsmplugin"))),
    };
    let options = Options { changes: true, disks: true, many, size: 1 << 20, ..Options::default() };
    let report = run(&target, &options, |line| println!("{line}")).await.unwrap();
    let failed: Vec<String> = report
        .checks
        .iter()
        .filter(|line| matches!(line.outcome, Outcome::Failed(_)))
        .map(ToString::to_string)
        .collect();
    println!("{}", report.summary());
    assert!(failed.is_empty(), "{} checks failed:\n{}", failed.len(), failed.join("\n"));
    assert!(report.passed() > 40, "{}", report.summary());
}
