//! Which release answers, and where. Nobody is told a password who does not ask for one in the way of a release.

use std::time::Duration;

use sanfleet_driver::{ErrorNumber, LsmError};
use sanfleet_driver_http::{Client, Credentials, Deadline};
use zeroize::Zeroizing;

use crate::{
    appliance::{Appliance, ApplianceError},
    array::within,
    nms::{self, Nms},
    options::{Door, Options},
    rest::{self, Login, Rest},
    wire::{HttpWire, Wire},
};

/// Longest answer that is read: a page of a list, or of older releases a whole one.
const ANSWER_BYTES: u64 = 8 << 20;

/// An appliance, and where it was found.
pub(crate) fn find(
    options: &Options,
    password: &str,
    timeout: Duration,
) -> Result<(Box<dyn Appliance>, String), LsmError> {
    let (deadline, mut nobody) = (within(timeout), None);
    for door in &options.doors {
        match knock(door, options, password, deadline) {
            Ok(Some(appliance)) => return Ok((appliance, door.endpoint.address())),
            Ok(None) => {}
            // Each release listens where the others do not.
            Err(ApplianceError::Http(error)) if !error.may_have_been_heard() => nobody = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    Err(nobody.map_or_else(stranger, LsmError::from))
}

fn knock(
    door: &Door,
    options: &Options,
    password: &str,
    deadline: Deadline,
) -> Result<Option<Box<dyn Appliance>>, ApplianceError> {
    if door.rest {
        let mut wire: Box<dyn Wire> = Box::new(HttpWire(client(door, Credentials::none())?));
        if rest::answers(wire.as_mut(), deadline)? {
            let login = Login { user: options.user.clone(), password: Zeroizing::new(password.to_owned()) };
            return Ok(Some(Box::new(Rest::new(wire, login, deadline))));
        }
    }
    if door.nms {
        let mut wire: Box<dyn Wire> = Box::new(HttpWire(client(door, Credentials::none())?));
        if nms::answers(wire.as_mut(), deadline)? {
            wire.authorize(Credentials::basic(&options.user, password));
            return Ok(Some(Box::new(Nms::new(wire, deadline))));
        }
    }
    Ok(None)
}

fn client(door: &Door, credentials: Credentials) -> Result<Client, ApplianceError> {
    Ok(Client::new(&door.endpoint, credentials, ANSWER_BYTES)?)
}

fn stranger() -> LsmError {
    LsmError::new(ErrorNumber::TransportSerialization, "at that address is no NexentaStor")
}
