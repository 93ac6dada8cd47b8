//! The controller as a whole: what is started in which order, and what stops it.

use std::sync::Arc;

use tracing::info;

use crate::{
    agents::{Agents, SignedAgents},
    api::{Api, Sealing},
    arrays::{Arrays, Looker},
    bus::Bus,
    clock::now_unix_ms,
    config::Config,
    events,
    ingest::Ingest,
    lease::Lease,
    presence::Presence,
    runs::{NatsJournal, Runs, World},
    state::SharedCatalog,
    stored_arrays::StoredArrays,
};

/// Runs until the shutdown future is done or the bus is lost for good.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    let key = config.read_command_key()?;
    let bus = Bus::connect(&config.nats, config.name.as_str()).await?;
    tokio::spawn(bus.clone().keep_streams());
    let (events, publisher) = events::channel(bus.jetstream.clone(), config.name.as_str());
    tokio::spawn(publisher.run());

    let catalog = SharedCatalog::default();
    let agents: Arc<dyn Agents> = Arc::new(SignedAgents::new(bus.client.clone(), key.clone(), now_unix_ms));
    let arrays = Arrays::new(config.driver_dir.clone(), config.passwords()?);
    let looker = Looker { arrays: arrays.clone(), catalog: catalog.clone(), events: events.clone() };

    let ingest = Ingest {
        bus: bus.clone(),
        catalog: catalog.clone(),
        events: events.clone(),
        agents: Arc::clone(&agents),
    };
    ingest.start().await.map_err(anyhow::Error::from_boxed)?;
    let stored = StoredArrays { bus: bus.clone(), looker: looker.clone() };
    stored.introduce().await?;
    tokio::spawn(stored.follow());

    let journal = Arc::new(NatsJournal::new(bus.jetstream.clone()));
    let lease = Lease::new();
    let world = World { agents: Arc::clone(&agents), arrays, lease: lease.clone(), clock: now_unix_ms };
    let runs = Runs::new(config.name.clone(), journal, events, world);
    let presence = Presence { bus: bus.clone(), name: config.name.clone(), lease, runs: runs.clone() };
    presence.clone().start().await?;
    runs.recover().await;

    let sealing = Arc::new(Sealing::new(key));
    let api = Api { name: config.name.to_string(), bus, catalog, runs, looker, agents, sealing };
    let service = api.serve().await.map_err(anyhow::Error::from_boxed)?;
    info!(name = %config.name, "controller ready");
    shutdown.await;
    info!("stopping; unfinished runs go on when a controller starts again");
    service.stop().await.map_err(anyhow::Error::from_boxed)?;
    presence.say_goodbye().await;
    Ok(())
}
