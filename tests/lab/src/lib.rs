//! A lab of User-Mode Linux guests: an array and hosts, each with a kernel of its own, on a network of their own.
//!
//! `cargo xtask lab` says by `SANFLEET_LAB_LAYER` what the guests have besides this machine's files, and by
//! `SANFLEET_BIN_DIR` where our programs are. Nothing leaves the lab: its network is a namespace that no cable leads out of,
//! its disks are files in the memory of its guests, and all of it ends with the process that began it. What a scenario that
//! fails leaves behind, consoles with the kernels' messages and every script with its output, is in the folder that it names.

mod array;
mod database;
mod guest;
mod host;
mod network;
mod store;

use std::{env, path::PathBuf, thread, time::Duration};

use anyhow::Context;

pub use array::{Array, Shown};
pub use host::{DISKS_AT_ONCE, Host};
use network::{Network, OWN};
use sanfleet_tests::control::{Control, Programs};
pub use store::Store;

/// How long a guest may take to boot, or for one script.
const BOUND: Duration = Duration::from_secs(120);

/// Where everything of one lab is.
#[derive(Debug)]
pub struct Lab {
    network: Network,
    layer: PathBuf,
    programs: PathBuf,
    nats_server: PathBuf,
    /// The agent's own tests, as a program.
    kernel_tests: PathBuf,
    folder: PathBuf,
}

impl Lab {
    /// # Errors
    /// This is not `cargo xtask lab`, or no network can be made here.
    pub fn open() -> anyhow::Result<Self> {
        let from = |name: &str| {
            env::var_os(name)
                .map(PathBuf::from)
                .with_context(|| format!("{name} is not set: use cargo xtask lab"))
        };
        let folder = tempfile::Builder::new().prefix("sanfleet-lab-").tempdir()?.keep();
        Ok(Self {
            network: Network::make()?,
            layer: from("SANFLEET_LAB_LAYER")?,
            programs: from("SANFLEET_BIN_DIR")?,
            nats_server: from("SANFLEET_NATS_SERVER")?,
            kernel_tests: from("SANFLEET_KERNEL_TESTS")?,
            folder,
        })
    }
}

impl Lab {
    /// Bus and controller, at the lab's own end of the network.
    ///
    /// # Errors
    /// One of them does not start.
    pub async fn start_control(&self) -> anyhow::Result<Control> {
        let folder = self.folder.join("control");
        std::fs::create_dir_all(&folder)?;
        let programs = Programs::new(&self.programs, &self.nats_server);
        Control::start_at(programs, &folder, self.network.keeper(), OWN).await
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        match thread::panicking() {
            true => eprintln!("what the guests said is in {}", self.folder.display()),
            false => drop(std::fs::remove_dir_all(&self.folder)),
        }
    }
}
