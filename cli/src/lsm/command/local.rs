//! The disks of this host: no array is asked.

use std::path::Path;

use sanfleet_driver::ErrorNumber;

use crate::lsm::{args::Command, console::Out, local_disk, stop::Stop};

/// Carries out a command that needs no array; none for one that does.
pub fn run_here(out: &Out, command: &Command) -> Option<Result<(), Stop>> {
    match command {
        Command::LocalDiskList(_) => Some(list(out)),
        Command::LocalDiskIdentLedOn(args) => Some(no_lamps(&args.path)),
        Command::LocalDiskIdentLedOff(args) => Some(no_lamps(&args.path)),
        Command::LocalDiskFaultLedOn(args) => Some(no_lamps(&args.path)),
        Command::LocalDiskFaultLedOff(args) => Some(no_lamps(&args.path)),
        Command::LocalLedSlotList(_) => Some(no_lamps("the slots of this host")),
        Command::LocalLedSlotSet(args) => Some(no_lamps(&args.slot)),
        _ => None,
    }
}

fn list(out: &Out) -> Result<(), Stop> {
    // A host without sysfs has no disks that we could tell.
    out.show(&local_disk::list(Path::new(local_disk::SYSFS)).unwrap_or_default())
}

/// Lamps are reached over SCSI enclosure services, which this program does not speak.
fn no_lamps(of: &str) -> Result<(), Stop> {
    Err(Stop::refused(ErrorNumber::NoSupport, format!("the lamps of {of} cannot be reached from here")))
}
