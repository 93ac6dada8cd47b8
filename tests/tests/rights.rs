//! Who may say and hear what on the bus, asked of a real nats-server with credentials that `sanfleet bus` made.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is a test"
)]

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_nats::{
    Client, ConnectOptions, Event, ServerError,
    jetstream::{self, consumer::pull},
};
use futures::{FutureExt, StreamExt};
use sanfleet_protocol::{BusUser, HostId, enrolment::Invitation, rights::Role, subject};
use sanfleet_tests::{
    control::{Control, Programs},
    nats::Nats,
    process::Recipe,
    wait,
};

const SOON: Duration = Duration::from_secs(10);

/// A user, and what the server said against it.
struct User {
    client: Client,
    inbox: String,
    complaints: Arc<Mutex<Vec<String>>>,
}

impl User {
    async fn connect(nats: &Nats, credentials: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(credentials)?;
        let inbox = sanfleet_protocol::credentials::identity(&text).unwrap().inbox;
        let complaints: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&complaints);
        let options = ConnectOptions::with_credentials(&text)?.event_callback(move |event| {
            if let Event::ServerError(ServerError::Other(said)) = event {
                heard.lock().unwrap().push(said);
            }
            std::future::ready(())
        });
        let options = options.require_tls(true).add_root_certificates(nats.authority().unwrap());
        let client = options.custom_inbox_prefix(&inbox).connect(nats.url()).await?;
        Ok(Self { client, inbox, complaints })
    }

    /// What the server has said since this was asked the last time.
    fn complaints(&self) -> Vec<String> {
        std::mem::take(&mut self.complaints.lock().unwrap())
    }

    async fn is_denied(&self, what: &str, subject: &str) -> anyhow::Result<()> {
        let wanted = format!("{subject:?}").to_lowercase();
        let denied = |said: &String| {
            let said = said.to_lowercase();
            said.contains("permissions violation") && said.contains(what) && said.contains(&wanted)
        };
        wait::until_true(&format!("{what} of {subject} is denied"), SOON, || {
            self.complaints().iter().any(denied)
        })
        .await
    }

    async fn may_not_publish(&self, subject: &str) -> anyhow::Result<()> {
        self.client.publish(subject.to_owned(), "evil".into()).await?;
        self.is_denied("publish", subject).await
    }

    async fn may_not_subscribe(&self, subject: &str) -> anyhow::Result<()> {
        let _subscription = self.client.subscribe(subject.to_owned()).await?;
        self.is_denied("subscription", subject).await
    }
}

struct Stage {
    control: Control,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn new() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("sanfleet-").tempdir_in("/var/tmp")?;
        let control = Control::start(Programs::from_environment()?, folder.path()).await?;
        control.until_ready().await?;
        Ok(Self { control, _folder: folder })
    }

    /// One who hears these events.
    async fn subscriber(&self, events: &str) -> anyhow::Result<User> {
        let bus = &self.control.nats.users().unwrap().folder;
        let (folder, out) = (bus.to_string_lossy(), bus.join("heard.creds"));
        let user = ["bus", "user", "heard", "--role", "subscriber", "--event", events, "--dir", &folder];
        self.control.cli(&[&user[..], &["--out", &out.to_string_lossy()]].concat())?;
        User::connect(&self.control.nats, &out).await
    }

    async fn user(&self, name: &str, role: Role) -> anyhow::Result<User> {
        let credentials = self.control.nats.credentials(name, role)?.unwrap();
        User::connect(&self.control.nats, &credentials).await
    }
}

/// Everything that somebody could want who is another, or more, than a user with this role and name.
fn foreign(role: Role, name: &str) -> (Vec<String>, Vec<String>) {
    let other: HostId = "db2".parse().unwrap();
    let own: HostId = name.parse().unwrap();
    let mut publish = vec![
        subject::report(&other),
        subject::heartbeat(&other),
        subject::command(&other),
        subject::command(&own),
        subject::event("host.online", "db2"),
        subject::run(&"017f22e2-79b0-7cc3-98c4-dc0c0c07398f".parse().unwrap()),
        "sanfleet.v1.controller.c1".to_owned(),
        "$JS.API.STREAM.DELETE.SANFLEET_RUNS".to_owned(),
        "$JS.API.STREAM.PURGE.SANFLEET_EVENTS".to_owned(),
        "$JS.API.STREAM.MSG.GET.SANFLEET_RUNS".to_owned(),
        "$JS.API.CONSUMER.CREATE.SANFLEET_RUNS.spy".to_owned(),
        "$JS.API.CONSUMER.DELETE.SANFLEET_EVENTS.webhook".to_owned(),
        "$JS.API.STREAM.NAMES".to_owned(),
        "$KV.SANFLEET_ARRAYS.box".to_owned(),
        "$KV.SANFLEET_WEBHOOKS.chat".to_owned(),
        "$JS.API.STREAM.DELETE.SANFLEET_AUDIT".to_owned(),
        "$JS.API.STREAM.UPDATE.SANFLEET_AUDIT".to_owned(),
        "$SYS.REQ.CLAIMS.UPDATE".to_owned(),
        "$SRV.PING".to_owned(),
        "_INBOX.someone".to_owned(),
        "_INBOX_db2.someone".to_owned(),
    ];
    let mut subscribe = vec![
        ">".to_owned(),
        "sanfleet.>".to_owned(),
        subject::ALL_REPORTS.to_owned(),
        subject::ALL_HEARTBEATS.to_owned(),
        subject::ALL_COMMANDS.to_owned(),
        subject::command(&other),
        subject::ALL_RUNS.to_owned(),
        "sanfleet.v1.api.>".to_owned(),
        "$KV.>".to_owned(),
        "$JS.API.>".to_owned(),
        "$SYS.>".to_owned(),
        "_INBOX.>".to_owned(),
        "_INBOX_db2.>".to_owned(),
    ];
    let changing = ["array.add", "array.password", "webhook.add", "host.retire"];
    let working = ["backup.attach", "volume.delete", "volume.provision", "run.control", "doctor.fix"];
    let looking = ["status.show", "run.list", "map.show"];
    let operations: Vec<&str> = match role {
        Role::Host | Role::Subscriber | Role::Newcomer | Role::Registrar => {
            [&changing[..], &working, &looking].concat()
        }
        Role::Reader => [&changing[..], &working].concat(),
        Role::Operator => changing.to_vec(),
        Role::Administrator | Role::Controller => Vec::new(),
    };
    let me: BusUser = name.parse().unwrap();
    publish.extend(operations.into_iter().map(|operation| subject::api(&me, operation)));
    // Nobody asks under another's name, whatever he may ask himself.
    publish.push(subject::api(&"alice".parse().unwrap(), "status.show"));
    publish.push(subject::AUDIT.to_owned());
    // Where another asks to be let in.
    publish.push(subject::enrolment("UANOTHER"));
    match role {
        Role::Host => subscribe.push(subject::ALL_EVENTS.to_owned()),
        Role::Newcomer => subscribe.extend([subject::ALL_EVENTS, subject::ALL_ENROLMENTS].map(str::to_owned)),
        Role::Subscriber => subscribe.push(subject::event("run.started", "*")),
        _ => return (publish, subscribe),
    }
    publish.push("$JS.API.STREAM.INFO.SANFLEET_EVENTS".to_owned());
    (publish, subscribe)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_not_a_users_own_is_denied_to_it_each_time() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    for role in [Role::Host, Role::Reader, Role::Operator, Role::Administrator, Role::Subscriber] {
        let name = if role == Role::Host { "db1" } else { role.as_str() };
        let user = match role {
            Role::Subscriber => stage.subscriber("host.online.*").await?,
            _ => stage.user(name, role).await?,
        };
        let (publish, subscribe) = foreign(role, name);
        for subject in &publish {
            user.may_not_publish(subject).await?;
        }
        for subject in &subscribe {
            user.may_not_subscribe(subject).await?;
        }
    }
    Ok(())
}

/// What one sends the other hears, and as it was sent.
async fn passes(from: &Client, to: &Client, hears: &str, subject: &str) -> anyhow::Result<()> {
    let mut heard = to.subscribe(hears.to_owned()).await?;
    wait::until_true(&format!("{subject} comes through"), SOON, || {
        // Sent again: the server may not have known yet who wants to hear it.
        let sent = from.publish(subject.to_owned(), "good".into());
        sent.now_or_never();
        // What was sent again before this was asked may still come.
        let mut come = std::iter::from_fn(|| heard.next().now_or_never().flatten());
        come.any(|message| message.subject.as_str() == subject)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_user_needs_is_let_through() -> anyhow::Result<()> {
    let mut stage = Stage::new().await?;
    // Nobody else is to hear what is played here.
    stage.control.kill_controller();
    let (host, all) = ("db1".parse::<HostId>()?, stage.control.nats.connect().await?);
    let agent = stage.user("db1", Role::Host).await?.client;
    for own in [subject::heartbeat(&host), subject::report(&host)] {
        passes(&agent, &all, "sanfleet.v1.host.>", &own).await?;
    }
    passes(&all, &agent, &subject::command(&host), &subject::command(&host)).await?;
    passes(&all, &agent, "_INBOX_db1.one", "_INBOX_db1.one").await?;
    let reader = stage.user("eye", Role::Reader).await?;
    let (event, inbox) = (subject::event("host.online", "DB2"), format!("{}.one", reader.inbox));
    passes(&all, &reader.client, subject::ALL_EVENTS, &event).await?;
    passes(&all, &reader.client, &inbox, &inbox).await?;
    let heard = stage.subscriber("host.online.*").await?;
    passes(&all, &heard.client, "sanfleet.v1.event.host.online.*", &event).await?;
    stage.control.start_controller()?;
    stage.control.until_ready().await?;

    let credentials = stage.control.nats.credentials("eye", Role::Reader)?.unwrap();
    let asked = |words: &[&str]| -> anyhow::Result<(Option<i32>, String)> {
        let output = stage.control.cli_command(words).env("SANFLEET_CREDS", &credentials).output()?;
        Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
    };
    for words in [&["status"][..], &["map"], &["run", "list"], &["events", "--since", "1h"]] {
        let (code, said) = asked(words)?;
        assert_eq!(code, Some(0), "{words:?}: {said}");
    }
    let (code, said) =
        asked(&["--timeout", "2s", "array", "add", "box", "--uri", "sim://", "--no-password"])?;
    assert!(code.is_some_and(|code| code != 0), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_changes_no_consumer_of_anybody_else() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let all = jetstream::new(stage.control.nats.connect().await?);
    let events = all.get_stream(subject::EVENTS_STREAM).await?;
    let config = pull::Config { durable_name: Some("webhook".to_owned()), ..Default::default() };
    let mut webhook = events.create_consumer(config).await?;
    let before = webhook.info().await?.config.clone();
    let reader = stage.user("eye", Role::Reader).await?;
    let create = format!("$JS.API.CONSUMER.CREATE.{}", subject::EVENTS_STREAM);
    for config in [
        r#""name":"webhook""#,
        r#""durable_name":"webhook""#,
        r#""name":"webhook","durable_name":"webhook""#,
        r#""name":"webhook","inactive_threshold":1000000"#,
    ] {
        let config = format!(r#"{config},"ack_policy":"none","filter_subject":"sanfleet.v1.event.none""#);
        for action in ["", r#","action":"update""#] {
            let stream = subject::EVENTS_STREAM;
            let body = format!(r#"{{"stream_name":"{stream}","config":{{{config}}}{action}}}"#);
            let answer = reader.client.request(create.clone(), body.into()).await?;
            let answer = String::from_utf8_lossy(&answer.payload).into_owned();
            assert!(answer.contains("\"error\""), "{config}: {answer}");
        }
    }
    assert_eq!(webhook.info().await?.config, before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_revoked_is_cut_off_at_once_and_never_let_in_again() -> anyhow::Result<()> {
    let mut stage = Stage::new().await?;
    let agent = stage.user("lost", Role::Host).await?;
    let bus = stage.control.nats.users().unwrap().folder.clone();
    let (folder, out) = (bus.to_string_lossy(), bus.join("again.creds"));
    stage.control.cli(&["bus", "revoke", "lost", "--dir", &folder])?;
    wait::until_true("it is cut off", SOON, || {
        agent.client.connection_state() != async_nats::connection::State::Connected
    })
    .await?;
    assert!(stage.user("lost", Role::Host).await.is_err());
    // The controller has not noticed anything.
    stage.control.cli(&["status"])?;

    // A server that was away learns it from its configuration or from what it has kept.
    stage.control.nats.kill();
    stage.control.nats.restart().await?;
    assert!(stage.user("lost", Role::Host).await.is_err());
    stage.control.until_ready().await?;

    // The name may come back, with another key.
    let again = ["bus", "user", "lost", "--role", "host", "--dir", &folder, "--out", &out.to_string_lossy()];
    stage.control.cli(&again)?;
    User::connect(&stage.control.nats, &out).await?;
    let listed = stage.control.cli(&["bus", "users", "--dir", &folder])?;
    assert_eq!(listed.matches("revoked").count(), 1, "{listed}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_one_for_as_long_as_was_said() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let bus = &stage.control.nats.users().unwrap().folder;
    let (folder, out) = (bus.to_string_lossy(), bus.join("short.creds"));
    let user = ["bus", "user", "short", "--role", "reader", "--valid", "6s", "--dir", &folder, "--out"];
    stage.control.cli(&[&user[..], &[&out.to_string_lossy()]].concat())?;
    let user = User::connect(&stage.control.nats, &out).await?;
    wait::until_true("it is cut off", 3 * SOON, || {
        user.client.connection_state() != async_nats::connection::State::Connected
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_are_given_an_authority_of_another_without_anybody_being_away() -> anyhow::Result<()> {
    let mut stage = Stage::new().await?;
    let bus = stage.control.nats.users().unwrap().folder.clone();
    let certificate = |more: &[&str]| {
        stage.control.cli(&[&["bus", "certificate", "--dir", &bus.to_string_lossy()], more].concat())
    };
    // Who knows only the old authority, and who knows both.
    let before = bus.join("before.pem");
    std::fs::copy(bus.join("ca.pem"), &before)?;
    certificate(&["--new-authority"])?;
    stage.user("db1", Role::Host).await?;
    certificate(&[])?;
    stage.control.nats.kill();
    stage.control.nats.restart().await?;
    stage.control.until_ready().await?;
    stage.user("db2", Role::Host).await?;
    let text = std::fs::read_to_string(stage.control.nats.credentials("db2", Role::Host)?.unwrap())?;
    let options = ConnectOptions::with_credentials(&text)?.require_tls(true).add_root_certificates(before);
    assert!(
        options.connect(stage.control.nats.url()).await.is_err(),
        "the old authority does not do any more"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_in_without_credentials_and_nobody_shows_them_to_a_server_that_is_not_trusted()
-> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let nats = &stage.control.nats;
    let nameless = ConnectOptions::new().add_root_certificates(nats.authority().unwrap());
    assert!(nameless.connect(nats.url()).await.is_err());
    let text = std::fs::read_to_string(nats.credentials("eye", Role::Reader)?.unwrap())?;
    let error = ConnectOptions::with_credentials(&text)?.connect(nats.url()).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_holds_an_invitation_may_ask_to_be_let_in_and_nothing_else() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let bus = stage.control.nats.users().unwrap().folder.clone();
    let (folder, token) = (bus.parent().unwrap().to_owned(), bus.join("db9.token"));
    let _inviting = Recipe::new("enroll", &folder, &stage.control.programs.cli)
        .args(["--server", &stage.control.nats.url(), "bus", "enroll", "db9", "--yes", "--dir"])
        .args([&bus])
        .start()?;
    wait::until_true("an invitation", SOON, || token.exists()).await?;
    let invitation: Invitation = serde_json::from_str(&std::fs::read_to_string(&token)?)?;
    let file = folder.join("invited.creds");
    std::fs::write(&file, &invitation.credentials)?;
    let newcomer = User::connect(&stage.control.nats, &file).await?;
    let (publish, subscribe) = foreign(Role::Newcomer, "newcomer-db9");
    for subject in publish {
        newcomer.may_not_publish(&subject).await?;
    }
    for subject in subscribe {
        newcomer.may_not_subscribe(&subject).await?;
    }
    Ok(())
}
