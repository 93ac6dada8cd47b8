//! A MariaDB server of our own: no network, its own socket, its data on a volume.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use mysql_async::{Conn, OptsBuilder, prelude::Queryable};

use crate::{host::Host, process::Process, wait};

#[derive(Debug)]
pub struct MariaDb {
    process: Process,
    socket: PathBuf,
}

/// How long a server may take to start, recovery included.
const START: Duration = Duration::from_secs(60);

impl MariaDb {
    /// Makes an empty database in `data`, which is a path on `host`.
    pub fn create(host: &Host, data: &Path) -> anyhow::Result<()> {
        let data = data.to_string_lossy();
        host.recipe("mariadb-install", "mariadb-install-db")
            .args([
                "--no-defaults",
                "--user=root",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ])
            .args([format!("--datadir={data}")])
            // Servers that share it delete each other's temporary tables.
            .env("TMPDIR", &host.folder)
            .run()
    }

    /// Starts a server on `host` with its data in `data`. The socket is in a folder that only this server uses.
    pub async fn start(host: &Host, name: &str, data: &Path) -> anyhow::Result<Self> {
        let folder = host.folder.join(format!("{name}-run"));
        fs::create_dir_all(&folder)?;
        let socket = folder.join("sock");
        let process = host
            .recipe(name, "mariadbd")
            .args(["--no-defaults", "--user=root", "--skip-networking", "--innodb-buffer-pool-size=64M"])
            .env("TMPDIR", &folder)
            // Every acknowledged commit is on the volume: what the copy is measured by.
            .args(["--innodb-flush-log-at-trx-commit=1", "--skip-log-bin"])
            .args([
                format!("--datadir={}", data.display()),
                format!("--socket={}", socket.display()),
                format!("--pid-file={}", folder.join("pid").display()),
            ])
            .start()?;
        let mut server = Self { process, socket };
        server.wait_until_up().await?;
        Ok(server)
    }

    async fn wait_until_up(&mut self) -> anyhow::Result<()> {
        let end = std::time::Instant::now() + START;
        loop {
            if self.connect("root", "").await.is_ok() {
                return Ok(());
            }
            if let Some(status) = self.process.ended() {
                anyhow::bail!("MariaDB ended with {status}:\n{}", self.process.log_tail());
            }
            anyhow::ensure!(
                std::time::Instant::now() < end,
                "MariaDB does not start:\n{}",
                self.process.log_tail()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    pub async fn connect(&self, user: &str, password: &str) -> anyhow::Result<Conn> {
        let options = OptsBuilder::default()
            .user(Some(user))
            .pass(Some(password))
            .socket(Some(self.socket.to_string_lossy()))
            .ip_or_hostname("localhost");
        Ok(Conn::new(options).await?)
    }

    /// The account that an agent quiesces with: these rights and no more.
    pub async fn add_backup_user(&self, user: &str, password: &str) -> anyhow::Result<()> {
        let mut conn = self.connect("root", "").await?;
        conn.query_drop(format!("CREATE USER '{user}'@'localhost' IDENTIFIED BY '{password}'")).await?;
        conn.query_drop(format!("GRANT RELOAD ON *.* TO '{user}'@'localhost'")).await?;
        Ok(conn.disconnect().await?)
    }

    /// The rows of the writer's table: how many there are, and the highest number among them.
    pub async fn count_rows(&self) -> anyhow::Result<(u64, u64)> {
        let mut conn = self.connect("root", "").await?;
        let row: Option<(u64, Option<u64>)> =
            conn.query_first("SELECT COUNT(*), MAX(id) FROM sanfleet.rows").await?;
        conn.disconnect().await?;
        let (count, highest) = row.unwrap_or_default();
        Ok((count, highest.unwrap_or_default()))
    }

    /// Stops it in good order.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let status = tokio::task::spawn_blocking(move || self.process.stop(Duration::from_secs(60))).await?;
        anyhow::ensure!(status.success(), "MariaDB ended with {status}");
        Ok(())
    }

    pub async fn wait_for_commits(&self, writer: &crate::writer::Writer, more: u64) -> anyhow::Result<()> {
        let wanted = writer.committed() + more;
        wait::until_true("the database takes writes", Duration::from_secs(30), || {
            writer.committed() >= wanted
        })
        .await
    }
}
