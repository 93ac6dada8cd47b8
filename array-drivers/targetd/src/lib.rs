//! Linux LIO through targetd: volumes of LVM and ZFS over iSCSI, file systems of btrfs and ZFS over NFS.
//!
//! targetd speaks JSON-RPC over HTTP, names volumes by name and knows no jobs. What it leaves open is settled here: ids that outlive
//! names, LUN numbers, and what became of a change whose answer was lost or says two things. It tells neither its target's name nor
//! its addresses, and nothing here guesses them.

mod array;
mod daemon;
mod driver;
mod identity;
mod options;
mod rpc;

use std::process::ExitCode;

pub use driver::TargetdDriver;
use sanfleet_driver::run_plugin;

/// What the driver calls itself.
pub const DESCRIPTION: &str = "sanfleet targetd driver";

/// The whole program.
pub fn serve() -> ExitCode {
    run_plugin(|| Box::new(TargetdDriver::default()), DESCRIPTION, env!("CARGO_PKG_VERSION"))
}
