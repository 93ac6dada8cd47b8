//! A fleet in one thread: controllers with their real runs, agents with their real inboxes and actions, arrays with their real
//! driver. Only what is between them is not real: the bus, the journal's server, hosts, processes, and time.
//!
//! One kind of agent is for other crates: [`SimulatedAgent`] has a real connection, and a machine has room for thousands of it.
//!
//! Every call from one to another is a [`Crossing`] at which a [`Nemesis`] has its say. Nothing here sleeps on the machine's clock.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a harness of tests: what it cannot do ends the test"
)]

mod agents;
mod array;
mod bell;
pub mod clock;
mod connected;
mod controller;
mod fleet;
mod host;
mod journal;
mod link;
mod notes;
pub mod oracle;
pub mod orders;
mod rng;
pub mod swarm;

pub use array::{Array, Content, Source};
pub use connected::{Parts, SimulatedAgent};
pub use controller::Controller;
pub use fleet::{Fleet, LOOP, Plan, until};
pub use host::{Host, Published, published};
pub use journal::{Client, ModelJournal};
pub use link::{Bus, Calm, Crossing, Life, Link, Nemesis, Seam, Side};
pub use rng::Rng;
