//! The only place where a [`BlankDevice`] is made: a verified device that was read just now and held nothing.
//!
//! Formatting takes this and nothing else. "No signature was found" is not enough: a device that cannot be read has none
//! either, and live data have been lost to that. This module refuses what is in use, what carries anything that it knows,
//! and what does not read as zeros at its beginning and its end.

use crate::{
    host::{DeviceNumber, Host, HostError, OpenDevice},
    users,
    verify::VerifiedDevice,
};

/// A verified device on which nothing is.
#[derive(Debug)]
pub struct BlankDevice<'a>(&'a VerifiedDevice);

impl BlankDevice<'_> {
    pub fn device(&self) -> &dyn OpenDevice {
        self.0.device()
    }

    pub fn number(&self) -> DeviceNumber {
        self.0.number()
    }
}

/// Why a device is not formatted.
#[derive(Debug, thiserror::Error)]
pub enum BlankError {
    #[error("{device} is in use: {by}")]
    Used { device: String, by: String },
    #[error("{device} holds {found}, which would be lost")]
    Holds { device: String, found: String },
    #[error(
        "{device} is not blank: there are data at its beginning or its end, of a kind that we do not know"
    )]
    Data { device: String },
    #[error(transparent)]
    Host(#[from] HostError),
}

/// Looks at who uses the device, and reads it. An error of reading is an error, never an empty device.
pub fn prove<'a>(host: &dyn Host, device: &'a VerifiedDevice) -> Result<BlankDevice<'a>, BlankError> {
    let name = device.device().name();
    let mut users = users::of(host, device)?;
    users.extend(partitions(host, device)?);
    if !users.is_empty() {
        return Err(BlankError::Used { device: name, by: users.join(", ") });
    }
    if let Some(found) = device.device().file_system()? {
        let found = format!("{} {}", found.kind, found.uuid).trim_end().to_owned();
        return Err(BlankError::Holds { device: name, found });
    }
    match device.device().reads_as_zeros()? {
        true => Ok(BlankDevice(device)),
        false => Err(BlankError::Data { device: name }),
    }
}

/// Partitions of the device, or of a path below a map.
fn partitions(host: &dyn Host, device: &VerifiedDevice) -> Result<Vec<String>, HostError> {
    let devices = host.devices()?;
    let numbers: Vec<_> = device.paths().iter().map(|path| path.number()).chain([device.number()]).collect();
    let is_own = |disk: &str| devices.iter().any(|own| own.name == disk && numbers.contains(&own.number));
    let parts = devices.iter().filter(|part| part.parent.as_deref().is_some_and(is_own));
    Ok(parts.map(|part| format!("the partition {}", part.name)).collect())
}
