//! The simulated array is held against the conformance suite, in each of its profiles.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells what it saw"
)]

use std::path::PathBuf;

use sanfleet_conformance::{Door, Options, Outcome, Report, Target, run};

/// Objects of an array that is quick, and of one whose every change takes its time.
const THOUSANDS: usize = 2_000;
const HUNDRED: usize = 100;

#[tokio::test]
async fn the_plain_array_keeps_to_the_protocol() {
    conforms("", THOUSANDS).await;
}

#[tokio::test]
async fn the_dumb_array_keeps_to_the_protocol() {
    conforms("&profile=dumb", HUNDRED).await;
}

#[tokio::test]
async fn the_array_that_makes_every_change_a_job_keeps_to_the_protocol() {
    conforms("&profile=async&job_ms=20", HUNDRED).await;
}

#[tokio::test]
async fn the_array_whose_lists_lag_behind_keeps_to_the_protocol() {
    conforms("&profile=eventual&lag_ms=20", HUNDRED).await;
}

#[tokio::test]
async fn the_array_whose_jobs_take_time_keeps_to_the_protocol() {
    conforms("&job_ms=20", HUNDRED).await;
}

#[tokio::test]
async fn each_of_the_huge_arrays_volumes_has_its_pool_and_its_identity() {
    huge_conforms("every volume is in a listed pool", false).await;
}

#[tokio::test]
async fn the_huge_arrays_volumes_are_found_by_what_they_are_searched_by() {
    huge_conforms("volumes are found by what they are searched by", false).await;
}

#[tokio::test]
async fn the_huge_array_claims_what_it_lists() {
    huge_conforms("capability", false).await;
}

#[tokio::test]
async fn the_pages_of_the_huge_array_are_its_list() {
    huge_conforms("the pages are the list", true).await;
}

/// Only what the filter picks, one test each, and changes only where it cannot be without: each list of a hundred thousand volumes
/// takes its time, and after each check that may change something all are listed several times over. What does not depend on how
/// many volumes there are is tried with the other arrays.
async fn huge_conforms(filter: &str, changes: bool) {
    let options = Options { filter: Some(filter.into()), changes, ..options(0) };
    let report = Array::new("&profile=huge").conforms(options).await;
    let asked = report.checks.iter().filter(|line| line.group != "run" && line.group != "wire");
    assert!(asked.filter(|line| line.outcome == Outcome::Passed).count() > 0, "{}", report.summary());
}

/// Runs every check on an array of its own; `parameters` (`&key=value`) choose the profile.
async fn conforms(parameters: &str, many: usize) {
    let report = Array::new(parameters).conforms(options(many)).await;
    assert!(report.passed() > 40, "{}", report.summary());
}

fn options(many: usize) -> Options {
    Options { changes: true, disks: true, many, size: 1 << 20, ..Options::default() }
}

struct Array {
    target: Target,
    _folder: tempfile::TempDir,
}

impl Array {
    fn new(parameters: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display();
        let target = Target {
            uri: format!(
                "sim://?statefile={root}/state.db&data={root}/data&fabric={root}/fabric{parameters}"
            ),
            password: None,
            door: Door::Program(PathBuf::from(env!("CARGO_BIN_EXE_sim_lsmplugin"))),
        };
        Self { target, _folder: folder }
    }

    async fn conforms(&self, options: Options) -> Report {
        let report = run(&self.target, &options, |line| println!("{line}")).await.unwrap();
        let failed = report.checks.iter().filter(|line| matches!(line.outcome, Outcome::Failed(_)));
        let failed: Vec<String> = failed.map(ToString::to_string).collect();
        println!("{}", report.summary());
        assert!(failed.is_empty(), "{} checks failed:\n{}", failed.len(), failed.join("\n"));
        report
    }
}
