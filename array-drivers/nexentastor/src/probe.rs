//! Which release answers, and where. Nobody is told a password before he has shown what he is.

use std::time::Duration;

use sanfleet_driver::{ErrorNumber, LsmError};
use sanfleet_driver_http::{Client, Credentials, HttpError};
use zeroize::Zeroizing;

use crate::{
    appliance::Appliance,
    array::within,
    options::{Door, Options},
    rest::{self, HttpWire, Login, Rest, Wire},
};

/// Longest answer that is read: a page of a list, or of older releases a whole one.
const ANSWER_BYTES: u64 = 8 << 20;

/// An appliance, and where it was found.
pub(crate) fn find(
    options: &Options,
    password: &str,
    timeout: Duration,
) -> Result<(Box<dyn Appliance>, String), LsmError> {
    let mut nobody = None;
    for door in &options.doors {
        match knock(door, options, password, timeout) {
            Ok(Some(appliance)) => return Ok((appliance, door.endpoint.address())),
            Ok(None) => {}
            // Each release listens where the others do not.
            Err(Knock::Http(error)) if !error.may_have_been_heard() => nobody = Some(error),
            Err(Knock::Http(error)) => return Err(error.into()),
            Err(Knock::Told(error)) => return Err(error),
        }
    }
    Err(nobody.map_or_else(stranger, LsmError::from))
}

enum Knock {
    Http(HttpError),
    Told(LsmError),
}

impl From<HttpError> for Knock {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

fn knock(
    door: &Door,
    options: &Options,
    password: &str,
    timeout: Duration,
) -> Result<Option<Box<dyn Appliance>>, Knock> {
    let client = |credentials| Client::new(&door.endpoint, credentials, ANSWER_BYTES);
    let open = |credentials| client(credentials).map_err(|error| Knock::Told(error.into()));
    let deadline = within(timeout);
    if door.rest {
        let mut wire: Box<dyn Wire> = Box::new(HttpWire(open(Credentials::none())?));
        if rest::answers(wire.as_mut(), deadline)? {
            let login = Login { user: options.user.clone(), password: Zeroizing::new(password.to_owned()) };
            return Ok(Some(Box::new(Rest::new(wire, login, deadline))));
        }
    }
    Ok(None)
}

fn stranger() -> LsmError {
    LsmError::new(ErrorNumber::TransportSerialization, "at that address is no NexentaStor")
}
