//! `simc_lsmplugin`: the simulated array for `simc://`, which goes with its session.

use std::process::ExitCode;

fn main() -> ExitCode {
    sanfleet_driver_sim::serve()
}
