//! The guide's example keeps to the protocol as every driver does.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{env, path::PathBuf};

use sanfleet_conformance::{Door, Options, Outcome, Target, run};

/// Examples are built for the tests, beside them.
fn program() -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    profile.join("examples/shelf_lsmplugin")
}

#[tokio::test]
async fn the_shelf_keeps_to_the_protocol() {
    let folder = tempfile::tempdir().unwrap();
    let uri = format!("shelf://{}", folder.path().display());
    let target = Target { uri, password: None, door: Door::Program(program()) };
    let options = Options { changes: true, many: 100, ..Options::default() };
    let report = run(&target, &options, |line| println!("{line}")).await.unwrap();
    let failed: Vec<_> =
        report.checks.iter().filter(|line| matches!(line.outcome, Outcome::Failed(_))).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(report.passed() > 50, "{}", report.summary());
    assert!(folder.path().read_dir().unwrap().next().is_none(), "something was left behind");
}
