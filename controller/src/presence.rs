//! Controllers say that they are there, and hear each other, and themselves.

use std::time::Duration;

use futures::StreamExt;
use prost::Message;
use sanfleet_protocol::{ControllerId, VERSION, subject, v1};
use tokio::time::interval;

use crate::{bus::Bus, lease::Lease, runs::Runs};

/// Well below [`SILENCE`](crate::lease::SILENCE), so that one that is lost is no reason for a takeover.
const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub struct Presence {
    pub bus: Bus,
    pub name: ControllerId,
    pub lease: Lease,
    pub runs: Runs,
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
        self.say(true).await;
        if let Err(error) = self.bus.client.flush().await {
            tracing::debug!(%error, "left without a word");
        }
    }

    async fn speak(self) {
        let mut ticks = interval(INTERVAL);
        loop {
            ticks.tick().await;
            self.say(false).await;
        }
    }

    async fn say(&self, leaving: bool) {
        let alive = v1::ControllerAlive { version: VERSION, controller: self.name.to_string(), leaving };
        let subject = subject::controller(&self.name);
        if let Err(error) = self.bus.client.publish(subject, alive.encode_to_vec().into()).await {
            tracing::debug!(%error, "nobody hears that this controller is there");
        }
    }

    async fn listen(self, mut signs: async_nats::Subscriber) {
        while let Some(message) = signs.next().await {
            let Ok(controller) = subject::controller_name(&message.subject) else { continue };
            let Ok(alive) = v1::ControllerAlive::decode(message.payload) else { continue };
            if alive.leaving {
                self.runs.left(&controller);
                continue;
            }
            if controller == self.name {
                self.lease.heard();
            }
            self.runs.heard(controller);
        }
    }
}
