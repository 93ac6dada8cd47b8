//! A session while somebody has it.

use std::{
    mem,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use tokio::sync::OwnedSemaphorePermit;

use super::{Shared, monitor::Pass};
use crate::client::Session;

/// A session of the pool in one caller's hands. Dropped, it goes back; if a call was dropped half way, or the session has died,
/// its process is killed instead.
#[derive(Debug)]
pub struct Lease {
    session: Session,
    home: Arc<Shared>,
    _pass: Pass,
    /// Given up last: whoever waits for it then finds the session in the pool.
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    pub(super) fn new(session: Session, home: Arc<Shared>, pass: Pass, permit: OwnedSemaphorePermit) -> Self {
        Self { session, home, _pass: pass, _permit: permit }
    }
}

impl Deref for Lease {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.home.give_back(mem::replace(&mut self.session, Session::gone()));
    }
}
