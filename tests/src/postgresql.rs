//! A PostgreSQL server of our own: no network, its own socket, its data on a volume.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;

use crate::{
    host::Host,
    process::{Process, Recipe},
    wait,
};

/// How long a server may take to start, recovery included.
const START: Duration = Duration::from_secs(60);
/// The server refuses to run as root; this user every system has.
const NOBODY: [&str; 5] = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];

#[derive(Debug)]
pub struct Postgresql {
    process: Process,
    programs: PathBuf,
    folder: PathBuf,
}

impl Postgresql {
    /// Makes an empty database in `data`, which is a new folder on `host`.
    pub fn create(host: &Host, data: &Path) -> anyhow::Result<()> {
        let path = data.to_string_lossy();
        host.run(&["install", "-d", "-m", "700", "-o", "65534", "-g", "65534", &path])?;
        as_nobody(host, "initdb", &programs()?.join("initdb"))
            .args(["--auth=trust", "--username=postgres", "--no-sync", "--pgdata"])
            .args([data])
            .run()
    }

    /// Starts a server on `host` with its data in `data`. The socket is in a folder that only this server uses.
    pub async fn start(host: &Host, name: &str, data: &Path) -> anyhow::Result<Self> {
        let (programs, folder) = (programs()?, host.folder.join(format!("{name}-run")));
        fs::create_dir_all(&folder)?;
        // Nobody has to get there.
        for (open, mode) in
            [(Some(folder.as_path()), 0o777), (Some(&host.folder), 0o755), (host.folder.parent(), 0o755)]
        {
            if let Some(open) = open {
                fs::set_permissions(open, fs::Permissions::from_mode(mode))?;
            }
        }
        let process = as_nobody(host, name, &programs.join("postgres"))
            .args(["-c", "listen_addresses=", "-c", "shared_buffers=8MB", "-c", "max_connections=20", "-D"])
            .args([data, Path::new("-k"), &folder])
            .start()?;
        let server = Self { process, programs, folder };
        wait::until_true("PostgreSQL answers", START, || server.sql("SELECT 1").is_ok())
            .await
            .with_context(|| server.process.log_tail())?;
        Ok(server)
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.join(".s.PGSQL.5432")
    }

    /// The first column of what it answers.
    pub fn sql(&self, statement: &str) -> anyhow::Result<String> {
        let (psql, folder) = (self.programs.join("psql"), self.folder.to_string_lossy());
        let arguments = ["-h", &folder, "-U", "postgres", "-X", "-A", "-t", "-c", statement];
        Ok(crate::process::run(&psql.to_string_lossy(), &arguments)?.trim().to_owned())
    }

    /// Stops it in good order.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let status = tokio::task::spawn_blocking(move || self.process.stop(Duration::from_secs(60))).await?;
        anyhow::ensure!(status.success(), "PostgreSQL ended with {status}");
        Ok(())
    }
}

/// Where Debian keeps them, out of the path.
fn programs() -> anyhow::Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").context("PostgreSQL is not installed")?;
    let folders = versions.flatten().map(|version| version.path().join("bin"));
    folders.into_iter().find(|bin| bin.join("postgres").exists()).context("PostgreSQL has no server here")
}

fn as_nobody(host: &Host, name: &str, program: &Path) -> Recipe {
    host.recipe(name, "setpriv").args(NOBODY).args([program]).env("LC_ALL", "C")
}
