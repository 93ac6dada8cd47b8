//! The fuzzer that is led by coverage: the target is named by `SANFLEET_FUZZ_TARGET`, the rest is libFuzzer's command line.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use sanfleet_fuzz::{Target, named};

fuzz_target!(|bytes: &[u8]| (target().run)(bytes));

fn target() -> &'static Target {
    static TARGET: OnceLock<&'static Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name = std::env::var("SANFLEET_FUZZ_TARGET").unwrap_or_default();
        named(&name).unwrap_or_else(|| {
            eprintln!("SANFLEET_FUZZ_TARGET names no target: {name:?}");
            std::process::exit(2)
        })
    })
}
