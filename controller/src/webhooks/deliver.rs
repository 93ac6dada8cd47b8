//! Delivers the events of one webhook: fetches, sends, and says to the bus what became of each.
//!
//! The bus counts the tries and keeps the pauses, so that both outlive this controller.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::{AckKind, Message as JetMessage, consumer::PullConsumer};
use futures::StreamExt;
use sanfleet_protocol::limits::full_text;
use tokio::time::sleep;

use super::{
    Delivery, Health, NotTaken, Webhook, WebhookError,
    dead::{self, Letter},
    store,
};
use crate::{bus::Bus, clock::now_unix_ms};

/// Events that are sent at one time; as many may be on their way through tries and pauses.
pub const AT_ONCE: u16 = 16;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// A pause is longer or shorter by up to this part, so that what failed together does not come back together.
const JITTER: f64 = 0.25;
const LOST: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
pub struct Deliverer {
    pub bus: Bus,
    pub webhook: Webhook,
    pub delivery: Delivery,
    pub health: Arc<Health>,
}

type Error = Box<dyn std::error::Error + Send + Sync>;

impl Deliverer {
    pub async fn run(self) {
        loop {
            if let Err(error) = self.deliver_all().await {
                tracing::warn!(webhook = %self.webhook.name, %error, "events cannot be fetched, trying again");
            }
            sleep(LOST).await;
        }
    }

    async fn deliver_all(&self) -> Result<(), Error> {
        let consumer: PullConsumer = store::consumer(&self.bus, &self.webhook).await?;
        let events = consumer.stream().max_messages_per_batch(AT_ONCE.into()).messages().await?;
        let each = events.map(|event| async move {
            match event {
                Ok(event) => self.deliver(event).await,
                Err(error) => Err(error.into()),
            }
        });
        let mut done = each.buffer_unordered(AT_ONCE.into());
        while let Some(done) = done.next().await {
            done?;
        }
        Ok(())
    }

    async fn deliver(&self, event: JetMessage) -> Result<(), Error> {
        let tries = u32::try_from(event.info()?.delivered).unwrap_or(1);
        let headers = event.headers.clone().unwrap_or_default();
        let sent = self.delivery.send(&headers, event.payload.clone(), now_unix_ms()).await;
        let Err(why) = sent else {
            self.health.delivered(now_unix_ms());
            return event.ack_with(AckKind::Ack).await;
        };
        self.health.failed(full_text(&why), now_unix_ms());
        let name = &self.webhook.name;
        tracing::debug!(webhook = %name, tries, error = &why as &dyn std::error::Error, "event not taken");
        if tries < self.webhook.tries && why.is_retryable() {
            return event.ack_with(AckKind::Nak(Some(pause(tries, random())))).await;
        }
        match self.put_aside(&event, &why, tries).await {
            Ok(()) => event.ack_with(AckKind::Ack).await,
            Err(error) => {
                tracing::warn!(webhook = %name, error = &error as &dyn std::error::Error, "event cannot be put aside, trying it again");
                event.ack_with(AckKind::Nak(Some(LONGEST_PAUSE))).await
            }
        }
    }

    async fn put_aside(&self, event: &JetMessage, why: &NotTaken, tries: u32) -> Result<(), WebhookError> {
        let sequence = event.info().map_err(WebhookError::Bus)?.stream_sequence;
        let headers = event.headers.clone().unwrap_or_default();
        let letter = Letter { sequence, headers, body: event.payload.clone(), reason: full_text(why), tries };
        dead::put_aside(&self.bus, &self.webhook.name, letter).await
    }
}

/// How long to wait after so many tries: twice as long each time. `random` is from 0 to 1.
fn pause(tries: u32, random: f64) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX));
    doubled.min(LONGEST_PAUSE).mul_f64(1.0 - JITTER + 2.0 * JITTER * random.clamp(0.0, 1.0))
}

/// Without random numbers of the system all pauses are of middle length.
fn random() -> f64 {
    let mut bytes = [0; 2];
    match getrandom::fill(&mut bytes) {
        Ok(()) => f64::from(u16::from_be_bytes(bytes)) / f64::from(u16::MAX),
        Err(_) => 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_differ_a_little() {
        let middle: Vec<u64> = (1..=10).map(|tries| pause(tries, 0.5).as_secs()).collect();
        assert_eq!(middle, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
        assert_eq!(pause(u32::MAX, 0.5), LONGEST_PAUSE);
        assert_eq!((pause(3, 0.0), pause(3, 1.0)), (Duration::from_secs(3), Duration::from_secs(5)));
    }
}
