//! `lio_lsmplugin`: a Linux machine as an array, as a libStorageMgmt plug-in.

use std::process::ExitCode;

fn main() -> ExitCode {
    sanfleet_driver_lio::serve()
}
