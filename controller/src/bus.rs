//! The bus: one connection, and the streams that capture what must not be lost.

use std::{path::PathBuf, time::Duration};

use async_nats::{
    ConnectOptions, Event,
    jetstream::{self, kv, stream},
};
use sanfleet_protocol::subject;
use tokio::sync::watch;

/// How long JetStream may take to answer before a call counts as lost.
const ACK_TIMEOUT: Duration = Duration::from_secs(3);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Largest size of the event stream, in bytes: the oldest events go first.
const EVENTS_MAX_BYTES: i64 = 1 << 30;
/// Largest size of what webhooks did not take, in bytes: the oldest go first.
const DEAD_MAX_BYTES: i64 = 256 << 20;

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BusOptions {
    /// One or more servers of one cluster.
    pub url: Vec<String>,
    /// A NATS credentials file.
    pub credentials: Option<PathBuf>,
    /// PEM file of the certificate authority that signed the servers' certificates.
    pub ca: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum BusError {
    #[error("cannot read NATS credentials {path}")]
    Credentials {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot connect to NATS at {url}")]
    Connect {
        url: String,
        #[source]
        source: async_nats::ConnectError,
    },
    #[error("stream {name} cannot be made")]
    Stream {
        name: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A connected bus. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bus {
    pub client: async_nats::Client,
    pub jetstream: jetstream::Context,
    connections: watch::Receiver<u64>,
}

impl Bus {
    pub async fn connect(options: &BusOptions, name: &str) -> Result<Self, BusError> {
        let (counter, connections) = watch::channel(0u64);
        let mut connect = ConnectOptions::new()
            .name(format!("sanfleet-controller {name}"))
            .ping_interval(Duration::from_secs(15))
            .event_callback(move |event| {
                let counter = counter.clone();
                async move {
                    tracing::info!(%event, "bus");
                    if event == Event::Connected {
                        counter.send_modify(|connections| *connections += 1);
                    }
                }
            });
        if let Some(path) = &options.credentials {
            connect = connect
                .credentials_file(path)
                .await
                .map_err(|source| BusError::Credentials { path: path.clone(), source })?;
        }
        if let Some(ca) = &options.ca {
            connect = connect.require_tls(true).add_root_certificates(ca.clone());
        }
        let client = connect
            .connect(options.url.as_slice())
            .await
            .map_err(|source| BusError::Connect { url: options.url.join(", "), source })?;
        let mut jetstream = jetstream::new(client.clone());
        jetstream.set_timeout(ACK_TIMEOUT);
        let bus = Self { client, jetstream, connections };
        bus.ensure_streams().await?;
        Ok(bus)
    }

    /// Keeps the streams there: one in memory is gone after a restart of its server.
    pub async fn keep_streams(self) {
        let mut connections = self.connections.clone();
        while connections.changed().await.is_ok() {
            while let Err(error) = self.ensure_streams().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "streams not ready");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }

    async fn ensure_streams(&self) -> Result<(), BusError> {
        for config in [reports(), events(), runs(), dead()] {
            let name = stream_name(&config);
            let made = self.jetstream.get_or_create_stream(config).await;
            made.map_err(|source| BusError::Stream { name, source: source.into() })?;
        }
        for name in [subject::ARRAYS_BUCKET, subject::HOSTS_BUCKET, subject::WEBHOOKS_BUCKET] {
            let bucket = kv::Config { bucket: name.to_owned(), history: 5, ..Default::default() };
            let made = self.jetstream.create_or_update_key_value(bucket).await;
            made.map_err(|source| BusError::Stream { name, source: source.into() })?;
        }
        Ok(())
    }

    /// The bucket of the arrays that operators added.
    pub async fn arrays(&self) -> Result<kv::Store, BusError> {
        self.bucket(subject::ARRAYS_BUCKET).await
    }

    /// The bucket of the webhooks that operators added.
    pub async fn webhooks(&self) -> Result<kv::Store, BusError> {
        self.bucket(subject::WEBHOOKS_BUCKET).await
    }

    /// The bucket of what operators said of hosts.
    pub async fn hosts(&self) -> Result<kv::Store, BusError> {
        self.bucket(subject::HOSTS_BUCKET).await
    }

    async fn bucket(&self, name: &'static str) -> Result<kv::Store, BusError> {
        let store = self.jetstream.get_key_value(name).await;
        store.map_err(|source| BusError::Stream { name, source: source.into() })
    }
}

fn stream_name(config: &stream::Config) -> &'static str {
    match config.name.as_str() {
        subject::REPORTS_STREAM => subject::REPORTS_STREAM,
        subject::EVENTS_STREAM => subject::EVENTS_STREAM,
        subject::DEAD_STREAM => subject::DEAD_STREAM,
        _ => subject::RUNS_STREAM,
    }
}

/// The newest report of each host. In memory: agents report again whenever they connect.
fn reports() -> stream::Config {
    stream::Config {
        name: subject::REPORTS_STREAM.to_owned(),
        subjects: vec![subject::ALL_REPORTS.to_owned()],
        storage: stream::StorageType::Memory,
        max_messages_per_subject: 1,
        allow_direct: true,
        ..Default::default()
    }
}

fn events() -> stream::Config {
    stream::Config {
        name: subject::EVENTS_STREAM.to_owned(),
        subjects: vec![subject::ALL_EVENTS.to_owned()],
        storage: stream::StorageType::File,
        max_age: 30 * DAY,
        max_bytes: EVENTS_MAX_BYTES,
        allow_direct: true,
        ..Default::default()
    }
}

/// What webhooks did not take, until it is taken or removed.
fn dead() -> stream::Config {
    stream::Config {
        name: subject::DEAD_STREAM.to_owned(),
        subjects: vec![subject::ALL_DEAD.to_owned()],
        storage: stream::StorageType::File,
        max_age: 30 * DAY,
        max_bytes: DEAD_MAX_BYTES,
        allow_direct: true,
        ..Default::default()
    }
}

/// The journals. A run's is removed whole, when it is long over and nothing rests on it: `runs/forget.rs`.
fn runs() -> stream::Config {
    stream::Config {
        name: subject::RUNS_STREAM.to_owned(),
        subjects: vec![subject::ALL_RUNS.to_owned()],
        storage: stream::StorageType::File,
        deny_delete: true,
        allow_direct: true,
        ..Default::default()
    }
}
