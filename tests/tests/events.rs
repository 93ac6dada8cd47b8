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
    nats::free_port,
    process::{Process, Recipe, write_private},
    receiver::{Mood, Receiver},
    rig::{COPY, DATA, Rig},
    wait,
};
use tempfile::TempDir;

/// Long enough for whatever is on its way to arrive.
const QUIET: Duration = Duration::from_secs(2);

const SECRET: &str = "Wh3-the-secret-of-the-webhook";

/// Bus and controller in a folder of their own.
struct Stage {
    control: Control,
    _folder: TempDir,
}

impl Stage {
    async fn new() -> anyhow::Result<Self> {
        let folder = Self::folder()?;
        let control = Control::start(Programs::from_environment()?, folder.path()).await?;
        Self::with(control, folder).await
    }

    /// For programs that know nothing of credentials.
    async fn open() -> anyhow::Result<Self> {
        let folder = Self::folder()?;
        let control = Control::start_open(Programs::from_environment()?, folder.path()).await?;
        Self::with(control, folder).await
    }

    fn folder() -> anyhow::Result<TempDir> {
        Ok(tempfile::Builder::new().prefix("sanfleet-").tempdir_in("/var/tmp")?)
    }

    async fn with(control: Control, folder: TempDir) -> anyhow::Result<Self> {
        control.until_ready().await?;
        Ok(Self { control, _folder: folder })
    }

    /// Adds a webhook for what happens to devices.
    fn add_webhook(&self, name: &str, url: &str, tries: u32) -> anyhow::Result<()> {
        let secret = self.control.folder.join("secret");
        write_private(&secret, SECRET)?;
        let (secret, tries) = (secret.to_string_lossy(), tries.to_string());
        let add = ["webhook", "add", name, "--url", url, "--secret-file", &secret, "--tries", &tries];
        self.control.cli(&[&add[..], &["--type", "device.*"]].concat())?;
        Ok(())
    }

    fn webhook(&self, name: &str) -> anyhow::Result<v1::WebhookSummary> {
        let list: v1::WebhookListReply = self.control.cli_json(&["webhook", "list"])?;
        let named =
            |one: &v1::WebhookSummary| one.webhook.as_ref().is_some_and(|webhook| webhook.name == name);
        list.webhooks.into_iter().find(named).ok_or_else(|| anyhow::anyhow!("no webhook {name}"))
    }

    async fn until_dead(&self, name: &str, count: u64) -> anyhow::Result<Vec<v1::DeadLetter>> {
        wait::until_true(&format!("{name} has {count} dead letters"), PATIENCE, || {
            self.webhook(name).is_ok_and(|webhook| webhook.dead >= count)
        })
        .await?;
        Ok(self.control.cli_json::<v1::WebhookDeadReply>(&["webhook", "dead", name])?.letters)
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
        let bus = control.nats.connect().await?;
        Ok(Self { bus, names: (0..count).map(|n| format!("host{n}")).collect(), generation: 0 })
    }

    async fn report(&mut self) -> anyhow::Result<()> {
        self.generation += 1;
        for host in &self.names {
            let disk =
                |name: &str| v1::BlockDevice { name: name.into(), size_bytes: 7, ..Default::default() };
            let devices = ["sda", "sdb"].iter().take(1 + usize::from(self.generation.is_multiple_of(2)));
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
        let bus = control.nats.connect().await?;
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
    let bus = rig.fleet.nats.connect().await?;
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
        (6, 1, 1),
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

/// The events that were taken: by id, how often.
fn taken(receiver: &Receiver) -> BTreeMap<String, usize> {
    let mut taken = BTreeMap::new();
    for request in receiver.taken() {
        *taken.entry(request.header("ce-id").to_owned()).or_default() += 1;
    }
    taken
}

async fn until_taken(receiver: &Receiver, count: usize) -> anyhow::Result<()> {
    wait::until_true(&format!("{count} events are taken"), PATIENCE, || taken(receiver).len() >= count).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_gets_every_event_although_it_fails_is_down_and_the_controller_is_restarted()
-> anyhow::Result<()> {
    let mut stage = Stage::new().await?;
    let mut receiver = Receiver::start(Mood::Answers(500)).await?;
    stage.add_webhook("hook", &receiver.url(), 10)?;
    let mut hosts = Hosts::new(&stage.control, 5).await?;
    for _ in 0..3 {
        hosts.report().await?;
    }
    wait::until_true("the webhook is seen to fail", PATIENCE, || {
        stage.webhook("hook").is_ok_and(|webhook| {
            webhook.state() == v1::WebhookState::Failing && webhook.error.contains("500")
        })
    })
    .await?;
    receiver.be(Mood::Takes);
    until_taken(&receiver, 10).await?;

    receiver.go_down().await;
    hosts.report().await?;
    wait::until_true("it is seen to be down", PATIENCE, || {
        stage.webhook("hook").is_ok_and(|webhook| webhook.error.contains("cannot connect"))
    })
    .await?;
    stage.control.kill_controller();
    stage.control.start_controller()?;
    stage.control.until_ready().await?;
    receiver.listen().await?;
    until_taken(&receiver, 15).await?;

    assert!(receiver.came().iter().all(|request| request.header("ce-type").starts_with("device.")));
    for request in receiver.taken() {
        assert_eq!(request.header("content-type"), "application/json");
        assert!(
            request.header("ce-sequence").parse::<u64>().is_ok() && !request.header("ce-time").is_empty()
        );
        assert!(request.header("sanfleet-signature").starts_with("t="));
        serde_json::from_slice::<v1::EventData>(&request.body)?;
    }
    stage.control.cli(&["webhook", "remove", "hook"])?;
    assert!(!stage.control.folder.join("state/webhooks/hook.password").exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_webhook_does_not_take_is_put_aside_with_the_reason_and_can_be_sent_again()
-> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let elsewhere = Receiver::start(Mood::Takes).await?;
    let redirects = Receiver::start(Mood::RedirectsTo(elsewhere.url())).await?;
    let silent = Receiver::start(Mood::Silent).await?;
    let refuses = Receiver::start(Mood::Answers(404)).await?;
    stage.add_webhook("redirects", &redirects.url(), 1)?;
    stage.add_webhook("silent", &silent.url(), 1)?;
    stage.add_webhook("refuses", &refuses.url(), 2)?;
    let mut hosts = Hosts::new(&stage.control, 1).await?;
    hosts.report().await?;
    hosts.report().await?;

    for (name, reason) in [("redirects", "redirect"), ("refuses", "404"), ("silent", "no answer within 15 s")]
    {
        let letters = stage.until_dead(name, 1).await?;
        assert!(letters[0].reason.contains(reason), "{letters:?}");
        assert_eq!((letters[0].r#type.as_str(), letters[0].about.as_str()), ("device.appeared", "host0"));
    }
    assert!(elsewhere.came().is_empty(), "a redirect was followed");
    assert_eq!(refuses.came().len(), 2);

    let refused = stage.control.cli_output(&["webhook", "retry", "refuses"])?;
    assert_eq!(refused.status.code(), Some(6), "{}", String::from_utf8_lossy(&refused.stdout));
    refuses.be(Mood::Takes);
    let retried: v1::WebhookRetryReply = stage.control.cli_json(&["webhook", "retry", "refuses"])?;
    assert_eq!((retried.delivered, retried.left), (1, 0));
    assert_eq!(taken(&refuses).len(), 1);
    assert!(stage.until_dead("refuses", 0).await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_controllers_one_delivers_each_event() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let _second = stage.control.start_another("c2")?;
    stage.until_controllers(2).await?;
    // As an operator does who gives the secret to both.
    for folder in ["state", "c2/state"] {
        let folder = stage.control.folder.join(folder).join("webhooks");
        std::fs::create_dir_all(&folder)?;
        write_private(&folder.join("hook.password"), SECRET)?;
    }
    let receiver = Receiver::start(Mood::Takes).await?;
    stage.control.cli(&["webhook", "add", "hook", "--url", &receiver.url(), "--type", "device.*"])?;
    let mut hosts = Hosts::new(&stage.control, 10).await?;
    for _ in 0..4 {
        hosts.report().await?;
    }
    until_taken(&receiver, 30).await?;
    wait::until_true("nothing waits any more", PATIENCE, || {
        stage.webhook("hook").is_ok_and(|webhook| (webhook.waiting, webhook.under_way) == (0, 0))
    })
    .await?;
    assert!(taken(&receiver).values().all(|times| *times == 1), "{:?}", taken(&receiver));
    // Whichever of the two answers, it delivers.
    for _ in 0..10 {
        assert_eq!(stage.webhook("hook")?.state(), v1::WebhookState::Ok);
    }
    Ok(())
}

/// What a program printed that is a line an event: object, number, type, body.
fn printed(control: &Control, name: &str) -> Vec<(String, u64, String)> {
    let text = std::fs::read_to_string(control.folder.join(format!("{name}.log"))).unwrap_or_default();
    let event = |line: &str| {
        let mut words = line.split(' ');
        let (object, number, kind) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
        Some((object.to_owned(), number, kind.to_owned()))
    };
    text.lines().map(|line| event(line).unwrap_or_else(|| panic!("{line}"))).collect()
}

fn example(control: &Control, name: &str, arguments: &[&str]) -> anyhow::Result<Process> {
    let script = format!("{}/../docs/examples/{name}.py", env!("CARGO_MANIFEST_DIR"));
    Recipe::new(name, &control.folder, "python3").args([script.as_str()]).args(arguments).start()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_subscriber_in_python_sees_every_number_over_its_own_restart() -> anyhow::Result<()> {
    let stage = Stage::open().await?;
    let address = stage.control.nats.url().trim_start_matches("nats://").to_owned();
    let follow =
        || example(&stage.control, "follow_events", &[&address, "example", "sanfleet.v1.event.*.*.host0"]);
    let printed = || printed(&stage.control, "follow_events");
    let mut hosts = Hosts::new(&stage.control, 2).await?;
    let subscriber = follow()?;
    hosts.report().await?;
    hosts.report().await?;
    wait::until_true("it prints two events", PATIENCE, || printed().len() == 2).await?;
    drop(subscriber);
    hosts.report().await?;
    let _subscriber = follow()?;
    hosts.report().await?;
    wait::until_true("it prints two more", PATIENCE, || printed().len() >= 4).await?;
    let seen: BTreeSet<(String, u64)> =
        printed().into_iter().map(|(object, number, _)| (object, number)).collect();
    assert_eq!(seen, (1..=4).map(|number| ("host0".to_owned(), number)).collect());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_receiver_in_python_takes_what_is_signed_and_nothing_else() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let (port, secret, other) =
        (free_port()?, stage.control.folder.join("secret"), stage.control.folder.join("other"));
    write_private(&other, "another secret\n")?;
    let url = format!("http://127.0.0.1:{port}/");
    stage.add_webhook("python", &url, 5)?;
    let receive = |secret: &std::path::Path| {
        example(&stage.control, "receive_webhook", &[&port.to_string(), &secret.to_string_lossy()])
    };
    let stranger = receive(&other)?;
    wait::until_true("the signature is refused", PATIENCE, || {
        let output = stage.control.cli_output(&["webhook", "test", "python"]);
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stderr).contains("401"))
    })
    .await?;
    drop(stranger);
    let _receiver = receive(&secret)?;
    let mut hosts = Hosts::new(&stage.control, 1).await?;
    hosts.report().await?;
    hosts.report().await?;
    wait::until_true("the event is printed", PATIENCE, || {
        printed(&stage.control, "receive_webhook").iter().any(|(_, _, kind)| kind == "device.appeared")
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_replays_from_a_place_and_leaves_out_what_was_not_asked_for() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let mut hosts = Hosts::new(&stage.control, 3).await?;
    for _ in 0..5 {
        hosts.report().await?;
    }
    let read = |more: &[&str]| -> anyhow::Result<Vec<serde_json::Value>> {
        let text = stage.control.cli(&[&["--output", "json", "events"], more].concat())?;
        Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
    };
    let devices = ["--type", "device.*", "--about", "host1"];
    wait::until_true("all is told", PATIENCE, || read(&devices).is_ok_and(|events| events.len() == 4))
        .await?;
    let events = read(&devices)?;
    assert!(events.iter().all(|event| event["subject"] == "host1"), "{events:?}");
    let third = events[2]["streamsequence"].to_string();
    let rest = read(&[&devices[..], &["--since-sequence", &third]].concat())?;
    assert_eq!(rest, events[2..]);
    let gone = read(&["--type", "device.gone", "--type", "host.*"])?;
    let is_asked_for = |kind: &str| kind == "device.gone" || kind.starts_with("host.");
    assert!(gone.iter().all(|event| is_asked_for(event["type"].as_str().unwrap())), "{gone:?}");
    assert_eq!(gone.iter().filter(|event| event["type"] == "device.gone").count(), 6);
    Ok(())
}
