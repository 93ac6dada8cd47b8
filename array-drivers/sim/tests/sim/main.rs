//! The simulated array through its executable and the client.

mod access;
mod bench;
mod job;
mod session;
mod share;
mod volume;
