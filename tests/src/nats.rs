//! nats-servers of our own, with their journals synced to disk: one on a free port of loopback, or a cluster of one on each machine
//! of a [`Network`].

use std::{
    net::{Ipv4Addr, SocketAddrV4, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    network::{Network, address},
    process::{Process, Recipe},
    wait,
};

/// Where servers of a cluster listen, each on an address of its own.
const CLIENTS: u16 = 4222;
const ROUTES: u16 = 6222;

#[derive(Debug)]
pub struct Nats {
    servers: Vec<Server>,
}

#[derive(Debug)]
struct Server {
    recipe: Recipe,
    process: Option<Process>,
    at: SocketAddrV4,
    /// What the server's process says in, once it listens, with its id in the name.
    listens: PathBuf,
}

impl Nats {
    pub async fn start(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let at = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port()?);
        let server = Server::new(program, folder, "nats", at, None, "")?;
        let mut nats = Self { servers: vec![server] };
        nats.restart().await?;
        Ok(nats)
    }

    /// One that is on this machine, at this address of it.
    pub async fn start_on(
        program: &Path,
        folder: &Path,
        machine: u32,
        address: Ipv4Addr,
    ) -> anyhow::Result<Self> {
        let at = SocketAddrV4::new(address, CLIENTS);
        let server = Server::new(program, folder, "nats", at, Some(machine), "")?;
        let mut nats = Self { servers: vec![server] };
        nats.restart().await?;
        Ok(nats)
    }

    /// Three servers, on the first three machines of the network.
    pub async fn cluster(program: &Path, folder: &Path, network: &Network) -> anyhow::Result<Self> {
        let routes: Vec<String> =
            (0..3).map(|number| format!("\"nats://{}:{ROUTES}\"", address(number))).collect();
        let mut nats = Self { servers: Vec::new() };
        for number in 0..3 {
            let own = address(number);
            let cluster = format!(
                "cluster {{\n  name: sanfleet\n  listen: \"{own}:{ROUTES}\"\n  routes: [{}]\n}}\n",
                routes.join(", ")
            );
            let (name, machine) = (format!("nats-{number}"), network.machine(number)?);
            let at = SocketAddrV4::new(own, CLIENTS);
            nats.servers.push(Server::new(program, folder, &name, at, Some(machine), &cluster)?);
        }
        nats.restart().await?;
        Ok(nats)
    }

    /// Every server, with commas between.
    pub fn url(&self) -> String {
        self.urls().join(",")
    }

    pub fn urls(&self) -> Vec<String> {
        self.servers.iter().map(|server| format!("nats://{}", server.at)).collect()
    }

    /// The one on this machine; the only one where there is but one.
    pub fn url_at(&self, machine: u8) -> String {
        let server = self.servers.get(usize::from(machine)).or(self.servers.first());
        server.map(|server| format!("nats://{}", server.at)).unwrap_or_default()
    }

    pub fn kill(&mut self) {
        self.servers.iter_mut().for_each(|server| server.process = None);
    }

    /// Kills one of a cluster.
    pub fn kill_one(&mut self, number: u8) {
        let server = self.servers.get_mut(usize::from(number));
        server.into_iter().for_each(|server| server.process = None);
    }

    /// Starts those that do not run, where they were and with what they had stored.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.servers.iter_mut().try_for_each(Server::start)?;
        for server in &self.servers {
            server.until_it_listens().await?;
        }
        Ok(())
    }

    /// Of the only one.
    pub fn pid(&self) -> Option<u32> {
        self.servers.first()?.process.as_ref().map(Process::pid)
    }
}

impl Server {
    fn new(
        program: &Path,
        folder: &Path,
        name: &str,
        at: SocketAddrV4,
        machine: Option<u32>,
        more: &str,
    ) -> anyhow::Result<Self> {
        let (config, store) = (folder.join(format!("{name}.conf")), folder.join(name));
        std::fs::write(&config, configuration(name, at, &store, folder) + more)?;
        let program_name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let log = format!("{name}-server");
        let recipe = Recipe::new(&log, folder, program).args([Path::new("-c"), &config]).on(machine);
        Ok(Self { recipe, process: None, at, listens: folder.join(program_name) })
    }

    fn start(&mut self) -> anyhow::Result<()> {
        if self.process.as_mut().is_none_or(|process| process.ended().is_some()) {
            self.process = Some(self.recipe.start()?);
        }
        Ok(())
    }

    /// It may be where we cannot reach it, so it is asked by what it writes.
    async fn until_it_listens(&self) -> anyhow::Result<()> {
        let Some(pid) = self.process.as_ref().map(Process::pid) else { return Ok(()) };
        let file = PathBuf::from(format!("{}_{pid}.ports", self.listens.display()));
        wait::until_true("nats-server listens", Duration::from_secs(20), || file.exists()).await
    }
}

fn configuration(name: &str, at: SocketAddrV4, store: &Path, folder: &Path) -> String {
    format!(
        "listen: \"{at}\"\nserver_name: {name}\nports_file_dir: {folder:?}\n\
         jetstream {{\n  store_dir: {store:?}\n  sync_interval: always\n}}\n"
    )
}

/// A port that nobody listens on now.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
