//! The controller as a whole: what is started in which order, and what stops it.

use std::sync::{Arc, Mutex};

use tracing::info;

use crate::{
    agents::{Agents, SignedAgents},
    api::{Api, Sealing},
    arrays::{Arrays, Looker},
    audit::{Audit, NatsStore},
    bus::Bus,
    clock::now_unix_ms,
    config::Config,
    events::{self, Stand},
    http::HttpClient,
    ingest::Ingest,
    lease::Lease,
    presence::Presence,
    reconciler::Reconciler,
    runs::{NatsJournal, Runs, World},
    state::SharedCatalog,
    stored_arrays::StoredArrays,
    stored_hosts::StoredHosts,
    webhooks::Webhooks,
};

/// Runs until the shutdown future is done or the bus is lost for good.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    let key = config.read_command_key()?;
    let bus = Bus::connect(&config.nats, config.name.as_str()).await?;
    tokio::spawn(bus.clone().keep_streams());
    let (stander, stand) = Stand::new();
    let store = Arc::new(NatsStore::new(bus.jetstream.clone()));
    let audit = Audit::new(store, key.clone(), config.name.clone(), now_unix_ms);
    let (events, publisher) =
        events::channel(bus.jetstream.clone(), config.name.as_str(), stand, audit.clone());
    tokio::spawn(publisher.run());

    let catalog = SharedCatalog::default();
    let signed = SignedAgents::new(bus.client.clone(), key.clone(), now_unix_ms);
    let agents: Arc<dyn Agents> = Arc::new(signed.delegated(config.read_delegation()?));
    let arrays = Arrays::new(config.driver_dir.clone(), config.passwords()?);
    let looker = Looker { arrays: arrays.clone(), catalog: catalog.clone(), events: events.clone() };

    // First: by what is kept of a host its reports are judged.
    let hosts = StoredHosts::new(bus.clone(), catalog.clone());
    hosts.introduce().await?;
    tokio::spawn(hosts.clone().follow());
    let ingest = Ingest {
        bus: bus.clone(),
        catalog: catalog.clone(),
        events: events.clone(),
        agents: Arc::clone(&agents),
        hosts: hosts.clone(),
    };
    ingest.start().await.map_err(anyhow::Error::from_boxed)?;
    let stored = StoredArrays { bus: bus.clone(), looker: looker.clone() };
    stored.introduce().await?;
    tokio::spawn(stored.follow());

    let journal = Arc::new(NatsJournal::new(bus.jetstream.clone()));
    let lease = Lease::new();
    let world = World {
        agents: Arc::clone(&agents),
        arrays: arrays.clone(),
        catalog: catalog.clone(),
        notes: Arc::new(hosts.clone()),
        lease: lease.clone(),
        clock: now_unix_ms,
    };
    let runs = Runs::new(config.name.clone(), journal, events.clone(), world);
    let presence =
        Presence { bus: bus.clone(), name: config.name.clone(), lease, runs: runs.clone(), stander };
    presence.clone().start().await?;
    runs.recover().await;
    tokio::spawn(runs.clone().forget_the_old(config.journal.keep()));
    let reconciler = Reconciler {
        name: config.name.clone(),
        catalog: catalog.clone(),
        runs: runs.clone(),
        arrays,
        events,
        pace: config.doctor.pace(),
        ledger: Arc::new(Mutex::default()),
    };
    tokio::spawn(reconciler.clone().run());

    let webhooks = Webhooks::new(bus.clone(), config.webhook_secrets(), HttpClient::new()?);
    tokio::spawn(webhooks.clone().follow());

    let sealing = Arc::new(Sealing::new(key));
    let api = Api {
        name: config.name.to_string(),
        bus,
        catalog,
        hosts,
        runs,
        looker,
        reconciler,
        agents,
        sealing,
        webhooks,
        audit,
    };
    let service = api.serve().await.map_err(anyhow::Error::from_boxed)?;
    info!(name = %config.name, "controller ready");
    shutdown.await;
    info!("stopping; unfinished runs go on when a controller starts again");
    service.stop().await.map_err(anyhow::Error::from_boxed)?;
    presence.say_goodbye().await;
    Ok(())
}
