//! A fleet of real processes on one machine, for the system tests and for `cargo xtask demo`: nats-server, controller,
//! agents with mount namespaces of their own, the simulated array, MariaDB.
//!
//! Everything lives in one folder, listens on loopback only, and ends with the [`Fleet`](fleet::Fleet). Loop devices and
//! mounts are told from others by the folder that they are on: nothing else is ever touched.

pub mod array;
pub mod control;
pub mod disk;
pub mod failpoint;
pub mod fleet;
pub mod host;
pub mod leftovers;
pub mod lockbox;
pub mod mariadb;
pub mod nats;
pub mod network;
pub mod postgresql;
pub mod process;
pub mod receiver;
pub mod rig;
pub mod wait;
pub mod writer;
