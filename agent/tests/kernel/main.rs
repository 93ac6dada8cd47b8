//! The acting half of the agent against the kernel of this machine: loop devices, file systems, freezes, a database.
//!
//! These tests need root. Each makes its own fabric, devices and mounts, and takes them away however it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod checks;
mod formats;
mod grows;
mod hooks;
mod identities;
mod lab;
mod layers;
mod mariadb;
mod persistent;
mod postgresql;
mod quiesces;
mod races;
mod several;
mod side;
mod volumes;
