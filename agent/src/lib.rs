//! The program on every host: it reports what is there, and carries out signed commands.
//!
//! It is two processes: [`relay`] faces the bus and may do nothing here, [`helper`] does everything and faces only the first.
//!
//! It refuses to choose: which volume goes where is the controller's business. It never holds an array's credentials
//! and cannot ask for an attachment.

pub mod actions;
pub mod blank;
pub mod claims;
pub mod clock;
pub mod config;
pub mod deadline;
pub mod discover;
pub mod door;
pub mod enrolment;
pub mod fabric;
mod file;
pub mod heartbeat;
pub mod helper;
pub mod host;
pub mod inbox;
pub mod layers;
pub mod ledger;
mod passwd;
pub mod policy;
pub mod pump;
pub mod quiesce;
pub mod relay;
pub mod report;
pub mod report_key;
pub mod reporter;
mod signals;
pub mod threads;
pub mod trust;
mod users;
pub mod verify;

use sanfleet_protocol::by_text;
