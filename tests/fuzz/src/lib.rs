//! Foreign bytes for every decoder of the plug-in protocol, for those of the agent and of what it reports, and for what
//! people write and type.
//!
//! A target is a plain function of bytes: it must neither panic, nor hang, nor hold more memory than its input accounts for, and
//! what it reads it must be able to write and read again. `cargo xtask fuzz` feeds the targets with inputs that coverage leads to;
//! the test run feeds them with the seeds and with changed seeds ([`mutate`]), in a plain build and for a bounded time.

mod driver;
pub mod mutate;
mod request;
mod target;

pub use target::{TARGETS, Target, named};
