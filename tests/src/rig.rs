//! Fleets as the tests want them: small, in a folder of their own that ends with them.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use sanfleet_protocol::v1::{self, RunState};
use tempfile::TempDir;

use crate::{
    control::Programs,
    disk,
    failpoint::Hold,
    fleet::{BusSetup, Fleet, Setup},
    host::DatabaseLogin,
    leftovers::{self, Leftovers},
    mariadb::MariaDb,
    network::Network,
    wait,
    writer::Writer,
};

/// Where db1 has its data and backup1 gets its copy. Every host has a `/srv` of its own.
pub const DATA: &str = "/srv/data";
pub const COPY: &str = "/srv/copy";
pub const USER: &str = "sanfleet";
pub const PASSWORD: &str = "a-test-password";
const VOLUME_BYTES: u64 = 256 << 20;

/// A fleet whose db1 has a volume of array `lab` mounted at [`DATA`].
pub struct Rig {
    pub fleet: Fleet,
    pub volume_id: String,
    // Dropped after the fleet: first the processes end, then what they held is taken down.
    _ground: Ground,
}

/// A database on [`DATA`], and a writer in it.
pub struct Database {
    pub server: MariaDb,
    pub writer: Writer,
}

impl Rig {
    pub async fn new() -> anyhow::Result<Self> {
        Self::with(8 << 30, PASSWORD).await
    }

    /// `pool_bytes`: how large the array is. `password`: what db1's agent believes the database's password to be.
    pub async fn with(pool_bytes: u64, password: &str) -> anyhow::Result<Self> {
        Self::on(Ground::new()?, pool_bytes, password, BusSetup::default()).await
    }

    /// One whose bus is a cluster of three servers, on a network of its own.
    pub async fn on_a_cluster() -> anyhow::Result<Self> {
        let ground = Ground::new()?;
        let network = Network::new(ground.0.path(), 3).await?;
        Self::on(ground, 8 << 30, PASSWORD, BusSetup::Cluster(network)).await
    }

    /// One whose bus is open to all, to see what it costs that it is not.
    pub async fn on_an_open_bus() -> anyhow::Result<Self> {
        Self::on(Ground::new()?, 8 << 30, PASSWORD, BusSetup::Open).await
    }

    async fn on(ground: Ground, pool_bytes: u64, password: &str, bus: BusSetup) -> anyhow::Result<Self> {
        let folder = ground.0.path();
        let login = DatabaseLogin {
            mount_point: DATA.into(),
            socket: folder.join("db1/mariadb-run/sock"),
            user: USER.into(),
            password: password.into(),
        };
        let store = folder.join("store");
        let setup = Setup { folder, store: &store, databases: &[login], pool_bytes, bus };
        let fleet = Fleet::start(Programs::from_environment()?, setup).await?;
        let volume_id = fleet.mount_new_volume("data", VOLUME_BYTES, Path::new(DATA)).await?;
        fleet.add_array()?;
        fleet.until_matched("db1", Path::new(DATA)).await?;
        Ok(Self { fleet, volume_id, _ground: ground })
    }

    /// Starts MariaDB on the volume, with a writer that never stops.
    pub async fn start_database(&self) -> anyhow::Result<Database> {
        let data = Path::new(DATA);
        MariaDb::create(&self.fleet.db1, data)?;
        let server = MariaDb::start(&self.fleet.db1, "mariadb", data).await?;
        server.add_backup_user(USER, PASSWORD).await?;
        let writer = Writer::start(&server).await?;
        server.wait_for_commits(&writer, 20).await?;
        Ok(Database { server, writer })
    }

    /// Asks for a copy and waits for its run.
    pub fn attach(&self, quiesce: &str, more: &[&str]) -> anyhow::Result<v1::Run> {
        self.ask_for_copy(quiesce, more)?;
        self.fleet.newest_run()
    }

    /// Begins an attach that is held at this place in its middle.
    pub async fn held_attach(&self, place: &'static str, quiesce: &str) -> anyhow::Result<(Hold, v1::Run)> {
        let hold = Hold::new(self.fleet.failpoints(), place)?;
        self.ask_for_copy(quiesce, &["--no-wait"])?;
        hold.reached().await?;
        let run = self.fleet.newest_run()?;
        Ok((hold, run))
    }

    fn ask_for_copy(&self, quiesce: &str, more: &[&str]) -> anyhow::Result<()> {
        let source = format!("db1:{DATA}");
        let arguments =
            ["backup", "attach", &source, "--to", "backup1", "--mount", COPY, "--quiesce", quiesce];
        self.fleet.cli(&[&arguments, more].concat()).map(drop)
    }

    /// Waits until there are two controllers, c1 and c2, and each of them has said that it knows the array: either may
    /// answer whatever comes next.
    pub async fn until_both_controllers(&self) -> anyhow::Result<()> {
        let mut ready = BTreeSet::new();
        wait::until_true("both controllers are there", Duration::from_secs(40), || {
            let status = self.fleet.cli_json::<v1::StatusReply>(&["status"]);
            ready.extend(status.ok().filter(knows_both).map(|status| status.controller));
            ready.len() == 2
        })
        .await
    }

    pub fn detach(&self) -> anyhow::Result<v1::Run> {
        self.fleet.cli(&["backup", "detach", &format!("backup1:{COPY}")])?;
        self.fleet.newest_run()
    }

    /// Whatever became of a run: it succeeded and can be taken down, or it was undone; and then nothing is left.
    pub async fn expect_accounted_for(&self, run: &v1::Run) -> anyhow::Result<()> {
        match run.state() {
            RunState::Succeeded => {
                self.fleet.backup1.run(&["ls", COPY])?;
                let detach = self.detach()?;
                anyhow::ensure!(detach.state() == RunState::Succeeded, "detach: {detach:#?}");
            }
            RunState::Undone => {}
            other => anyhow::bail!("the run ended as {other:?}: {run:#?}"),
        }
        self.expect_nothing_left().await
    }

    pub async fn expect_nothing_left(&self) -> anyhow::Result<()> {
        let left = leftovers::count(&self.fleet, Path::new("/srv")).await?;
        anyhow::ensure!(left == Leftovers::NONE, "left behind: {left:?}\n{}", self.fleet.logs());
        // The fabric is what the array shows to hosts; a mapping could be left there alone.
        let shown = self.fleet.array.fabric.join(self.fleet.backup1.initiator());
        let entries = std::fs::read_dir(shown).into_iter().flatten().count();
        anyhow::ensure!(entries == 0, "the fabric still shows {entries} volumes to backup1");
        Ok(())
    }
}

/// It knows of both controllers, and could list every array.
fn knows_both(status: &v1::StatusReply) -> bool {
    status.controllers == ["c1", "c2"]
        && !status.arrays.is_empty()
        && status.arrays.iter().all(|array| array.reachable)
}

impl Database {
    /// The database takes writes within this time.
    pub async fn expect_writes_within(&self, bound: Duration) -> anyhow::Result<()> {
        let wanted = self.writer.committed() + 3;
        wait::until_true("the database takes writes", bound, || self.writer.committed() >= wanted).await
    }
}

/// A folder on a disk, with every loop device on it taken down at the end.
struct Ground(TempDir);

impl Ground {
    fn new() -> anyhow::Result<Self> {
        Ok(Self(tempfile::Builder::new().prefix("sanfleet-").tempdir_in(PathBuf::from("/var/tmp"))?))
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Err(error) = disk::clear(self.0.path()) {
            #[allow(clippy::print_stderr, reason = "a test that leaves something must say so")]
            {
                eprintln!("not all could be taken down: {error:#}");
            }
        }
    }
}
