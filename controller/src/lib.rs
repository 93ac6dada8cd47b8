//! The controller: it knows the fleet and the arrays, matches the two, and carries out runs.
//!
//! One way round, always: report → [`ingest`] → [`catalog`] → [`matching`] → [`plan`] → [`runs`] → driver call or agent
//! command → result → [`events`]. It never touches a block device and keeps nothing that the bus does not keep.

pub mod agents;
pub mod api;
pub mod arrays;
pub mod bus;
pub mod catalog;
pub mod clock;
pub mod config;
pub mod controller;
pub mod events;
mod failpoint;
pub mod ingest;
pub mod lease;
pub mod matching;
pub mod plan;
pub mod presence;
pub mod runs;
pub mod selector;
pub mod state;
mod stored_arrays;
