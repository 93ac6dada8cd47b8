//! An array's password: where it comes from, and that it is nowhere but in one file of the controller.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "this is a test"
)]

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
};

use futures::StreamExt;
use sanfleet_protocol::{
    rights::Role,
    v1::{self, ArrayHealthState},
};
use sanfleet_tests::{
    control::{Control, PATIENCE, Programs},
    lockbox::Lockbox,
    process::run,
    rig::Rig,
    wait,
};
use tempfile::TempDir;

/// No part of them comes up by chance.
const FIRST: &str = "Xq7-first-vault-word";
const SECOND: &str = "Zk9-second-vault-word";

struct Stage {
    control: Control,
    array: Lockbox,
    folder: TempDir,
}

impl Stage {
    async fn new() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("sanfleet-").tempdir_in("/var/tmp")?;
        let control = Control::start(Programs::from_environment()?, folder.path()).await?;
        control.until_ready().await?;
        let array = Lockbox::new(&folder.path().join("box"), FIRST)?;
        Ok(Self { control, array, folder })
    }

    /// Runs the command line with a password on its standard input. Gives its exit status and what it said.
    fn with_password(&self, password: &str, arguments: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
        let mut command = self.control.cli_command(arguments);
        command.args(["--password-file", "-"]).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        // It may have refused before it read anything.
        let _ = child.stdin.take().map(|mut stdin| stdin.write_all(password.as_bytes()));
        let output = child.wait_with_output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.code(), String::from_utf8_lossy(&said).into_owned()))
    }

    fn add(&self, password: &str, more: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
        let uri = self.array.uri();
        self.with_password(password, &[&["array", "add", "box", "--uri", &uri], more].concat())
    }

    fn kept(&self) -> PathBuf {
        self.control.folder.join("state/arrays/box.password")
    }

    async fn until_ok(&self) -> anyhow::Result<()> {
        wait::until_true("the array is ok", PATIENCE, || {
            let shown = self.control.cli_json::<v1::ArrayShowReply>(&["array", "show", "box"]);
            shown.is_ok_and(|shown| shown.summary.unwrap_or_default().state() == ArrayHealthState::Ok)
        })
        .await
    }
}

/// All that goes over the bus from now on, as somebody who may read everything sees it.
async fn listen(control: &Control) -> anyhow::Result<Arc<Mutex<Vec<u8>>>> {
    let bus = control.nats.connect().await?;
    let mut all = bus.subscribe(">").await?;
    bus.flush().await?;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Some(message) = all.next().await {
            let mut heard = into.lock().unwrap();
            heard.extend_from_slice(message.subject.as_bytes());
            heard.extend_from_slice(&message.payload);
        }
    });
    Ok(heard)
}

/// The forms in which a password could be written down: as it is, in hex, in base64 (at each of three alignments).
fn forms(password: &str) -> Vec<Vec<u8>> {
    let hex: String = password.bytes().map(|byte| format!("{byte:02x}")).collect();
    let base64 = (0..3).map(|skip| base64(&password.as_bytes()[skip..]));
    let whole = base64.map(|text| text.trim_end_matches('=').as_bytes()[..12].to_vec());
    [password.as_bytes().to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()]
        .into_iter()
        .chain(whole)
        .collect()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |group: u32, place: u32| char::from(DIGITS[(group >> (18 - 6 * place) & 63) as usize]);
    let groups = bytes.chunks_exact(3).map(|three| {
        let group = three.iter().fold(0, |group, byte| group << 8 | u32::from(*byte));
        (0..4).map(|place| digit(group, place)).collect::<String>()
    });
    groups.collect()
}

fn holds(text: &[u8], form: &[u8]) -> bool {
    text.windows(form.len()).any(|window| window == form)
}

/// Every file below the folder that holds the password in any form.
fn files_with(folder: &Path, password: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                let text = fs::read(&path).unwrap_or_default();
                if forms(password).iter().any(|form| holds(&text, form)) {
                    found.push(path);
                }
            }
        }
    }
    found.sort();
    found
}

/// Sees that no argument and no variable of the controller or its drivers holds the password.
fn expect_no_process_with(control: &Control, password: &str) {
    let drivers = control.driver_pids();
    assert!(!drivers.is_empty(), "no driver runs");
    for pid in drivers.into_iter().chain(control.controller().map(sanfleet_tests::process::Process::pid)) {
        for what in ["cmdline", "environ"] {
            let text = fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
            assert!(!holds(&text, password.as_bytes()), "{what} of process {pid}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_nowhere_but_in_its_file() -> anyhow::Result<()> {
    let mut stage = Stage::new().await?;
    let heard = listen(&stage.control).await?;
    let (status, said) = stage.add(SECOND, &[])?;
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("refuses this login") && !said.contains(SECOND), "{said}");
    assert!(!stage.kept().exists(), "a password that is wrong was kept");

    let (status, said) = stage.add(FIRST, &["--dry-run"])?;
    assert_eq!((status, stage.kept().exists()), (Some(0), false), "{said}");
    let (status, said) = stage.add(FIRST, &[])?;
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(fs::read_to_string(stage.kept())?, FIRST);
    assert_eq!(fs::metadata(stage.kept())?.permissions().mode() & 0o777, 0o600);
    expect_no_process_with(&stage.control, FIRST);

    // The array gets another password, and the controller is told the wrong one, then the right one.
    stage.array.lock_with(SECOND)?;
    let (status, said) = stage.with_password("not-it-either", &["array", "password", "box"])?;
    assert_eq!(status, Some(2), "{said}");
    assert_eq!(fs::read_to_string(stage.kept())?, FIRST);
    let (status, said) = stage.with_password(SECOND, &["array", "password", "box"])?;
    assert_eq!(status, Some(0), "{said}");
    stage.until_ok().await?;

    // The next controller finds it where this one kept it.
    stage.control.start_controller()?;
    stage.control.until_ready().await?;
    stage.until_ok().await?;
    expect_no_process_with(&stage.control, SECOND);
    for arguments in [["array", "show", "box"].as_slice(), &["array", "list"], &["status"], &["events"]] {
        let output = stage.control.cli_output(&[&["-o", "json"], arguments].concat())?;
        for password in [FIRST, SECOND] {
            assert!(!holds(&output.stdout, password.as_bytes()), "{arguments:?}");
        }
    }

    // What the array itself has does not count; what the server keeps does, and so do all logs.
    let lock = stage.array.lock();
    assert!(
        stage.control.folder.join("controller.log").exists() && stage.control.folder.join("nats").exists()
    );
    assert_eq!(files_with(stage.folder.path(), FIRST), Vec::<PathBuf>::new());
    let mut expected = vec![lock.clone(), stage.kept()];
    expected.sort();
    assert_eq!(files_with(stage.folder.path(), SECOND), expected);
    for password in [FIRST, SECOND] {
        let heard = heard.lock().unwrap();
        assert!(holds(&heard, b"sanfleet.v1.api.admin.array.add"), "nobody listened");
        assert!(forms(password).iter().all(|form| !holds(&heard, form)), "it went over the bus");
    }

    stage.control.cli(&["array", "remove", "box"])?;
    assert_eq!(files_with(stage.folder.path(), SECOND), [lock]);
    Ok(())
}

/// The same for a folder with much in it. What is on the array's volumes is not looked at: they hold the database itself.
fn files_of_fleet_with(folder: &Path, secret: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut grep = std::process::Command::new("grep");
    grep.args(["--recursive", "--files-with-matches", "--text", "--fixed-strings", "--exclude-dir=store"]);
    for form in forms(secret) {
        grep.arg("-e").arg(String::from_utf8(form)?);
    }
    let found = grep.arg(folder).output()?.stdout;
    let mut found: Vec<_> = String::from_utf8(found)?.lines().map(PathBuf::from).collect();
    found.sort();
    Ok(found)
}

/// The secret in a file of one line, or the seed in a file of credentials.
fn secret_of(file: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(file)?;
    let seed = text.lines().find(|line| line.starts_with("SU"));
    Ok(seed.unwrap_or(text.trim()).to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_keys_of_a_fleet_and_a_databases_password_are_nowhere_but_in_their_files() -> anyhow::Result<()> {
    let rig = Rig::new().await?;
    let heard = listen(&rig.fleet).await?;
    let database = rig.start_database().await?;
    rig.attach("mysql", &["--rw"])?;
    rig.detach()?;
    let nats = &rig.fleet.nats;
    let (bus, folder) = (nats.users().unwrap().folder.clone(), rig.fleet.folder.clone());
    let mut places: Vec<Vec<PathBuf>> = ["keys/commands.key", "keys/operator.nk", "keys/account.nk"]
        .map(|key| bus.join(key))
        .into_iter()
        .chain([folder.join("command.key"), folder.join("db1/database-0.password")])
        .map(|file| vec![file])
        .collect();
    for (name, role) in [("c1", Role::Controller), ("admin", Role::Administrator)] {
        places.push(vec![nats.credentials(name, role)?.unwrap()]);
    }
    // A host has a copy that the process may read which faces the bus.
    places.push(vec![nats.credentials("db1", Role::Host)?.unwrap(), folder.join("db1/credentials")]);
    for mut files in places {
        files.sort();
        let file = &files[0];
        let secret = secret_of(file)?;
        assert_eq!(files_of_fleet_with(&folder, &secret)?, files);
        expect_no_process_with(&rig.fleet, &secret);
        for (name, pid) in rig.fleet.pids() {
            let shown = ["cmdline", "environ"].map(|what| fs::read(format!("/proc/{pid}/{what}")));
            let shown = shown.into_iter().flatten().collect::<Vec<_>>().concat();
            assert!(!holds(&shown, secret.as_bytes()), "{name} shows what is in {}", file.display());
        }
        let heard = heard.lock().unwrap();
        assert!(holds(&heard, b"sanfleet.v1.cmd.db1"), "nobody listened");
        assert!(
            forms(&secret).iter().all(|form| !holds(&heard, form)),
            "{} went over the bus",
            file.display()
        );
    }
    drop(database);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_without_a_user_is_refused_and_one_in_the_uri_too() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let uri = stage.array.uri();
    let (status, said) =
        stage.with_password(FIRST, &["array", "add", "box", "--uri", &uri.replace("admin@", "")])?;
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("names no user") && said.contains("USER@HOST"), "{said}");
    let with_password = uri.replace("admin@", &format!("admin:{FIRST}@"));
    let output = stage.control.cli_output(&["array", "add", "box", "--uri", &with_password])?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(!said.contains(FIRST), "{said}");
    // Nobody is there to be asked.
    let asked = stage.control.cli_command(&["array", "add", "box", "--uri", &uri]);
    let mut alone = std::process::Command::new("setsid");
    alone.arg("--wait").arg(asked.get_program()).args(asked.get_args());
    alone.envs(asked.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = alone.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("--password-file"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_goes_only_to_the_controller_whose_key_was_given() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let other = stage.folder.path().join("other.key");
    let controller = stage.control.programs.controller.to_string_lossy().into_owned();
    let stranger = run(&controller, &["new-key", "--out", &other.to_string_lossy()])?;
    let (status, said) = stage.add(FIRST, &["--controller-key", stranger.trim()])?;
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("not the one whose key was given"), "{said}");
    let key = stage.control.public_key.clone();
    let (status, said) = stage.add(FIRST, &["--controller-key", &key])?;
    assert_eq!(status, Some(0), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_finds_a_password_in_its_environment_and_its_drivers_do_not() -> anyhow::Result<()> {
    let mut stage = Stage::new().await?;
    let config = stage.control.config.clone();
    let text = fs::read_to_string(&config)?;
    fs::write(&config, format!("{text}\n[array_password_env]\nbox = \"VAULT_WORD\"\n"))?;
    stage.control.environment.push(("VAULT_WORD".into(), FIRST.into()));
    stage.control.start_controller()?;
    stage.control.until_ready().await?;
    stage.control.cli(&["array", "add", "box", "--uri", &stage.array.uri(), "--no-password"])?;
    stage.until_ok().await?;
    let drivers = stage.control.driver_pids();
    assert!(!drivers.is_empty(), "no driver runs");
    for pid in drivers {
        let environment = fs::read(format!("/proc/{pid}/environ"))?;
        assert!(!holds(&environment, FIRST.as_bytes()), "environment of driver {pid}");
    }
    assert!(!stage.kept().exists());
    let shown: v1::ArrayShowReply = stage.control.cli_json(&["array", "show", "box"])?;
    assert_eq!(shown.password_from, "environment variable VAULT_WORD");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_finds_a_password_among_its_credentials() -> anyhow::Result<()> {
    let mut stage = Stage::new().await?;
    let credentials = stage.folder.path().join("credentials");
    fs::create_dir(&credentials)?;
    fs::write(credentials.join("array-box"), format!("{FIRST}\n"))?;
    let folder = credentials.to_string_lossy().into_owned();
    stage.control.environment.push(("CREDENTIALS_DIRECTORY".into(), folder));
    stage.control.start_controller()?;
    stage.control.until_ready().await?;
    stage.control.cli(&["array", "add", "box", "--uri", &stage.array.uri(), "--no-password"])?;
    stage.until_ok().await?;
    let shown: v1::ArrayShowReply = stage.control.cli_json(&["array", "show", "box"])?;
    assert_eq!(shown.password_from, "systemd credential array-box");
    Ok(())
}
