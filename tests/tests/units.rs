//! The systemd units: how exposed systemd itself finds the services that they start.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is a test"
)]

use std::{path::Path, process::Command};

/// What `systemd-analyze security` says of a unit: 0 is best, 10 worst.
fn exposure(unit: &str) -> f64 {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/systemd").join(unit);
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .arg(&file)
        .output()
        .expect("systemd-analyze is installed by cargo xtask test");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let verdict =
        said.lines().rev().find_map(|line| line.split_once("Overall exposure level")).unwrap_or_else(|| {
            panic!("{unit}: {said}{}", String::from_utf8_lossy(&output.stderr));
        });
    let words = verdict.1.split(": ").nth(1).unwrap();
    words.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn the_controller_is_hardly_exposed() {
    assert!(exposure("sanfleet-controller.service") <= 1.5);
}

/// It has to mount for the whole host, so it has root's rights and no file system of its own. This bound only keeps it from
/// becoming worse.
#[test]
fn the_agent_is_no_more_exposed_than_it_has_to_be() {
    assert!(exposure("sanfleet-agent.service") <= 5.7);
}
