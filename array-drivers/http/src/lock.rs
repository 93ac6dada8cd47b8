//! One change of an array at a time, among all sessions of this host.
//!
//! For arrays that know volumes by name and take what is done already for done. Between looking and acting nobody else may act: a
//! volume's name may have gone to another one, and of two who mask the same volume both would be told that it was they. Sessions are
//! processes, so the lock is a name in the kernel that goes with its process. Another host is not kept out: such arrays have nothing
//! to do that with.

use std::{
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
    thread,
    time::Duration,
};

use md5::{Digest, Md5};
use sanfleet_driver::{ErrorNumber, LsmError};

use crate::deadline::Deadline;

/// Between two tries; a change takes an array a hundred times as long.
const PAUSE: Duration = Duration::from_millis(2);

#[derive(Debug, Clone)]
pub struct Lock {
    name: String,
}

/// As long as it is there, no other session changes anything.
#[derive(Debug)]
pub struct Held {
    _name: UnixListener,
}

impl Lock {
    /// The lock of the array of this kind of driver at this address.
    pub fn of(kind: &str, address: &str) -> Self {
        let digits: String = Md5::digest(address).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { name: format!("sanfleet-{kind}-{digits}") }
    }

    /// # Errors
    /// Others held it until the deadline, or the kernel gives no names.
    pub fn take(&self, deadline: Deadline) -> Result<Held, LsmError> {
        loop {
            let address = SocketAddr::from_abstract_name(&self.name).map_err(broken)?;
            match UnixListener::bind_addr(&address) {
                Ok(listener) => return Ok(Held { _name: listener }),
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => return Err(broken(error)),
                Err(_) if deadline.left().is_zero() => {
                    let message = "another session was changing the same array all the time";
                    return Err(LsmError::new(ErrorNumber::Timeout, message));
                }
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }
}

fn broken(error: io::Error) -> LsmError {
    LsmError::new(ErrorNumber::PluginBug, format!("cannot lock the array against other sessions: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_by_one_and_free_when_that_one_has_gone() {
        // Tests elsewhere on this host have locks too.
        let of = |port: u16| Lock::of("test", &format!("{}:{port}", std::process::id()));
        let (one, same, other) = (of(1), of(1), of(2));
        let soon = || Deadline::after(Duration::from_millis(20));
        let held = one.take(soon()).unwrap();
        assert_eq!(same.take(soon()).unwrap_err().number, ErrorNumber::Timeout);
        other.take(soon()).unwrap();
        drop(held);
        same.take(soon()).unwrap();
    }
}
