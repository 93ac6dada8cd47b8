//! The controller: it knows the fleet and the arrays, matches the two, and carries out runs.
//!
//! One way round, always: report → [`ingest`] → [`catalog`] → [`matching`] → [`plan`] → [`runs`] → driver call or agent
//! command → result → [`events`]. It never touches a block device and keeps nothing that the bus does not keep.

pub mod agents;
pub mod api;
pub mod arrays;
pub mod audit;
pub mod bus;
pub mod catalog;
pub mod clock;
pub mod config;
pub mod controller;
pub mod doctor;
pub mod events;
mod failpoint;
pub mod http;
pub mod ingest;
pub mod lease;
pub mod matching;
pub mod plan;
pub mod presence;
pub mod reconciler;
pub mod runs;
pub mod secrets;
pub mod selector;
pub mod state;
mod stored_arrays;
pub mod stored_hosts;
pub mod webhooks;
