//! The bus: one connection, and the streams that capture what must not be lost.

use std::{
    num::NonZeroU8,
    path::{Path, PathBuf},
    time::Duration,
};

use async_nats::{
    ConnectOptions, Event,
    jetstream::{self, kv, stream},
};
use sanfleet_protocol::{credentials, subject};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

/// How long JetStream may take to answer before a call counts as lost.
const ACK_TIMEOUT: Duration = Duration::from_secs(3);
/// Silence of the server is noticed after two of these: soon, because another controller may be waiting for this one's runs, or
/// this one for another's.
const PING_EVERY: Duration = Duration::from_secs(2);
/// How long a controller that starts waits for streams that cannot be made yet.
const READY_WITHIN: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_millis(500);
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
    /// How many servers keep each stream: 3 in a cluster of three, where one may then be lost. Streams that have fewer are given
    /// more; none is ever given fewer.
    #[serde(default = "one")]
    pub replicas: NonZeroU8,
}

fn one() -> NonZeroU8 {
    NonZeroU8::MIN
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
        source: Error,
    },
}

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A connected bus. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bus {
    pub client: async_nats::Client,
    pub jetstream: jetstream::Context,
    replicas: usize,
    connections: watch::Receiver<u64>,
}

/// Answers come to an inbox of our own, which nobody else may listen to.
fn with_credentials(options: ConnectOptions, path: &Path) -> std::io::Result<ConnectOptions> {
    let text = std::fs::read_to_string(path)?;
    let options = options.credentials(&text)?;
    Ok(match credentials::identity(&text) {
        Some(own) => options.custom_inbox_prefix(own.inbox),
        None => options,
    })
}

impl Bus {
    pub async fn connect(options: &BusOptions, name: &str) -> Result<Self, BusError> {
        let (counter, connections) = watch::channel(0u64);
        let mut connect = ConnectOptions::new()
            .name(format!("sanfleet-controller {name}"))
            .ping_interval(PING_EVERY)
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
            connect = with_credentials(connect, path)
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
        let bus = Self { client, jetstream, replicas: options.replicas.get().into(), connections };
        bus.ensure_streams_in_time().await?;
        Ok(bus)
    }

    /// A cluster that has just been started has no leader yet.
    async fn ensure_streams_in_time(&self) -> Result<(), BusError> {
        let until = Instant::now() + READY_WITHIN;
        loop {
            match self.ensure_streams().await {
                Err(error) if Instant::now() < until => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "streams not ready, trying again"
                    );
                    sleep(RETRY).await;
                }
                ready => return ready,
            }
        }
    }

    /// Keeps the streams there: one in memory is gone after a restart of its server.
    pub async fn keep_streams(self) {
        let mut connections = self.connections.clone();
        while connections.changed().await.is_ok() {
            while let Err(error) = self.ensure_streams().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "streams not ready");
                sleep(RETRY).await;
            }
        }
    }

    async fn ensure_streams(&self) -> Result<(), BusError> {
        for config in [reports(self.replicas), events(), runs(), dead(), controllers(), audit()] {
            let name = stream_name(&config);
            self.ensure_stream(config).await.map_err(|source| BusError::Stream { name, source })?;
        }
        for name in [subject::ARRAYS_BUCKET, subject::HOSTS_BUCKET, subject::WEBHOOKS_BUCKET] {
            self.ensure_bucket(name).await.map_err(|source| BusError::Stream { name, source })?;
        }
        Ok(())
    }

    async fn ensure_stream(&self, config: stream::Config) -> Result<(), Error> {
        let config = stream::Config { num_replicas: self.replicas, ..config };
        let stream = self.jetstream.get_or_create_stream(config).await?;
        self.give_more_replicas(&stream.cached_info().config).await
    }

    async fn ensure_bucket(&self, name: &str) -> Result<(), Error> {
        if let Ok(bucket) = self.jetstream.get_key_value(name).await {
            return self.give_more_replicas(&bucket.stream.cached_info().config).await;
        }
        let (bucket, num_replicas) = (name.to_owned(), self.replicas);
        let config = kv::Config { bucket, num_replicas, history: 5, ..Default::default() };
        self.jetstream.create_or_update_key_value(config).await?;
        Ok(())
    }

    async fn give_more_replicas(&self, config: &stream::Config) -> Result<(), Error> {
        if config.num_replicas < self.replicas {
            let more = stream::Config { num_replicas: self.replicas, ..config.clone() };
            self.jetstream.update_stream(more).await?;
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
        subject::CONTROLLERS_STREAM => subject::CONTROLLERS_STREAM,
        subject::AUDIT_STREAM => subject::AUDIT_STREAM,
        _ => subject::RUNS_STREAM,
    }
}

/// The newest sign of each controller. What is in it is of no use: that it was taken in shows that most servers were reached.
/// On disk: a stream of several servers' memories can be left without a leader when these are restarted one after another.
fn controllers() -> stream::Config {
    stream::Config {
        name: subject::CONTROLLERS_STREAM.to_owned(),
        subjects: vec![subject::ALL_CONTROLLERS.to_owned()],
        storage: stream::StorageType::File,
        max_messages_per_subject: 1,
        ..Default::default()
    }
}

/// The newest report of each host. In memory where one server keeps it: agents report again whenever they connect.
fn reports(replicas: usize) -> stream::Config {
    stream::Config {
        name: subject::REPORTS_STREAM.to_owned(),
        subjects: vec![subject::ALL_REPORTS.to_owned()],
        storage: if replicas == 1 { stream::StorageType::Memory } else { stream::StorageType::File },
        max_messages_per_subject: 1,
        allow_direct: true,
        ..Default::default()
    }
}

/// Kept for ever; whoever wants to be rid of it has to remove it whole, which is seen.
fn audit() -> stream::Config {
    stream::Config {
        name: subject::AUDIT_STREAM.to_owned(),
        subjects: vec![subject::AUDIT.to_owned()],
        storage: stream::StorageType::File,
        deny_delete: true,
        deny_purge: true,
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
