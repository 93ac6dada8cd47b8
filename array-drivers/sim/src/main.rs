//! `sim_lsmplugin`: the simulated array as a libStorageMgmt plug-in.

use std::process::ExitCode;

use sanfleet_driver::run_plugin;
use sanfleet_driver_sim::{DESCRIPTION, SimDriver};

fn main() -> ExitCode {
    run_plugin(|| Box::new(SimDriver::default()), DESCRIPTION, env!("CARGO_PKG_VERSION"))
}
