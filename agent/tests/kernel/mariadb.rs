//! The guard with a real MariaDB: commits stop, and go on.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use mysql_async::{Conn, OptsBuilder, prelude::Queryable};
use sanfleet_agent::{
    actions::Quiesced,
    config,
    fabric::Wanted,
    host::Host,
    quiesce::{
        Held, Order,
        word::{Database, How},
    },
};
use sanfleet_protocol::{MountPoint, QuiesceBy, v1};

use crate::lab::{BOUND, Lab, must, run_id, soon, until, volume};

const PASSWORD: &str = "a secret that nobody may see";

/// A private server whose files are on a volume of its own.
struct Server {
    process: Child,
    at: MountPoint,
    lab: Lab,
}

impl Server {
    fn start() -> Self {
        let lab = Lab::new();
        let file = lab.make("a", "ext4").unwrap();
        let at = lab.at("db");
        fs::create_dir(at.as_path()).unwrap();
        lab.publish(0, &file, &volume(1));
        lab.host().rescan("loop", Wanted::anywhere(&volume(1)), soon()).unwrap();
        must("mount", &[&format!("/dev/{}", lab.loops()[0]), at.as_str()]);
        let data = at.as_path().join("data");
        let datadir = format!("--datadir={}", data.display());
        // Servers that share a directory for temporary files remove each other's.
        let temporary = lab.path().join("tmp");
        fs::create_dir(&temporary).unwrap();
        let tmpdir = format!("TMPDIR={}", temporary.display());
        let install = ["mariadb-install-db", "--no-defaults", "--user=root", "--skip-test-db", &datadir];
        let install =
            [tmpdir.as_str()].into_iter().chain(install).chain(["--auth-root-authentication-method=normal"]);
        must("env", &install.collect::<Vec<_>>());
        let process = Command::new("mariadbd")
            .args(["--no-defaults", "--user=root", "--skip-networking", "--innodb-buffer-pool-size=16M"])
            .args(["--innodb-log-file-size=8M", "--skip-log-bin"])
            .env("TMPDIR", temporary)
            .arg(datadir)
            .arg(format!("--socket={}", lab.path().join("socket").display()))
            .arg(format!("--pid-file={}", lab.path().join("pid").display()))
            .stdout(Stdio::null())
            .stderr(fs::File::create(lab.path().join("log")).unwrap())
            .spawn()
            .expect("mariadb-server is installed");
        let server = Self { process, at, lab };
        until("the server answers", || server.try_sql(&["SELECT 1"]).is_ok());
        server.sql(&[
            "CREATE DATABASE shop",
            "CREATE TABLE shop.sold (n BIGINT AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB",
            &format!("CREATE USER agent@localhost IDENTIFIED BY '{PASSWORD}'"),
            "GRANT RELOAD ON *.* TO agent@localhost",
        ]);
        server
    }

    fn socket(&self) -> PathBuf {
        self.lab.path().join("socket")
    }

    fn try_sql(&self, statements: &[&str]) -> Result<(), mysql_async::Error> {
        let options = OptsBuilder::default().user(Some("root")).socket(Some(self.socket().to_str().unwrap()));
        runtime().block_on(async {
            let mut connection = Conn::new(options).await?;
            for statement in statements {
                connection.query_drop(*statement).await?;
            }
            connection.disconnect().await
        })
    }

    fn sql(&self, statements: &[&str]) {
        self.try_sql(statements).unwrap();
    }

    fn order(&self, run: u32, dead_man: Duration, password: &str) -> Order {
        let database = Database {
            socket: Some(self.socket()),
            address: None,
            user: "agent".into(),
            password: Some(password.into()),
        };
        Order::new(run_id(run), 1000, How::Mysql(database), (self.at.clone(), Vec::new()), dead_man)
    }

    fn configured(&self, password: &str) -> config::Database {
        let file = self.lab.path().join("password");
        fs::write(&file, password).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        config::Database {
            kind: config::DatabaseKind::Mysql,
            mount_point: self.at.clone(),
            socket: Some(self.socket()),
            address: None,
            user: "agent".into(),
            password_file: Some(file),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that hangs in a frozen file system could not be killed.
        let _ = Command::new("fsfreeze").args(["--unfreeze", self.at.as_str()]).output();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Commits one row after the other, and counts those that the server has confirmed.
struct Shop {
    sold: Arc<AtomicU64>,
    /// The longest time between two commits, in microseconds.
    longest_us: Arc<AtomicU64>,
    closing: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Shop {
    fn open(server: &Server) -> Self {
        let options =
            OptsBuilder::default().user(Some("root")).socket(Some(server.socket().to_str().unwrap()));
        let (sold, longest_us, closing) =
            (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (counted, gap, told) = (Arc::clone(&sold), Arc::clone(&longest_us), Arc::clone(&closing));
        let thread = thread::spawn(move || {
            runtime().block_on(async {
                let mut connection = Conn::new(options).await.unwrap();
                let mut last = Instant::now();
                while !told.load(Ordering::Relaxed) {
                    connection.query_drop("INSERT INTO shop.sold () VALUES ()").await.unwrap();
                    counted.fetch_add(1, Ordering::Relaxed);
                    gap.fetch_max(u64::try_from(last.elapsed().as_micros()).unwrap(), Ordering::Relaxed);
                    last = Instant::now();
                }
            });
        });
        let shop = Self { sold, longest_us, closing, thread: Some(thread) };
        shop.goes_on();
        shop
    }

    fn sold(&self) -> u64 {
        self.sold.load(Ordering::Relaxed)
    }

    fn goes_on(&self) {
        let now = self.sold();
        until("commits go on", || self.sold() > now + 10);
    }

    /// No commit within this time. One that the server had done already may still be counted.
    fn stands_still(&self, time: Duration) -> bool {
        thread::sleep(Duration::from_millis(20));
        let now = self.sold();
        thread::sleep(time);
        self.sold() == now
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[test]
fn commits_stop_while_it_is_held_and_go_on_afterwards() {
    let server = Server::start();
    let quiesces = server.lab.quiesces();
    let shop = Shop::open(&server);
    quiesces.quiesce(&server.order(1, BOUND, PASSWORD), soon()).unwrap();
    assert!(shop.stands_still(Duration::from_millis(300)));
    let release = quiesces.resume(run_id(1), 2000);
    shop.goes_on();
    assert_eq!(release.by, i32::from(v1::ResumedBy::Command));
    let longest = shop.longest_us.load(Ordering::Relaxed);
    assert!(release.blocked_us >= 300_000 && longest >= 300_000, "{release:?}, {longest} µs");

    // Held for no longer than it takes: what we add to the array's own time.
    shop.longest_us.store(0, Ordering::Relaxed);
    let quiesce_us = quiesces.quiesce(&server.order(2, BOUND, PASSWORD), soon()).unwrap();
    let release = quiesces.resume(run_id(2), 2000);
    shop.goes_on();
    let longest = shop.longest_us.load(Ordering::Relaxed);
    eprintln!(
        "quiesced in {quiesce_us} µs, blocked {} µs, longest gap of the writer {longest} µs",
        release.blocked_us
    );
    drop(shop);
}

#[test]
fn nobody_resumes_or_the_guard_is_killed_and_commits_go_on() {
    let server = Server::start();
    let quiesces = server.lab.quiesces();
    let shop = Shop::open(&server);
    quiesces.quiesce(&server.order(1, Duration::from_millis(500), PASSWORD), soon()).unwrap();
    assert!(shop.stands_still(Duration::from_millis(200)));
    shop.goes_on();
    assert_eq!(quiesces.resume(run_id(1), 2000).by, i32::from(v1::ResumedBy::DeadMan));

    quiesces.quiesce(&server.order(2, BOUND, PASSWORD), soon()).unwrap();
    assert!(shop.stands_still(Duration::from_millis(200)));
    must("kill", &["-KILL", &quiesces.guard_process(&run_id(2)).unwrap().to_string()]);
    shop.goes_on();
    assert_eq!(quiesces.resume(run_id(2), 2000).by, i32::from(v1::ResumedBy::Loss));
    drop(shop);
}

#[test]
fn a_server_in_which_another_backup_runs_is_given_up_and_nobody_was_blocked() {
    let server = Server::start();
    let quiesces = server.lab.quiesces();
    let options = OptsBuilder::default().user(Some("root")).socket(Some(server.socket().to_str().unwrap()));
    let runtime = runtime();
    let other = runtime.block_on(async {
        let mut connection = Conn::new(options).await.unwrap();
        connection.query_drop("BACKUP STAGE START").await.unwrap();
        connection
    });
    let shop = Shop::open(&server);
    let order = server.order(1, Duration::from_millis(500), PASSWORD);
    let error = quiesces.quiesce(&order, soon()).unwrap_err();
    assert!(error.to_string().contains("BACKUP STAGE START"), "{error}");
    let longest = shop.longest_us.load(Ordering::Relaxed);
    assert!(longest < 500_000, "commits stood still for {longest} µs");
    runtime.block_on(other.disconnect()).unwrap();
    // And the session that was given up left nothing behind.
    quiesces.quiesce(&Order { run: run_id(2), ..order }, soon()).unwrap();
    quiesces.resume(run_id(2), 2000);
    shop.goes_on();
    drop(shop);
}

#[test]
fn a_wrong_password_is_told_before_anything_is_touched_and_is_not_shown() {
    let server = Server::start();
    let error = server.lab.quiesces().quiesce(&server.order(1, BOUND, "wrong secret"), soon()).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("Access denied") && message.contains("password_file"), "{message}");
    assert!(!message.contains("wrong secret"), "{message}");

    let check = |password: &str| {
        let quiesced = Quiesced { databases: vec![server.configured(password)], ..Quiesced::default() };
        server.lab.check_source(&server.at, QuiesceBy::Mysql, &quiesced)
    };
    let Some(v1::command_done::Detail::Source(source)) = check(PASSWORD).unwrap().detail else { panic!() };
    assert!(source.application.starts_with("MariaDB 1"), "{}", source.application);
    let refused = check("wrong secret").unwrap_err().to_command_error();
    assert_eq!(refused.kind(), v1::command_error::Kind::Application, "{}", refused.message);
}

#[test]
fn a_database_with_its_files_elsewhere_is_refused_unless_that_is_held_too() {
    let server = Server::start();
    let elsewhere = server.lab.make("b", "ext4").unwrap();
    let at = server.lab.at("other");
    fs::create_dir(at.as_path()).unwrap();
    must("mount", &["-o", "loop", elsewhere.to_str().unwrap(), at.as_str()]);
    let order = Order { held: Held::one(at.clone()), ..server.order(1, BOUND, PASSWORD) };
    let quiesces = server.lab.quiesces();
    let error = quiesces.quiesce(&order, soon()).unwrap_err();
    assert!(error.to_string().contains("on another file system"), "{error}");
    let both = Held { also: vec![server.at.clone()], ..Held::one(at) };
    quiesces.quiesce(&Order { run: run_id(2), held: both, ..order }, soon()).unwrap();
    assert_eq!(quiesces.resume(run_id(2), 2000).by, i32::from(v1::ResumedBy::Command));
}
