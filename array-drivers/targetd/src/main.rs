//! `targetd_lsmplugin`: Linux LIO through targetd as a libStorageMgmt plug-in.

use std::process::ExitCode;

fn main() -> ExitCode {
    sanfleet_driver_targetd::serve()
}
