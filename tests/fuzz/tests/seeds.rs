//! Every target with its seeds and with changed seeds, for a bounded time, in a plain build.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

use std::{
    fs, panic,
    path::PathBuf,
    time::{Duration, Instant},
};

use sanfleet_fuzz::{
    TARGETS, Target,
    mutate::{Chance, changed},
    named,
};

/// For each target.
const TIME: Duration = Duration::from_millis(2_500);
/// An input that takes longer than this holds a client up.
const LONGEST: Duration = Duration::from_secs(2);

/// One test for each target.
macro_rules! targets {
    ($($test:ident: $name:literal;)*) => {
        $(#[test]
        fn $test() {
            survives(named($name).unwrap());
        })*

        #[test]
        fn every_target_is_tested() {
            let tested = [$($name),*];
            assert!(TARGETS.iter().map(|target| target.name).eq(tested));
        }
    };
}

targets! {
    any_bytes_are_frames_or_refused: "frame";
    any_request_is_answered: "request";
    any_reply_is_read_or_refused: "reply";
    any_json_is_a_record_or_refused: "record";
    any_text_is_a_uri_or_refused: "uri";
    any_text_is_a_capability_set_or_refused: "capabilities";
    any_text_is_an_id_or_refused: "id";
    any_text_is_a_size_or_refused: "size";
    any_answer_of_a_nexentastor_is_read_or_refused: "nexentastor";
    any_bytes_are_a_word_of_the_agents_processes_or_refused: "word";
    any_bytes_are_a_command_that_somebody_has_signed_or_refused: "envelope";
    any_disk_is_read_or_refused: "superblock";
    any_page_of_a_device_is_read_or_refused: "vpd";
    any_report_is_read_or_refused: "report";
    any_configuration_is_read_or_refused: "config";
    any_invitation_is_read_or_refused: "invitation";
}

fn survives(target: &Target) {
    let seeds = seeds(target.name);
    for seed in &seeds {
        run(target, seed);
    }
    let (end, mut chance) = (Instant::now() + TIME, Chance::new(1));
    while Instant::now() < end {
        run(target, &changed(&seeds, &mut chance));
    }
}

/// What kills a target is kept, and the way to it is told.
fn run(target: &Target, input: &[u8]) {
    let begin = Instant::now();
    let outcome = panic::catch_unwind(|| (target.run)(input));
    if outcome.is_err() || begin.elapsed() > LONGEST {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let path = folder.join(format!("crash-{}", target.name));
        fs::write(&path, input).unwrap();
        panic!(
            "{} dies of {}: cargo xtask fuzz --input {} {}",
            target.name,
            input.escape_ascii(),
            path.display(),
            target.name
        );
    }
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} has no seeds", folder.display());
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}
