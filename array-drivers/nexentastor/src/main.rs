//! `nexentastor_lsmplugin`: NexentaStor as a libStorageMgmt plug-in.

use std::process::ExitCode;

fn main() -> ExitCode {
    sanfleet_driver_nexentastor::serve()
}
