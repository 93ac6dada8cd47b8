//! A network namespace with a bridge: what is plugged into it sees nothing else.

use std::{
    fs,
    net::Ipv4Addr,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

const BRIDGE: &str = "lab";
/// The address of this end: of the bus, and of whoever asks.
pub const OWN: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 254);
const BOUND: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(5);

/// Gone, with all that is plugged in, when its keeper's input ends.
#[derive(Debug)]
pub struct Network {
    keeper: Child,
}

impl Network {
    pub fn make() -> anyhow::Result<Self> {
        let keeper = Command::new("unshare")
            .args(["--net", "--", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("cannot start unshare")?;
        let network = Self { keeper };
        network.await_namespace()?;
        network.ip(&["link", "set", "lo", "up"])?;
        network.ip(&["link", "add", BRIDGE, "type", "bridge"])?;
        network.ip(&["address", "add", &format!("{OWN}/24"), "dev", BRIDGE])?;
        network.ip(&["link", "set", BRIDGE, "up"])?;
        Ok(network)
    }

    /// A socket for one guest. It stays when the guest ends, for the next one.
    pub fn plug(&self, socket: &str) -> anyhow::Result<()> {
        if self.ip(&["link", "show", "dev", socket]).is_ok() {
            return Ok(());
        }
        self.ip(&["tuntap", "add", socket, "mode", "tap"])?;
        self.ip(&["link", "set", socket, "master", BRIDGE, "up"])
    }

    /// A command that runs on this network.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.namespace())).args(["--", program]);
        command
    }

    /// The process that holds it.
    pub fn keeper(&self) -> u32 {
        self.keeper.id()
    }

    /// Where it is found.
    pub fn namespace(&self) -> String {
        format!("/proc/{}/ns/net", self.keeper.id())
    }

    fn await_namespace(&self) -> anyhow::Result<()> {
        let ours = fs::read_link("/proc/self/ns/net")?;
        let begun = Instant::now();
        while !fs::read_link(self.namespace()).is_ok_and(|its| its != ours) {
            if begun.elapsed() > BOUND {
                bail!("there is no network namespace after {} s", BOUND.as_secs());
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    fn ip(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let output = self.command("ip").args(arguments).output().context("cannot start nsenter")?;
        match output.status.success() {
            true => Ok(()),
            false => bail!("ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)),
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
