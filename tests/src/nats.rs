//! nats-servers of our own, with their journals synced to disk: one on a free port of loopback, or a cluster of one on each machine
//! of a [`Network`]. Unless it is open to all, everybody is a user of its own there, with the rights that `sanfleet bus` gives.

mod everything;

use std::{
    net::{Ipv4Addr, SocketAddrV4, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use async_nats::ConnectOptions;
use sanfleet_protocol::{credentials::identity, rights::Role};

use crate::{
    control::Programs,
    network::{Network, address},
    process::{Process, Recipe, run, write_private},
    wait,
};

/// Where servers of a cluster listen, each on an address of its own.
const CLIENTS: u16 = 4222;
const ROUTES: u16 = 6222;

#[derive(Debug)]
pub struct Nats {
    servers: Vec<Server>,
    users: Option<Users>,
}

/// The folder of `sanfleet bus`, and the program that keeps it.
#[derive(Debug)]
pub struct Users {
    program: PathBuf,
    pub folder: PathBuf,
}

impl Users {
    fn new(programs: &Programs, folder: &Path, addresses: &[Ipv4Addr]) -> anyhow::Result<Self> {
        let users = Self { program: programs.cli.clone(), folder: folder.join("bus") };
        let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        let names = addresses.iter().flat_map(|address| ["--name", address]);
        users.run(&["init", "--store", STORE].into_iter().chain(names).collect::<Vec<_>>())?;
        Ok(users)
    }

    /// By which its servers are trusted.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    fn run(&self, words: &[&str]) -> anyhow::Result<()> {
        let folder = self.folder.to_string_lossy();
        run(&self.program.to_string_lossy(), &[&["bus"], words, &["--dir", &folder]].concat()).map(drop)
    }

    /// The credentials of this user, who is made when there is none.
    fn credentials(&self, name: &str, role: Role) -> anyhow::Result<PathBuf> {
        let file = self.folder.join(format!("{name}-{role}.creds"));
        if !file.exists() {
            self.run(&["user", name, "--role", role.as_str(), "--out", &file.to_string_lossy()])?;
        }
        Ok(file)
    }

    /// The operator's word for a controller's key, in a file.
    pub fn delegate(&self, key: &str, file: &Path) -> anyhow::Result<()> {
        self.run(&["delegate", key, "--out", &file.to_string_lossy()])
    }

    /// The key that agents pin.
    pub fn operator_key(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.folder.join("operator.pub"))?.trim().to_owned())
    }

    /// What a server with this store is told of users.
    fn trust(&self, store: &Path) -> anyhow::Result<String> {
        let text = std::fs::read_to_string(self.folder.join("trust.conf"))?;
        let [certificate, key] = ["server.pem", "server.key"].map(|name| self.folder.join(name));
        let tls = format!("tls {{\n  cert_file: {certificate:?}\n  key_file: {key:?}\n}}\n");
        Ok(text.replace(STORE, &store.to_string_lossy()) + &tls)
    }
}

/// Stands for the store of each server.
const STORE: &str = "/store-of-the-server";

#[derive(Debug)]
struct Server {
    recipe: Recipe,
    process: Option<Process>,
    at: SocketAddrV4,
    /// What the server's process says in, once it listens, with its id in the name.
    listens: PathBuf,
}

impl Nats {
    pub async fn start(programs: &Programs, folder: &Path) -> anyhow::Result<Self> {
        let at = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port()?);
        let users = Users::new(programs, folder, &[*at.ip()])?;
        Self::single(programs, folder, at, None, Some(users)).await
    }

    /// One on which anybody may say and hear everything.
    pub async fn start_open(programs: &Programs, folder: &Path) -> anyhow::Result<Self> {
        let at = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port()?);
        Self::single(programs, folder, at, None, None).await
    }

    /// One that is on this machine, at this address of it.
    pub async fn start_on(
        programs: &Programs,
        folder: &Path,
        machine: u32,
        address: Ipv4Addr,
    ) -> anyhow::Result<Self> {
        let at = SocketAddrV4::new(address, CLIENTS);
        let users = Users::new(programs, folder, &[address])?;
        Self::single(programs, folder, at, Some(machine), Some(users)).await
    }

    async fn single(
        programs: &Programs,
        folder: &Path,
        at: SocketAddrV4,
        machine: Option<u32>,
        users: Option<Users>,
    ) -> anyhow::Result<Self> {
        let server = Server::new(programs, folder, "nats", at, machine, users.as_ref(), "")?;
        let mut nats = Self { servers: vec![server], users };
        nats.restart().await?;
        Ok(nats)
    }

    /// Three servers, on the first three machines of the network.
    pub async fn cluster(programs: &Programs, folder: &Path, network: &Network) -> anyhow::Result<Self> {
        let users = Users::new(programs, folder, &[0, 1, 2].map(address))?;
        let routes: Vec<String> =
            (0..3).map(|number| format!("\"nats://{}:{ROUTES}\"", address(number))).collect();
        let mut nats = Self { servers: Vec::new(), users: None };
        for number in 0..3 {
            let own = address(number);
            let cluster = format!(
                "cluster {{\n  name: sanfleet\n  listen: \"{own}:{ROUTES}\"\n  routes: [{}]\n}}\n",
                routes.join(", ")
            );
            let (name, machine) = (format!("nats-{number}"), network.machine(number)?);
            let at = SocketAddrV4::new(own, CLIENTS);
            nats.servers.push(Server::new(
                programs,
                folder,
                &name,
                at,
                Some(machine),
                Some(&users),
                &cluster,
            )?);
        }
        nats.users = Some(users);
        nats.restart().await?;
        Ok(nats)
    }

    /// Who may use it; nobody is asked where it is open.
    pub fn users(&self) -> Option<&Users> {
        self.users.as_ref()
    }

    /// The credentials of a user, who is made when there is none; none are needed where the bus is open.
    pub fn credentials(&self, name: &str, role: Role) -> anyhow::Result<Option<PathBuf>> {
        self.users.as_ref().map(|users| users.credentials(name, role)).transpose()
    }

    /// A connection as a user.
    pub async fn connect_as(&self, name: &str, role: Role) -> anyhow::Result<async_nats::Client> {
        let options = match self.credentials(name, role)? {
            None => ConnectOptions::new(),
            Some(file) => self.options_with(&std::fs::read_to_string(file)?)?,
        };
        Ok(options.connect(self.urls()).await?)
    }

    /// A connection that may say and hear everything: no role of ours, but who has the account's own key can make one.
    pub async fn connect(&self) -> anyhow::Result<async_nats::Client> {
        let options = match &self.users {
            None => ConnectOptions::new(),
            Some(users) => self.options_with(&everything::credentials(&users.folder)?)?,
        };
        Ok(options.connect(self.urls()).await?)
    }

    /// Answers come to the user's own inbox.
    fn options_with(&self, credentials: &str) -> anyhow::Result<ConnectOptions> {
        let prefix = identity(credentials).context("no user's credentials")?.inbox;
        let options = ConnectOptions::with_credentials(credentials)?.custom_inbox_prefix(prefix);
        Ok(match self.authority() {
            Some(file) => options.require_tls(true).add_root_certificates(file),
            None => options,
        })
    }

    /// By which its servers are trusted, where it is not open to all.
    pub fn authority(&self) -> Option<PathBuf> {
        self.users.as_ref().map(Users::authority)
    }

    /// What a member's configuration says of itself and the servers, below `[nats]`.
    pub fn membership(&self, name: &str, role: Role) -> anyhow::Result<String> {
        let lines = [("credentials", self.credentials(name, role)?), ("ca", self.authority())];
        let said = lines.into_iter().filter_map(|(key, file)| Some(format!("{key} = {:?}\n", file?)));
        Ok(said.collect())
    }

    /// The same, with files of their own in a folder, for a process of this user.
    pub fn membership_of(&self, user: u32, folder: &Path, name: &str, role: Role) -> anyhow::Result<String> {
        let lines = [("credentials", self.credentials(name, role)?), ("ca", self.authority())];
        let mut text = String::new();
        for (key, file) in lines.into_iter().filter_map(|(key, file)| Some((key, file?))) {
            let copy = folder.join(key);
            write_private(&copy, &std::fs::read_to_string(file)?)?;
            std::os::unix::fs::chown(&copy, Some(user), None)?;
            text.push_str(&format!("{key} = {copy:?}\n"));
        }
        Ok(text)
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
        programs: &Programs,
        folder: &Path,
        name: &str,
        at: SocketAddrV4,
        machine: Option<u32>,
        users: Option<&Users>,
        more: &str,
    ) -> anyhow::Result<Self> {
        let program = &programs.nats_server;
        let (config, store) = (folder.join(format!("{name}.conf")), folder.join(name));
        let trust = users.map(|users| users.trust(&store)).transpose()?.unwrap_or_default();
        std::fs::write(&config, configuration(name, at, &store, folder) + more + &trust)?;
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
