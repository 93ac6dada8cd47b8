//! The simulated array through its executable and the client.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod access;
mod bench;
mod changes;
mod faults;
mod file_system;
mod huge;
mod job;
#[cfg(feature = "failpoints")]
mod kill;
mod session;
mod share;
mod stand_alone;
mod storm;
mod volume;
