//! The simulated array through its executable and the client.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod access;
#[allow(dead_code, reason = "two test programs share it, and neither needs all of it")]
mod bench;
mod job;
mod session;
mod share;
mod volume;
