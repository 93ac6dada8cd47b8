//! A Linux machine as an array, without any daemon: volumes of LVM thin pools, shown by the kernel's own iSCSI target.
//!
//! What exists is asked of LVM, where each volume carries its identity and its name as tags. Who sees what is in one file on the
//! machine, and the target in configfs is made after that file whenever a session begins and whenever something changes: what a
//! restart of the machine forgets comes back with the next session. What is not ours, volumes and targets alike, is neither shown
//! nor touched.

mod array;
mod driver;
mod identity;
mod machine;
mod options;
mod state;

use std::process::ExitCode;

pub use driver::LioDriver;
use sanfleet_driver::run_plugin;

/// What the driver calls itself.
pub const DESCRIPTION: &str = "sanfleet lio driver";

/// The whole program.
pub fn serve() -> ExitCode {
    run_plugin(|| Box::new(LioDriver::default()), DESCRIPTION, env!("CARGO_PKG_VERSION"))
}
