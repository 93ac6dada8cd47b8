//! The driver against an appliance of the tests' own.

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
mod session;
mod stranger;
mod traps;
