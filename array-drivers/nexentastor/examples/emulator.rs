//! The tests' appliance by itself, for the judge and for trying the driver: `emulator rest|nms [wrong-field|wrong-status|wrong-code]`.
//!
//! It says where it listens, user and password in one line each, and ends when its standard input does. The last word breaks it on
//! purpose, so that a judge can be seen to notice.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    dead_code,
    reason = "it belongs to the tests, and uses not all of what they do"
)]

#[path = "../tests/nexentastor/emulator/mod.rs"]
mod emulator;

use std::io::Read;

use emulator::{Config, Emulator, PASSWORD, Release, USER, Wrong};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let is_given = |word: &str| words.iter().any(|given| given == word);
    let wrongs =
        [("wrong-field", Wrong::Field), ("wrong-status", Wrong::Status), ("wrong-code", Wrong::Code)];
    let wrong = wrongs.into_iter().find(|(word, _)| is_given(word)).map(|(_, wrong)| wrong);
    let release = if is_given("nms") { Release::Nms } else { Release::Rest };
    let config = Config {
        release,
        wrong,
        page: 2,
        job_polls: Some(1),
        lag: 1,
        pool_bytes: 64 << 30,
        ..Config::default()
    };
    let emulator = Emulator::start(config);
    println!("{}\n{USER}\n{PASSWORD}", emulator.address);
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
