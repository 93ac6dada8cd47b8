//! The whole program, called as `lsmcli`, against an array behind a socket as libStorageMgmt's daemon makes one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "this is a test"
)]

mod array;
mod desk;
mod every_command;
mod terminal;
mod trouble;
