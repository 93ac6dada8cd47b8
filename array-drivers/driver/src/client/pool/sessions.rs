//! The sessions that nobody uses at the moment.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    time::{Instant, sleep_until},
};

use super::Shared;
use crate::client::Session;

/// Idle sessions, the one used last at the end, and since when each is idle.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    idle: Vec<(Session, Instant)>,
    /// Somebody is there to close them when their time is over.
    attended: bool,
}

impl Sessions {
    pub fn idle(&self) -> usize {
        self.idle.len()
    }

    /// The session used last, for the others can then be closed; one whose driver has gone meanwhile is passed over.
    pub fn take(&mut self) -> Option<Session> {
        while let Some((session, _)) = self.idle.pop() {
            if session.is_idle() {
                return Some(session);
            }
        }
        None
    }

    /// Those that have been idle for long enough, and when the next one will have been.
    fn take_expired(&mut self, now: Instant, kept: Duration) -> (Vec<Session>, Option<Instant>) {
        let fresh = self.idle.partition_point(|(_, since)| *since + kept <= now);
        let expired = self.idle.drain(..fresh).map(|(session, _)| session).collect();
        let next = self.idle.first().map(|(_, since)| *since + kept);
        self.attended = next.is_some();
        (expired, next)
    }
}

impl Shared {
    pub(super) fn give_back(self: &Arc<Self>, mut session: Session) {
        if !session.is_idle() {
            return;
        }
        session.only_with(None);
        let mut sessions = self.sessions();
        sessions.idle.push((session, Instant::now()));
        // Without a runtime everything ends anyhow.
        if !sessions.attended
            && let Ok(runtime) = Handle::try_current()
        {
            sessions.attended = true;
            runtime.spawn(attend(Arc::downgrade(self)));
        }
    }
}

/// Closes sessions when they have been idle for long enough, until there is none, or no pool.
async fn attend(pool: Weak<Shared>) {
    while let Some(shared) = pool.upgrade() {
        let (expired, next) = shared.sessions().take_expired(Instant::now(), shared.options.idle);
        drop(shared);
        for session in expired {
            // It is not needed any more: how it goes matters to nobody.
            let _ = session.close().await;
        }
        match next {
            Some(at) => sleep_until(at).await,
            None => return,
        }
    }
}
