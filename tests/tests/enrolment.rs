//! A host becomes a user of the bus: `sanfleet bus enroll` and `sanfleet-agent enroll`, against a real nats-server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is a test"
)]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use async_nats::{Client, ConnectOptions};
use futures::StreamExt;
use sanfleet_protocol::{credentials::identity, enrolment::Invitation, subject};
use sanfleet_tests::{
    control::{Control, PATIENCE, Programs},
    process::{Process, Recipe, tail},
    wait,
};

/// After this it is said once more.
const SOON: Duration = Duration::from_millis(500);

struct Stage {
    control: Control,
    folder: tempfile::TempDir,
}

/// `sanfleet bus enroll` under way, and the invitation that it wrote.
struct Waiting {
    process: Process,
    token: PathBuf,
    log: PathBuf,
}

impl Stage {
    async fn new() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("sanfleet-").tempdir_in("/var/tmp")?;
        let control = Control::start(Programs::from_environment()?, folder.path()).await?;
        control.until_ready().await?;
        Ok(Self { control, folder })
    }

    fn bus(&self) -> PathBuf {
        self.control.nats.users().unwrap().folder.clone()
    }

    async fn invite(&self, host: &str, more: &[&str]) -> anyhow::Result<Waiting> {
        let token = self.folder.path().join(format!("{host}.token"));
        let recipe = Recipe::new(&format!("enroll-{host}"), self.folder.path(), &self.control.programs.cli)
            .args(["--server", &self.control.nats.url(), "bus", "enroll", host, "--dir"])
            .args([&self.bus(), Path::new("--out"), &token])
            .args(more);
        let waiting = Waiting {
            process: recipe.start()?,
            token,
            log: self.folder.path().join(format!("enroll-{host}.log")),
        };
        let what = format!("an invitation for {host}");
        wait::until_true(&what, PATIENCE, || tail(&waiting.log).contains("is good for")).await?;
        Ok(waiting)
    }

    /// Asks as the host would, and gives the process's exit status and what it printed.
    async fn ask(&self, token: &Path, etc: &Path) -> anyhow::Result<(bool, String)> {
        fs::create_dir_all(etc)?;
        let name = format!("asking-{}", etc.file_name().unwrap().to_string_lossy());
        let mut asking = Recipe::new(&name, self.folder.path(), &self.control.programs.agent)
            .args([Path::new("enroll"), Path::new("--token"), token, Path::new("--etc"), etc])
            .start()?;
        let status =
            wait::until("who asks has an answer", PATIENCE, || std::future::ready(asking.ended())).await?;
        Ok((status.success(), tail(&self.folder.path().join(format!("{name}.log")))))
    }

    /// One who has these credentials.
    async fn connect(&self, credentials: &str) -> anyhow::Result<Client> {
        let inbox = identity(credentials).unwrap().inbox;
        let options = ConnectOptions::with_credentials(credentials)?
            .require_tls(true)
            .add_root_certificates(self.control.nats.authority().unwrap())
            .custom_inbox_prefix(inbox);
        Ok(options.connect(self.control.nats.url()).await?)
    }
}

impl Waiting {
    async fn exit_code(mut self) -> anyhow::Result<i32> {
        let what = "the operator's command ends";
        let ended = wait::until(what, PATIENCE, || std::future::ready(self.process.ended())).await?;
        Ok(ended.code().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_becomes_a_user_with_a_key_that_never_leaves_it() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let waiting = stage.invite("db9", &["--yes"]).await?;
    let (token, stolen) = (waiting.token.clone(), stage.folder.path().join("stolen.token"));
    assert_eq!(token.metadata()?.permissions().mode() & 0o777, 0o600);
    fs::copy(&token, &stolen)?;
    let etc = stage.folder.path().join("etc");
    let (done, said) = stage.ask(&token, &etc).await?;
    assert!(done && said.contains("[nats]") && said.contains("operator_key"), "{said}");
    let log = waiting.log.clone();
    assert_eq!(waiting.exit_code().await?, 0, "{}", tail(&log));

    let credentials = fs::read_to_string(etc.join("bus.creds"))?;
    assert_eq!(etc.join("bus.creds").metadata()?.permissions().mode() & 0o777, 0o600);
    let own = identity(&credentials).unwrap();
    assert_eq!(own.name.as_str(), "db9");
    assert!(said.contains(&own.key) && tail(&log).contains(&own.key), "both are shown the same key");
    // The seed is nowhere but there.
    let seed = credentials.lines().find(|line| line.starts_with("SU")).unwrap();
    for entry in fs::read_dir(stage.bus())?.flatten().filter(|entry| entry.path().is_file()) {
        assert!(!fs::read_to_string(entry.path())?.contains(seed), "{}", entry.path().display());
    }
    // It is heard as that host.
    let report = subject::report(&"db9".parse()?);
    let mut heard = stage.control.nats.connect().await?.subscribe(report.clone()).await?;
    let client = stage.connect(&credentials).await?;
    let is_heard = async {
        loop {
            client.publish(report.clone(), "here".into()).await?;
            client.flush().await?;
            if let Ok(message) = tokio::time::timeout(SOON, heard.next()).await {
                return anyhow::Ok(message.is_some());
            }
        }
    };
    assert!(tokio::time::timeout(PATIENCE, is_heard).await??);

    // The invitation was good once, for whoever has a copy too.
    assert!(!token.exists());
    let (done, said) = stage.ask(&stolen, &stage.folder.path().join("thief")).await?;
    assert!(!done, "{said}");
    assert!(!stage.folder.path().join("thief/bus.creds").exists());
    let invitation: Invitation = serde_json::from_str(&fs::read_to_string(&stolen)?)?;
    assert!(stage.connect(&invitation.credentials).await.is_err(), "the servers still let it in");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_made_anew_has_lost_its_old_key() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let mut keys = Vec::new();
    for round in ["first", "second"] {
        let waiting = stage.invite("db9", &["--yes"]).await?;
        let etc = stage.folder.path().join(round);
        let (done, said) = stage.ask(&waiting.token.clone(), &etc).await?;
        assert!(done, "{said}");
        assert_eq!(waiting.exit_code().await?, 0);
        keys.push(fs::read_to_string(etc.join("bus.creds"))?);
        // The log of the round before says that an invitation is good, too.
        fs::remove_file(stage.folder.path().join("enroll-db9.log"))?;
    }
    stage.connect(&keys[1]).await?;
    assert!(stage.connect(&keys[0]).await.is_err(), "the old key still lets in");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_that_nobody_uses_ends_and_lets_nobody_in() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let waiting = stage.invite("db9", &["--yes", "--invited", "2s"]).await?;
    let invitation: Invitation = serde_json::from_str(&fs::read_to_string(&waiting.token)?)?;
    let (token, log) = (waiting.token.clone(), waiting.log.clone());
    assert_eq!(waiting.exit_code().await?, 21, "{}", tail(&log));
    assert!(!token.exists());
    wait::until_true("the invitation lets nobody in", Duration::from_secs(10), || {
        let connected = stage.connect(&invitation.credentials);
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(connected)).is_err()
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_let_in_unseen_where_nobody_can_be_asked() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let bus = stage.bus();
    let before = fs::read_to_string(bus.join("bus.json"))?;
    let output = stage.control.cli_output(&["bus", "enroll", "db9", "--dir", &bus.to_string_lossy()])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("--yes"), "{said}");
    assert_eq!(fs::read_to_string(bus.join("bus.json"))?, before);
    Ok(())
}
