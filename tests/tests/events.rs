//! What other programs build on: each object's events have the numbers 1, 2, 3 …, each once, whoever is restarted meanwhile
//! and however many controllers there are.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "this is a test"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use async_nats::jetstream::{
    self, AckKind,
    consumer::{PullConsumer, pull},
};
use futures::{StreamExt, TryStreamExt};
use prost::Message;
use sanfleet_protocol::{subject, v1};
use sanfleet_tests::{
    control::{Control, PATIENCE, Programs},
    failpoint::Hold,
    rig::{COPY, DATA, Rig},
    wait,
};
use tempfile::TempDir;

/// Long enough for whatever is on its way to arrive.
const QUIET: Duration = Duration::from_secs(2);

/// Bus and controller in a folder of their own.
struct Stage {
    control: Control,
    _folder: TempDir,
}

impl Stage {
    async fn new() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("sanfleet-").tempdir_in("/var/tmp")?;
        let control = Control::start(Programs::from_environment()?, folder.path()).await?;
        control.until_ready().await?;
        Ok(Self { control, _folder: folder })
    }

    async fn until_controllers(&self, count: usize) -> anyhow::Result<()> {
        wait::until_true("all controllers hear each other", PATIENCE, || {
            let status = self.control.cli_json::<v1::StatusReply>(&["status"]);
            status.is_ok_and(|status| status.controllers.len() == count)
        })
        .await
    }
}

/// Hosts that only report: with every generation one of two devices is there or not.
struct Hosts {
    bus: async_nats::Client,
    names: Vec<String>,
    generation: u64,
}

impl Hosts {
    async fn new(control: &Control, count: usize) -> anyhow::Result<Self> {
        let bus = async_nats::connect(control.nats.url()).await?;
        Ok(Self { bus, names: (0..count).map(|n| format!("host{n}")).collect(), generation: 0 })
    }

    async fn report(&mut self) -> anyhow::Result<()> {
        self.generation += 1;
        for host in &self.names {
            let disk =
                |name: &str| v1::BlockDevice { name: name.into(), size_bytes: 7, ..Default::default() };
            let devices = ["sda", "sdb"].iter().take(1 + usize::from(self.generation % 2 == 0));
            let report = v1::HostReport {
                version: sanfleet_protocol::VERSION,
                host: host.clone(),
                generation: self.generation,
                devices: devices.map(|name| disk(name)).collect(),
                ..Default::default()
            };
            self.bus.publish(subject::report(&host.parse()?), report.encode_to_vec().into()).await?;
        }
        self.bus.flush().await?;
        Ok(())
    }
}

/// A subscriber as others would write it: it remembers nothing but its name, and acknowledges what it has taken in.
struct Subscriber {
    consumer: PullConsumer,
    /// By object: number, then id and type.
    taken: BTreeMap<String, BTreeMap<u64, (String, String)>>,
}

impl Subscriber {
    async fn new(control: &Control) -> anyhow::Result<Self> {
        Ok(Self { consumer: Self::connect(control).await?, taken: BTreeMap::new() })
    }

    async fn connect(control: &Control) -> anyhow::Result<PullConsumer> {
        let bus = async_nats::connect(control.nats.url()).await?;
        let stream = jetstream::new(bus).get_stream(subject::EVENTS_STREAM).await?;
        let config = pull::Config {
            durable_name: Some("subscriber".to_owned()),
            ack_wait: Duration::from_secs(1),
            ..Default::default()
        };
        Ok(stream.get_or_create_consumer("subscriber", config).await?)
    }

    /// Takes in what comes until it is enough, or nothing comes any more.
    async fn take(&mut self, mut is_enough: impl FnMut(&Self) -> bool) -> anyhow::Result<()> {
        let mut messages = self.consumer.messages().await?;
        while !is_enough(self) {
            let Ok(next) = tokio::time::timeout(QUIET, messages.next()).await else { return Ok(()) };
            let Some(message) = next.transpose()? else { return Ok(()) };
            let headers = message.headers.clone().unwrap_or_default();
            let header = |name: &str| headers.get(name).map(ToString::to_string).unwrap_or_default();
            let number: u64 = header("ce-sequence").parse()?;
            let event = (header("ce-id"), header("ce-type"));
            let known = self.taken.entry(header("ce-subject")).or_default().insert(number, event.clone());
            assert!(known.is_none_or(|known| known == event), "one number, two events: {event:?}");
            message.ack_with(AckKind::Ack).await.map_err(anyhow::Error::from_boxed)?;
        }
        Ok(())
    }

    /// Dies with what it had fetched and not acknowledged, and starts again under its name.
    async fn restart(&mut self, control: &Control) -> anyhow::Result<()> {
        self.consumer = Self::connect(control).await?;
        Ok(())
    }

    fn of(&self, object: &str) -> Vec<&(String, String)> {
        self.taken.get(object).into_iter().flat_map(BTreeMap::values).collect()
    }

    fn count(&self, object: &str, kind: &str) -> usize {
        self.of(object).into_iter().filter(|(_, seen)| seen == kind).count()
    }

    /// Every number from the first on is there, and no event has two.
    fn expect_no_gap(&self) {
        for (object, events) in &self.taken {
            let numbers: Vec<u64> = events.keys().copied().collect();
            assert!(
                numbers.iter().zip(1..).all(|(number, wanted)| *number == wanted),
                "{object}: {numbers:?}"
            );
            let ids: BTreeSet<&String> = events.values().map(|(id, _)| id).collect();
            assert_eq!(ids.len(), events.len(), "{object}: an event has two numbers");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_controllers_see_is_told_once() -> anyhow::Result<()> {
    const REPORTS: usize = 12;
    let stage = Stage::new().await?;
    let _second = stage.control.start_another("c2")?;
    stage.until_controllers(2).await?;
    let mut hosts = Hosts::new(&stage.control, 20).await?;
    for _ in 0..REPORTS {
        hosts.report().await?;
    }
    let mut subscriber = Subscriber::new(&stage.control).await?;
    subscriber.take(|_| false).await?;
    subscriber.expect_no_gap();
    for host in &hosts.names {
        let count = |kind: &str| subscriber.count(host, kind);
        let counted = (count("host.online"), count("device.appeared"), count("device.gone"));
        assert_eq!(counted, (1, REPORTS / 2, REPORTS / 2 - 1), "{host}: {:?}", subscriber.of(host));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_number_of_every_object_comes_once_whoever_is_restarted() -> anyhow::Result<()> {
    let mut stage = Stage::new().await?;
    let _second = stage.control.start_another("c2")?;
    stage.until_controllers(2).await?;
    let mut hosts = Hosts::new(&stage.control, 10).await?;
    let mut subscriber = Subscriber::new(&stage.control).await?;
    for _ in 0..10 {
        hosts.report().await?;
    }
    subscriber.take(|so_far| so_far.taken.len() > 3).await?;
    subscriber.restart(&stage.control).await?;

    stage.control.kill_controller();
    for _ in 0..10 {
        hosts.report().await?;
    }
    stage.control.start_controller()?;
    stage.until_controllers(2).await?;
    for _ in 0..10 {
        hosts.report().await?;
    }
    subscriber.take(|so_far| so_far.taken.len() > 6).await?;

    stage.control.nats.kill();
    stage.control.nats.restart().await?;
    stage.until_controllers(2).await?;
    subscriber.restart(&stage.control).await?;
    // The second controller, which was never killed, saw every report; each but the first changed one device.
    let before = usize::try_from(hosts.generation)? - 1;
    let changes = |so_far: &Subscriber, host: &String| {
        so_far.count(host, "device.appeared") + so_far.count(host, "device.gone")
    };
    let end = Instant::now() + PATIENCE;
    while !hosts.names.iter().all(|host| changes(&subscriber, host) > before) {
        assert!(Instant::now() < end, "nothing is told after the restart: {:?}", subscriber.taken);
        // A report is lost where no controller is connected again.
        hosts.report().await?;
        subscriber.take(|_| false).await?;
    }
    subscriber.expect_no_gap();
    assert_eq!(subscriber.taken.len(), hosts.names.len());
    Ok(())
}

/// The types of all stored events about a run, in order.
async fn told(bus: &async_nats::Client, run: &str) -> anyhow::Result<Vec<String>> {
    let stream = jetstream::new(bus.clone()).get_stream(subject::EVENTS_STREAM).await?;
    let config = pull::OrderedConfig { filter_subject: subject::events_about(run), ..Default::default() };
    let consumer = stream.create_consumer(config).await?;
    let waiting = usize::try_from(consumer.cached_info().num_pending)?;
    let messages: Vec<_> = consumer.messages().await?.take(waiting).try_collect().await?;
    let kinds = messages.iter().filter_map(|message| message.headers.as_ref()?.get("ce-type"));
    Ok(kinds.map(ToString::to_string).collect())
}

async fn killed_before_it_was_told(place: &'static str) -> anyhow::Result<()> {
    let mut rig = Rig::new().await?;
    let hold = Hold::new(rig.fleet.failpoints(), place)?;
    let source = format!("db1:{DATA}");
    let attach = ["backup", "attach", &source, "--to", "backup1", "--mount", COPY, "--quiesce", "none"];
    let mut asking = rig.fleet.cli_command(&[&attach[..], &["--no-wait"]].concat()).spawn()?;
    hold.reached().await?;
    rig.fleet.kill_controller();
    drop(hold);
    asking.wait()?;
    rig.fleet.start_controller()?;
    let run = rig.fleet.until_runs_end().await?;
    let bus = async_nats::connect(rig.fleet.nats.url()).await?;
    let kinds = wait::until("all is told", PATIENCE, || async {
        let kinds = told(&bus, &run.id).await.ok()?;
        let wanted = ["run.started", "step.started", "step.finished", "run.finished", "attachment.ready"];
        wanted.iter().all(|kind| kinds.iter().any(|told| told == kind)).then_some(kinds)
    })
    .await?;
    let count = |kind: &str| kinds.iter().filter(|told| *told == kind).count();
    assert_eq!((kinds[0].as_str(), count("run.started")), ("run.started", 1), "{kinds:?}");
    assert_eq!(
        (count("step.finished"), count("run.finished"), count("attachment.ready")),
        (5, 1, 1),
        "{kinds:?}"
    );
    rig.expect_accounted_for(&run).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_of_a_controller_that_died_before_it_was_told_is_told_by_who_takes_over()
-> anyhow::Result<()> {
    killed_before_it_was_told("controller.record.untold").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_run_is_told_although_its_controller_died_with_the_last_record() -> anyhow::Result<()> {
    killed_before_it_was_told("controller.finished.untold").await
}
