//! The process that faces the bus: it carries bytes between there and the [helper](crate::helper), and nothing else.
//!
//! It has no right on this host but to speak to the helper, keeps nothing, and can open no command: whoever takes it over can be
//! silent, publish in this host's name, and no more. It refuses to take commands while there is no helper, so that who asks learns
//! at once that nobody answers.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{config::Config, door, signals};

mod bus;
mod session;
mod sink;

use session::Bus;
pub use sink::NatsSink;

/// The longest pause before the helper is looked for again.
const HELPER_AGAIN_WITHIN: Duration = Duration::from_secs(1);
const DRAIN_WITHIN: Duration = Duration::from_secs(3);

#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    #[error("the bus cannot be used")]
    Bus(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Door(door::DoorError),
    #[error("signals cannot be waited for")]
    Signals(#[source] io::Error),
}

impl RelayError {
    fn bus(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Bus(error.into())
    }
}

/// Runs until it is told to terminate.
pub async fn run(config: Config) -> Result<(), RelayError> {
    let stop = signals::stop_when_told().map_err(RelayError::Signals)?;
    let connected = Arc::new(Notify::new());
    let client = bus::connect(&config, Arc::clone(&connected)).await?;
    let bus = Bus { host: config.host.clone(), client: client.clone(), connected };
    tracing::info!(host = %config.host, "the agent runs");
    serve(&config, &bus, &stop).await;
    tracing::info!("the agent stops");
    let _ = timeout(DRAIN_WITHIN, client.drain()).await;
    Ok(())
}

/// One session with the helper after the other.
async fn serve(config: &Config, bus: &Bus, stop: &CancellationToken) {
    let mut attempt = 0;
    while !stop.is_cancelled() {
        match door::reach(&config.helper.socket).await {
            Ok(stream) => {
                attempt = 0;
                tracing::info!("the helper is there");
                match session::run(stream, bus, stop).await {
                    Ok(()) => tracing::info!("the helper is gone"),
                    Err(error) => {
                        tracing::warn!(error = &error as &dyn std::error::Error, "the helper is gone");
                    }
                }
            }
            // Once: the next thousand say the same.
            Err(error) if attempt == 0 => {
                tracing::warn!(error = &error as &dyn std::error::Error, "there is no helper yet");
            }
            Err(_) => {}
        }
        tokio::select! {
            () = sleep(bus::pause_before(attempt, HELPER_AGAIN_WITHIN)) => {}
            () = stop.cancelled() => {}
        }
        attempt += 1;
    }
}
