//! The demo: a live MariaDB on one host, a consistent copy of it on another, and nothing left afterwards.
//!
//! All is real but the array: its volumes are files and its fabric is loop devices. Everything is below [`FOLDER`], in mount
//! namespaces of its own, and on loopback.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use sanfleet_tests::{control::Programs, disk};
use tokio::signal::unix::{SignalKind, signal};

use crate::build;

mod say;
mod story;

/// Short, because it holds sockets; on a disk, because it holds volumes.
const FOLDER: &str = "/var/tmp/sanfleet-demo";
/// The array's folder on its store, seen from the store's own root: the name that the kernel shows when nobody has it mounted.
const IN_STORE: &str = "/sanfleet-demo-array";
const INTERRUPTED: u8 = 130;

/// Runs [`run`] as root.
pub fn run_as_root(bin_dir: &Path, nats_server: &Path, keep: bool) -> anyhow::Result<ExitCode> {
    if rustix::process::geteuid().is_root() {
        return run(bin_dir, nats_server, keep);
    }
    let mut command: Vec<OsString> = vec![std::env::current_exe()?.into(), "demo".into()];
    command.extend(["--bin-dir".into(), bin_dir.into(), "--nats-server".into(), nats_server.into()]);
    command.extend(keep.then(|| "--keep".into()));
    let status = build::as_root(&command).status().context("cannot start sudo")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

pub fn run(bin_dir: &Path, nats_server: &Path, keep: bool) -> anyhow::Result<ExitCode> {
    let folder = Ground::take()?;
    let programs = Programs::new(bin_dir, nats_server);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            told = story::tell(programs, &folder.path, keep) => told.map(|()| ExitCode::SUCCESS),
            () = interrupted() => {
                say::line("Interrupted: taking everything down.");
                Ok(ExitCode::from(INTERRUPTED))
            }
        }
    })
}

/// The demo's own folder. Whatever an earlier demo left in it is taken down first; ours is, at the end.
struct Ground {
    path: PathBuf,
    _lock: fs::File,
}

impl Ground {
    fn take() -> anyhow::Result<Self> {
        let path = PathBuf::from(FOLDER);
        let lock = fs::File::create(path.with_extension("lock"))?;
        lock.try_lock().context("another demo is running; stop it first")?;
        clear(&path).context("cannot take down what an earlier demo left")?;
        fs::create_dir_all(&path)?;
        Ok(Self { path, _lock: lock })
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Err(error) = clear(&self.path) {
            say::line(&format!("Not all could be taken down: {error:#}"));
        }
    }
}

fn clear(folder: &Path) -> anyhow::Result<()> {
    // A device on the store, when the mount namespaces that saw the store are gone.
    disk::clear(Path::new(IN_STORE))?;
    disk::clear(folder)?;
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

async fn interrupted() {
    let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = signals else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}
