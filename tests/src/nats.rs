//! A nats-server of our own, on a free port of loopback, with its journal synced to disk.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    process::{Process, Recipe},
    wait,
};

#[derive(Debug)]
pub struct Nats {
    recipe: Recipe,
    process: Option<Process>,
    port: u16,
}

impl Nats {
    pub async fn start(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let port = free_port()?;
        let config = folder.join("nats.conf");
        let store = folder.join("nats");
        std::fs::write(&config, configuration(port, &store))?;
        let recipe = Recipe::new("nats-server", folder, program).args([Path::new("-c"), &config]);
        let mut nats = Self { recipe, process: None, port };
        nats.restart().await?;
        Ok(nats)
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again on the same port and with the same store.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.kill();
        self.process = Some(self.recipe.start()?);
        let port = self.port;
        wait::until("nats-server accepts connections", Duration::from_secs(20), || async move {
            tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok()
        })
        .await?;
        Ok(())
    }

    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }
}

fn configuration(port: u16, store: &PathBuf) -> String {
    format!(
        "listen: 127.0.0.1:{port}\nserver_name: sanfleet\njetstream {{\n  store_dir: {store:?}\n  sync_interval: always\n}}\n"
    )
}

/// A port that nobody listens on now.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
