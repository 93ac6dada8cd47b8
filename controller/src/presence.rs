//! Controllers say that they are there, hear each other and themselves, and have it confirmed by the bus.

use std::time::Duration;

use async_nats::jetstream::context::PublishError;
use futures::StreamExt;
use prost::Message;
use sanfleet_protocol::{ControllerId, VERSION, subject, v1};
use tokio::{
    select,
    time::{Instant, interval, timeout},
};

use crate::{
    bus::Bus,
    events::{Stander, Standing},
    lease::Lease,
    runs::Runs,
};

/// Well below [`SILENCE`](crate::lease::SILENCE), so that one that is lost is no reason for a takeover.
const INTERVAL: Duration = Duration::from_secs(1);
/// A sign that is confirmed later is of no use.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(3);
/// Who has heard itself for so long without a gap has heard all others that are there.
const ALL_HEARD: Duration = Duration::from_millis(1_500);
/// Who has not heard itself for so long may be the only one that it hears.
const GAP: Duration = Duration::from_millis(2_500);

#[derive(Clone)]
pub struct Presence {
    pub bus: Bus,
    pub name: ControllerId,
    pub lease: Lease,
    pub runs: Runs,
    pub stander: Stander,
}

/// For how long this controller has heard itself.
#[derive(Debug, Clone, Copy)]
struct Hearing {
    since: Instant,
    last: Instant,
}

impl Presence {
    /// Listens first, so that the first sign of this controller is heard by itself too.
    pub async fn start(self) -> Result<(), async_nats::SubscribeError> {
        let signs = self.bus.client.subscribe(subject::ALL_CONTROLLERS).await?;
        tokio::spawn(self.clone().listen(signs));
        tokio::spawn(self.speak());
        Ok(())
    }

    /// Lets the others take over at once.
    pub async fn say_goodbye(&self) {
        if let Err(error) = self.say(true).await {
            tracing::debug!(%error, "left without a word");
        }
    }

    async fn speak(self) {
        let mut ticks = interval(INTERVAL);
        loop {
            ticks.tick().await;
            // The next sign does not wait for this one's confirmation.
            tokio::spawn(self.clone().say_and_be_sure());
        }
    }

    /// The lease counts from before the sign is said: whoever hears it counts from later.
    async fn say_and_be_sure(self) {
        let said = Instant::now();
        match timeout(CONFIRMED_WITHIN, self.say(false)).await {
            Ok(Ok(())) => self.lease.confirmed(said),
            Ok(Err(error)) => tracing::debug!(%error, "it is not confirmed that this controller is there"),
            Err(_) => tracing::debug!("it is not confirmed in time that this controller is there"),
        }
    }

    async fn say(&self, leaving: bool) -> Result<(), PublishError> {
        let alive = v1::ControllerAlive { version: VERSION, controller: self.name.to_string(), leaving };
        let subject = subject::controller(&self.name);
        self.bus.jetstream.publish(subject, alive.encode_to_vec().into()).await?.await.map(drop)
    }

    async fn listen(self, mut signs: async_nats::Subscriber) {
        let mut ticks = interval(INTERVAL / 2);
        let mut hearing = None;
        loop {
            let message = select! {
                message = signs.next() => message,
                _ = ticks.tick() => {
                    self.tell_standing(hearing);
                    continue;
                }
            };
            let Some(message) = message else { return };
            let Ok(controller) = subject::controller_name(&message.subject) else { continue };
            let Ok(alive) = v1::ControllerAlive::decode(message.payload) else { continue };
            if alive.leaving {
                self.runs.left(&controller);
                continue;
            }
            if controller == self.name {
                if !self.lease.is_sure() {
                    // Cut off together with a server it hears itself, and nobody else.
                    continue;
                }
                hearing = Some(Hearing::go_on(hearing, Instant::now()));
            }
            self.runs.heard(controller);
        }
    }

    fn tell_standing(&self, hearing: Option<Hearing>) {
        let is_first = self.runs.controllers().first() == Some(&self.name);
        let hears_all = hearing.is_some_and(|hearing| hearing.hears_all(Instant::now()));
        let standing = match hears_all && self.lease.is_sure() {
            false => Standing::Unknown,
            true if is_first => Standing::First,
            true => Standing::Behind,
        };
        self.stander.send_if_modified(|told| std::mem::replace(told, standing) != standing);
    }
}

impl Hearing {
    fn go_on(before: Option<Self>, now: Instant) -> Self {
        let since = before.filter(|before| now - before.last < GAP).map_or(now, |before| before.since);
        Self { since, last: now }
    }

    fn hears_all(self, now: Instant) -> bool {
        now - self.last < GAP && now - self.since >= ALL_HEARD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_hears_all_once_it_has_heard_itself_for_a_while_and_not_after_a_gap() {
        let begin = Instant::now();
        let heard = |before, after: u64| Hearing::go_on(before, begin + Duration::from_millis(after));
        let at = |after: u64| begin + Duration::from_millis(after);
        let first = heard(None, 0);
        assert!(!first.hears_all(at(100)));
        let going_on = heard(Some(heard(Some(first), 1_000)), 2_000);
        assert!(going_on.hears_all(at(2_100)));
        assert!(!going_on.hears_all(at(5_000)), "it hears nothing now");
        let back = heard(Some(going_on), 5_000);
        assert!(!back.hears_all(at(5_100)), "the others were not heard in the gap");
    }
}
