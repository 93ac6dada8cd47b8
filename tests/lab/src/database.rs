//! A live MariaDB in a guest.

use std::{fs, process::Command};

use anyhow::Context;

use crate::Host;

const COMMANDS: &str = include_str!("../guest/database.sh");
/// Whom the agent holds it still as.
pub const USER: &str = "sanfleet";
pub const PASSWORD: &str = "a-test-password";
pub const SOCKET: &str = "/run/mariadb.sock";

impl Host {
    /// Starts one with its data on the volume that is mounted there, and a writer in it.
    ///
    /// # Errors
    /// One of its programs fails.
    pub fn start_database(&mut self, data: &str) -> anyhow::Result<()> {
        // The machine is quicker at it than a guest.
        let made = self.folder().join("database");
        let status = Command::new("mariadb-install-db")
            .args([
                "--no-defaults",
                "--user=root",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ])
            .args(["--innodb-log-file-size=8M".to_owned(), format!("--datadir={}", made.display())])
            .stdout(fs::File::create(self.folder().join("install.log"))?)
            .status()
            .context("cannot start mariadb-install-db")?;
        anyhow::ensure!(status.success(), "mariadb-install-db ended with {status}");
        self.database(&format!(
            "cp -a /lab/database/. {data}/; begin {data}; create {USER} {PASSWORD}; write"
        ))?;
        Ok(())
    }

    /// Starts one on a copy, which recovers as after a power cut.
    ///
    /// # Errors
    /// It does not start.
    pub fn recover_database(&mut self, data: &str) -> anyhow::Result<()> {
        self.database(&format!("begin {data}")).map(drop)
    }

    /// # Errors
    /// It does not stop.
    pub fn stop_database(&mut self) -> anyhow::Result<()> {
        self.database("end").map(drop)
    }

    /// How many rows the writer's table has, and the highest number among them.
    ///
    /// # Errors
    /// The database does not answer.
    pub fn rows(&mut self) -> anyhow::Result<(u64, u64)> {
        let told = self.database("ask 'SELECT COUNT(*), COALESCE(MAX(id), 0) FROM lab.words'")?;
        let (count, highest) = told.trim().split_once('\t').with_context(|| format!("{told:?}"))?;
        Ok((count.parse()?, highest.parse()?))
    }

    fn database(&mut self, commands: &str) -> anyhow::Result<String> {
        self.run(&format!("set -e\n{COMMANDS}\n{commands}\n"))
    }
}
