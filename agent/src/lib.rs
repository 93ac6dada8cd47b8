//! The program on every host: it reports what is there, and carries out signed commands.
//!
//! It refuses to choose: which volume goes where is the controller's business. It never holds an array's credentials
//! and cannot ask for an attachment.

pub mod actions;
pub mod agent;
pub mod blank;
mod by_text;
pub mod claims;
pub mod clock;
pub mod config;
pub mod deadline;
pub mod discover;
pub mod fabric;
pub mod heartbeat;
pub mod host;
pub mod inbox;
pub mod layers;
pub mod ledger;
pub mod policy;
pub mod quiesce;
pub mod report;
pub mod reporter;
pub mod threads;
pub mod trust;
mod users;
pub mod verify;
