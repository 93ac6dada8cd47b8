//! The program on every host: it reports what is there, and carries out signed commands.
//!
//! It refuses to choose: which volume goes where is the controller's business. It never holds an array's credentials
//! and cannot ask for an attachment.

pub mod discover;
pub mod heartbeat;
pub mod host;
pub mod report;
pub mod reporter;
pub mod verify;
