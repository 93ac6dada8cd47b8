//! Having a device to oneself.

use std::{
    fs::{File, OpenOptions},
    os::{
        fd::{AsRawFd, BorrowedFd},
        unix::fs::OpenOptionsExt,
    },
    path::Path,
};

use rustix::{fs::OFlags, io::Errno};

use super::holders;
use crate::host::HostError;

/// Opens the device again, by its descriptor, so that nobody else may use it until the file is closed. Fails while any file
/// system, map or swap, in any mount namespace, does.
pub fn claim(device: BorrowedFd<'_>, name: &str, flags: OFlags) -> Result<File, HostError> {
    let path = format!("/proc/self/fd/{}", device.as_raw_fd());
    let flags = (flags | OFlags::EXCL).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(&path).map_err(|error| match Errno::from_io_error(
        &error,
    ) {
        Some(Errno::BUSY) => {
            HostError::Busy { what: name.to_owned(), by: holders::of_device(Path::new(&path)) }
        }
        _ => HostError::os(format!("claim {name}"), error),
    })
}
