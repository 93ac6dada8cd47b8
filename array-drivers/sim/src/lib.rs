//! A simulated array whose volumes are files with real contents.
//!
//! Its state is one SQLite file that any number of processes share; a volume is a sparse file; a clone is a reflink where the
//! file system can and a sparse copy where not; masking publishes the file on the `loop` fabric ([`fabric`]), from where an
//! agent attaches it as a block device. It survives being killed at any moment. It does not promise that the contents of
//! volumes survive a power cut any better than the files beneath do: it syncs its state, never a volume's data.

mod array;
mod clock;
mod driver;
mod error;
mod fabric;
mod faults;
mod files;
mod identity;
mod options;
mod private;
mod profile;
mod trees;

use std::process::ExitCode;

pub use array::Violation;
pub use clock::advance_clock;
pub use driver::{SimDriver, check};
use sanfleet_driver::run_plugin;

/// What the driver calls itself.
pub const DESCRIPTION: &str = "sanfleet simulated array";

/// The whole program, under either of its names.
pub fn serve() -> ExitCode {
    run_plugin(|| Box::new(SimDriver::default()), DESCRIPTION, env!("CARGO_PKG_VERSION"))
}
