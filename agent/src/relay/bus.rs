//! The connection to the bus, which is never given up.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_nats::{Client, ConnectOptions, Event};
use tokio::sync::Notify;

use super::RelayError;
use crate::config::Config;

/// Silence of the server is noticed after two of these.
const PING_EVERY: Duration = Duration::from_secs(5);
const RECONNECT_AT_MOST: Duration = Duration::from_secs(8);

/// Returns at once; the connection comes when there is a server. Each time it does, `connected` is told.
pub async fn connect(config: &Config, connected: Arc<Notify>) -> Result<Client, RelayError> {
    let nats = &config.nats;
    let mut options = ConnectOptions::new()
        .name(format!("sanfleet-agent {}", config.host))
        .custom_inbox_prefix(format!("_INBOX_{}", config.host))
        .ping_interval(PING_EVERY)
        .retry_on_initial_connect()
        .reconnect_delay_callback(|attempt| pause_before(attempt, RECONNECT_AT_MOST))
        .event_callback(move |event| {
            note(&event);
            if matches!(event, Event::Connected) {
                connected.notify_one();
            }
            std::future::ready(())
        });
    if let Some(path) = &nats.credentials {
        options = options.credentials_file(path).await.map_err(RelayError::bus)?;
    }
    if let Some(path) = &nats.ca {
        options = options.add_root_certificates(path.clone()).require_tls(true);
    }
    if let (Some(cert), Some(key)) = (&nats.cert, &nats.key) {
        options = options.add_client_certificate(cert.clone(), key.clone()).require_tls(true);
    }
    options.connect(nats.url.as_slice()).await.map_err(RelayError::bus)
}

/// Doubles with every attempt. A part of it is by chance, so that a fleet that lost its server does not come back as one.
pub fn pause_before(attempt: usize, at_most: Duration) -> Duration {
    let doubled = Duration::from_millis(50).saturating_mul(1 << attempt.min(10));
    let longest = doubled.min(at_most);
    let chance = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    longest / 2 + (longest / 2).mul_f64(f64::from(chance % 1000) / 1000.0)
}

fn note(event: &Event) {
    match event {
        Event::Connected => tracing::info!("connected to the bus"),
        Event::Disconnected => tracing::warn!("the connection to the bus is lost"),
        other => tracing::warn!(event = %other, "the bus"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_to_come_back_grow_apart_and_stay_within_seconds() {
        for attempt in 0..100 {
            let pause = pause_before(attempt, RECONNECT_AT_MOST);
            assert!(pause >= Duration::from_millis(25) && pause <= RECONNECT_AT_MOST, "{attempt}: {pause:?}");
        }
        assert!(pause_before(20, RECONNECT_AT_MOST) >= RECONNECT_AT_MOST / 2);
    }
}
