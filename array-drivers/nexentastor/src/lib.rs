//! NexentaStor: ZFS volumes over iSCSI, ZFS file systems over NFS.
//!
//! Release 5 is asked over REST, releases 3 and 4 over NMS; which of them answers is found out when a session begins. Both are the
//! same things underneath, ZFS and COMSTAR, so what is done is written once (`array`), and how it is said twice (`rest`, `nms`),
//! behind one seam (`appliance`).
//!
//! What the appliance leaves open is settled here: an identity from the first moment of a volume, ids that outlive names, and what
//! became of a change whose answer was lost.

mod appliance;
mod array;
mod dataset;
mod driver;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzz;
mod identity;
mod nms;
mod options;
mod probe;
mod rest;
mod wire;

use std::process::ExitCode;

pub use driver::NexentaStorDriver;
use sanfleet_driver::run_plugin;

/// What the driver calls itself.
pub const DESCRIPTION: &str = "sanfleet NexentaStor driver";

/// The whole program.
pub fn serve() -> ExitCode {
    run_plugin(|| Box::new(NexentaStorDriver::default()), DESCRIPTION, env!("CARGO_PKG_VERSION"))
}
