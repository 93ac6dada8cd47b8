//! The driver `lio` and a real machine.

#![allow(clippy::unwrap_used, reason = "this is a test")]

use sanfleet_conformance::{Door, Options, Outcome, Target, run};
use sanfleet_lab::{Lab, Store};

#[tokio::test]
#[ignore = "needs guests: cargo xtask lab"]
async fn it_keeps_to_the_protocol() {
    let lab = Lab::open().unwrap();
    let mut store = Store::boot(&lab).unwrap();
    store.begin().unwrap();
    let driver = Door::Program(store.driver(&lab).unwrap());
    let target = Target { uri: store.uri(), password: None, door: driver };
    // A guest takes seconds for a volume.
    let options = Options { changes: true, many: 0, sessions: 2, ..Options::default() };
    let report = run(&target, &options, |line| println!("{line}")).await.unwrap();
    let failed = report.checks.iter().filter(|line| matches!(line.outcome, Outcome::Failed(_)));
    let failed: Vec<String> = failed.map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{} checks failed:\n{}", failed.len(), failed.join("\n"));
    assert!(report.passed() > 60, "{}", report.summary());
}
