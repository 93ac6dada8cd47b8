//! Takes in what hosts say: reports and heartbeats, from the subject that only that host may publish on.
//!
//! A report is evidence, never authority: it changes the catalog, and the catalog allows nothing by itself. What comes in a host's name
//! under another key than the one it is known by is not taken in.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use futures::StreamExt;
use prost::Message;
use sanfleet_protocol::{
    Fence, Generation, HostId, ReportPublicKey, report_key, subject,
    v1::{self, command::Action},
};
use tokio::time::interval;

use crate::{
    agents::{Agents, IfOffline, Order},
    bus::Bus,
    catalog::{Catalog, Change, Dispute, Inventory, Signer},
    clock::now_unix_ms,
    events::Events,
    runs::Runs,
    state::SharedCatalog,
    stored_hosts::StoredHosts,
};

/// A host that is silent for longer is offline: three heartbeats at the agents' default of 5 s, and a second of grace.
const SILENCE: Duration = Duration::from_secs(16);
const ASK: Duration = Duration::from_secs(5);

/// The parts that taking in needs.
#[derive(Clone)]
pub struct Ingest {
    pub bus: Bus,
    pub catalog: SharedCatalog,
    pub events: Events,
    pub agents: Arc<dyn Agents>,
    pub hosts: StoredHosts,
}

type Error = Box<dyn std::error::Error + Send + Sync>;

impl Ingest {
    /// Subscribes first and then reads what the stream kept, so that no report falls between the two.
    pub async fn start(self) -> Result<(), Error> {
        let reports = self.bus.client.subscribe(subject::ALL_REPORTS).await?;
        let heartbeats = self.bus.client.subscribe(subject::ALL_HEARTBEATS).await?;
        let kept = self.read_kept().await?;
        // Told beside all else, and before anything newer: a controller that starts speaks only when it knows who else is there,
        // and of a large fleet there is more to tell than may wait for that.
        tokio::spawn(async move {
            self.tell(kept).await;
            tokio::spawn(self.clone().follow_reports(reports));
            tokio::spawn(self.clone().follow_heartbeats(heartbeats));
            tokio::spawn(self.watch_silence());
        });
        Ok(())
    }

    /// Takes in what the stream kept, and gives what that changed.
    async fn read_kept(&self) -> Result<Vec<Change>, Error> {
        let mut stream = self.bus.jetstream.get_stream(subject::REPORTS_STREAM).await?;
        if stream.info().await?.state.messages == 0 {
            return Ok(Vec::new());
        }
        let begun = std::time::Instant::now();
        let config = pull::OrderedConfig { deliver_policy: DeliverPolicy::All, ..Default::default() };
        let mut messages = stream.create_consumer(config).await?.messages().await?;
        let (mut taken, mut changes) = (0usize, Vec::new());
        while let Some(message) = messages.next().await {
            let message = message?;
            changes.extend(self.take_report(&message.subject, &message.payload));
            taken += 1;
            if message.info()?.pending == 0 {
                break;
            }
        }
        tracing::info!(reports = taken, took_ms = begun.elapsed().as_millis(), "kept reports read");
        Ok(changes)
    }

    async fn follow_reports(self, mut reports: async_nats::Subscriber) {
        while let Some(message) = reports.next().await {
            let changes = self.take_report(&message.subject, &message.payload);
            self.tell(changes).await;
        }
    }

    fn take_report(&self, subject: &str, payload: &[u8]) -> Vec<Change> {
        match parse_report(subject, payload) {
            Ok(report) => self.take(report),
            Err(error) => {
                tracing::warn!(subject, %error, "report refused");
                Vec::new()
            }
        }
    }

    fn take(&self, Report { host, key, inventory }: Report) -> Vec<Change> {
        let (mut catalog, now) = (self.catalog.write(), now_unix_ms());
        match (catalog.signer(&host, key.as_ref()), key) {
            (Signer::New, Some(key)) => self.know_by(&mut catalog, &host, key),
            (Signer::Known | Signer::New, _) => {}
            (Signer::Other, key) => {
                let by = key.as_ref().map_or("no key".to_owned(), ToString::to_string);
                tracing::warn!(%host, by, "report refused: the host is known by another key");
                catalog.dispute(&host, Dispute { key, at_unix_ms: now });
                return Vec::new();
            }
        }
        let before = catalog.starts(&host);
        let changes = catalog.take_report(&host, inventory, now);
        if catalog.starts(&host).is_another_than(&before) {
            self.clone().ask_for_report(host);
        }
        changes
    }

    /// It counts from now on here, and everywhere as soon as it is stored. Of two that are new at once the one counts that is stored first.
    fn know_by(&self, catalog: &mut Catalog, host: &HostId, key: ReportPublicKey) {
        catalog.know_by(host, key.clone());
        let (hosts, catalog, host) = (self.hosts.clone(), self.catalog.clone(), host.clone());
        tokio::spawn(async move {
            if let Err(error) = hosts.know_by(&host, &key).await {
                tracing::warn!(%host, %error, "the host's key cannot be kept; its next report tries again");
                catalog.write().forget_key(&host, &key);
            }
        });
    }

    async fn follow_heartbeats(self, mut heartbeats: async_nats::Subscriber) {
        while let Some(message) = heartbeats.next().await {
            let Ok(host) = subject::heartbeat_host(&message.subject) else { continue };
            let Ok(heartbeat) = v1::Heartbeat::decode(message.payload) else { continue };
            let (changes, lacks) = {
                let mut catalog = self.catalog.write();
                let changes = match heartbeat.leaving {
                    true => catalog.lost(&host),
                    false => catalog.saw(&host, now_unix_ms()),
                };
                catalog.confirm(&host, Generation(heartbeat.generation), now_unix_ms());
                (changes, catalog.generation(&host) < Some(Generation(heartbeat.generation)))
            };
            self.tell(changes).await;
            if lacks && !heartbeat.leaving {
                self.clone().ask_for_report(host);
            }
        }
    }

    /// A host with news that we have not seen: its report was lost with a restart of the bus.
    fn ask_for_report(self, host: HostId) {
        tokio::spawn(async move {
            let (run, if_offline) = (Runs::mint(), IfOffline::GiveUp);
            let order = Order { run, step: "report", fence: Fence(0), if_offline };
            let asked = self.agents.command(&host, order, Action::ReportNow(v1::ReportNow {}), ASK).await;
            if let Err(error) = asked {
                tracing::debug!(%host, %error, "no report on request");
            }
        });
    }

    async fn watch_silence(self) {
        let mut ticks = interval(Duration::from_secs(1));
        loop {
            ticks.tick().await;
            let silence = i64::try_from(SILENCE.as_millis()).unwrap_or(i64::MAX);
            let changes: Vec<Change> = {
                let mut catalog = self.catalog.write();
                let silent = catalog.silent_since(now_unix_ms().saturating_sub(silence));
                silent.iter().flat_map(|host| catalog.lost(host)).collect()
            };
            self.tell(changes).await;
        }
    }

    async fn tell(&self, changes: Vec<Change>) {
        let catalog = self.catalog.clone();
        self.events.changed(changes, |change| crate::events::id_of(&catalog.read(), change)).await;
    }
}

/// A report after parsing.
struct Report {
    host: HostId,
    /// Who has signed it.
    key: Option<ReportPublicKey>,
    inventory: Inventory,
}

fn parse_report(subject: &str, payload: &[u8]) -> Result<Report, Error> {
    let host = subject::report_host(subject)?;
    let (report, key) = report_key::open(payload)?;
    let inventory = Inventory::from_report(&host, report)?;
    Ok(Report { host, key, inventory })
}
