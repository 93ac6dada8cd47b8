//! `sim_lsmplugin`: the simulated array as a libStorageMgmt plug-in.

use std::process::ExitCode;

fn main() -> ExitCode {
    sanfleet_driver_sim::serve()
}
