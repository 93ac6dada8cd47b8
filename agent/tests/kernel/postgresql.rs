//! The guard with a real PostgreSQL: a copy that was taken while it was held starts, and has everything in it.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use sanfleet_agent::{
    actions::Quiesced,
    config,
    fabric::Wanted,
    host::Host,
    quiesce::{
        Order,
        word::{Database, How},
    },
};
use sanfleet_protocol::{MountPoint, QuiesceBy, v1};
use tokio::net::UnixStream;
use tokio_postgres::{Config, NoTls, SimpleQueryMessage};

use crate::lab::{BOUND, Lab, must, run_id, soon, until, volume};

const PASSWORD: &str = "a secret that nobody may see";
/// The server refuses to run as root; this user every system has.
const NOBODY: u32 = 65_534;

/// The server's programs, which Debian keeps out of the path.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("postgresql is installed");
    versions.map(|entry| entry.unwrap().path().join("bin")).find(|bin| bin.join("postgres").exists()).unwrap()
}

fn as_nobody(program: &str) -> Command {
    let mut command = Command::new(programs().join(program));
    command.uid(NOBODY).gid(NOBODY).current_dir("/").env("LC_ALL", "C");
    command
}

fn folder_of_nobody(path: &Path) {
    fs::create_dir(path).unwrap();
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
}

/// A running server on some data; gone when it is dropped.
struct Server {
    process: Child,
    socket: PathBuf,
    at: MountPoint,
}

impl Server {
    fn start(lab: &Lab, at: &MountPoint, name: &str) -> Self {
        let folder = lab.path().join(name);
        folder_of_nobody(&folder);
        let process = as_nobody("postgres")
            .arg("-D")
            .arg(at.as_path().join("data"))
            .arg("-k")
            .arg(&folder)
            .args(["-c", "listen_addresses=", "-c", "shared_buffers=8MB", "-c", "max_connections=20"])
            .stdout(Stdio::null())
            .stderr(fs::File::create(lab.path().join(format!("{name}.log"))).unwrap())
            .spawn()
            .unwrap();
        let server = Self { process, socket: folder.join(".s.PGSQL.5432"), at: at.clone() };
        until("the server answers", || server.try_sql("SELECT 1").is_ok());
        server
    }

    fn try_sql(&self, statements: &str) -> Result<Option<String>, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let stream = UnixStream::connect(&self.socket).await.map_err(|e| e.to_string())?;
            let mut options = Config::new();
            options.user("postgres").dbname("postgres").password(PASSWORD);
            let (client, connection) = options.connect_raw(stream, NoTls).await.map_err(|e| e.to_string())?;
            tokio::spawn(async move { drop(connection.await) });
            let answer = client.simple_query(statements).await.map_err(|e| format!("{e:?}"))?;
            Ok(answer.iter().find_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            }))
        })
    }

    fn sql(&self, statements: &str) -> Option<String> {
        self.try_sql(statements).unwrap()
    }

    fn sold(&self) -> u64 {
        self.sql("SELECT count(*) FROM sold").unwrap().parse().unwrap()
    }

    fn database(&self, user: &str, password: &str) -> Database {
        let (socket, user, password) = (Some(self.socket.clone()), user.into(), Some(password.into()));
        Database { socket, address: None, user, password }
    }

    fn order(&self, run: u32, at: &MountPoint, database: Database) -> Order {
        Order::new(run_id(run), 1000, How::Postgresql(database), (at.clone(), Vec::new()), BOUND)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that hangs in a frozen file system could not be killed.
        let _ = Command::new("fsfreeze").args(["--unfreeze", self.at.as_str()]).output();
        // Its own children end when it is told to stop at once; killed, it would leave them behind.
        let _ = Command::new("kill").args(["-QUIT", &self.process.id().to_string()]).output();
        let _ = self.process.wait();
    }
}

fn attach(lab: &Lab, n: u8, file: &str, at: &MountPoint) {
    let before = lab.loops();
    lab.publish(n.into(), &lab.path().join(file), &volume(n));
    lab.host().rescan("loop", Wanted::anywhere(&volume(n)), soon()).unwrap();
    let name = lab.loops().into_iter().find(|name| !before.contains(name)).unwrap();
    fs::create_dir(at.as_path()).unwrap();
    must("mount", &[&format!("/dev/{name}"), at.as_str()]);
}

/// A laboratory with a server whose files are on a volume of its own.
fn shop() -> (Lab, Server) {
    let lab = Lab::new();
    fs::set_permissions(lab.path(), fs::Permissions::from_mode(0o755)).unwrap();
    lab.make("a", "ext4").unwrap();
    let at = lab.at("db");
    attach(&lab, 1, "a", &at);
    let data = at.as_path().join("data");
    folder_of_nobody(&data);
    let password = lab.path().join("password");
    fs::write(&password, PASSWORD).unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).unwrap();
    let made = as_nobody("initdb")
        .args(["--auth=scram-sha-256", "--username=postgres", "--no-sync", "--pwfile"])
        .args([&password, Path::new("--pgdata"), &data])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let server = Server::start(&lab, &at, "server");
    server.sql("CREATE TABLE sold (n BIGSERIAL PRIMARY KEY)");
    server.sql(&format!("CREATE ROLE agent LOGIN PASSWORD '{PASSWORD}'"));
    (lab, server)
}

const GRANT: &str = "GRANT pg_checkpoint, pg_read_all_settings TO agent";

#[test]
fn a_copy_taken_while_it_is_held_starts_with_every_row_that_was_confirmed() {
    let (lab, server) = shop();
    server.sql(GRANT);
    let quiesces = lab.quiesces();
    server.sql("INSERT INTO sold SELECT FROM generate_series(1, 5000)");
    quiesces.quiesce(&server.order(1, &server.at, server.database("agent", PASSWORD)), soon()).unwrap();
    let writing = std::thread::scope(|scope| {
        let writer = scope.spawn(|| server.sql("INSERT INTO sold DEFAULT VALUES"));
        fs::copy(lab.path().join("a"), lab.path().join("b")).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        let waits = !writer.is_finished();
        assert_eq!(quiesces.resume(run_id(1), 2000).by, i32::from(v1::ResumedBy::Command));
        writer.join().unwrap();
        waits
    });
    assert!(writing, "a commit went through while the file system was frozen");
    assert_eq!(server.sold(), 5001);

    let at = lab.at("copy");
    attach(&lab, 2, "b", &at);
    // The server that it was copied from is not running on it.
    fs::remove_file(at.as_path().join("data/postmaster.pid")).unwrap();
    let copy = Server::start(&lab, &at, "copied");
    assert_eq!(copy.sold(), 5000);
}

#[test]
fn a_server_that_refuses_or_has_files_elsewhere_is_not_quiesced_and_says_why() {
    let (lab, server) = shop();
    let quiesces = lab.quiesces();
    let refused = |run, at: &MountPoint, password: &str| {
        let order = server.order(run, at, server.database("agent", password));
        let error = quiesces.quiesce(&order, soon()).unwrap_err().to_string();
        assert!(!error.contains(PASSWORD), "{error}");
        error
    };
    assert!(refused(1, &server.at, "wrong").contains("password_file"));
    assert!(refused(2, &server.at, PASSWORD).contains("pg_checkpoint"));
    server.sql(GRANT);
    lab.make("b", "ext4").unwrap();
    let elsewhere = lab.at("elsewhere");
    attach(&lab, 2, "b", &elsewhere);
    assert!(refused(3, &elsewhere, PASSWORD).contains("another file system"));
    server.sql("INSERT INTO sold DEFAULT VALUES");
}

#[test]
fn the_check_beforehand_says_which_server_answers_and_that_another_kind_is_not_known() {
    let (lab, server) = shop();
    let file = lab.path().join("agent.password");
    fs::write(&file, PASSWORD).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let databases = vec![config::Database {
        kind: config::DatabaseKind::Postgresql,
        mount_point: server.at.clone(),
        socket: Some(server.socket.clone()),
        address: None,
        user: "agent".into(),
        password_file: Some(file),
    }];
    let quiesced = Quiesced { databases, ..Quiesced::default() };
    let check = |by| lab.check_source(&server.at, by, &quiesced);
    let checked = check(QuiesceBy::Postgresql).unwrap();
    let Some(v1::command_done::Detail::Source(source)) = checked.detail else { panic!() };
    assert!(source.application.starts_with("PostgreSQL "), "{}", source.application);
    let error = check(QuiesceBy::Mysql).unwrap_err().to_string();
    assert!(error.contains("MySQL"), "{error}");
}
