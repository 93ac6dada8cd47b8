//! The driver against a targetd of the tests' own, which is held against what the real one was heard to say.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells what it saw"
)]

mod conformance;
mod emulator;
mod hostile;
mod lost;
mod recorded;
mod session;
mod traps;
