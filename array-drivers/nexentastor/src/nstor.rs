//! `nstor_lsmplugin`: the same driver under the name that libStorageMgmt's own had, for URIs that begin with `nstor://`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sanfleet_driver_nexentastor::serve()
}
