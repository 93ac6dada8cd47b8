//! A network of the tests: some machines at one switch, each a network namespace with an address of its own. The cable of each
//! can be pulled, and then what is sent is lost without a word, as it is on a network that is torn apart.

use std::{net::Ipv4Addr, path::Path, time::Duration};

use anyhow::Context;

use crate::{
    process::{Process, Recipe, network_of, run},
    wait,
};

/// The end of a machine's cable at the machine.
const PORT: &str = "eth0";

#[derive(Debug)]
pub struct Network {
    switch: Process,
    machines: Vec<Process>,
}

impl Network {
    /// So many machines, with logs in this folder.
    pub async fn new(folder: &Path, machines: u8) -> anyhow::Result<Self> {
        let script = "ip link set lo up && ip link add switch type bridge && ip link set switch up";
        let switch = namespace("switch", folder, script).await?;
        let mut network = Self { switch, machines: Vec::new() };
        for number in 0..machines {
            let machine = namespace(&format!("machine-{number}"), folder, "ip link set lo up").await?;
            network.plug_in(number, machine)?;
        }
        Ok(network)
    }

    fn plug_in(&mut self, number: u8, machine: Process) -> anyhow::Result<()> {
        let (cable, pid, own) = (cable(number), machine.pid().to_string(), format!("{}/24", address(number)));
        let add = ["link", "add", &cable, "type", "veth", "peer", "name", PORT, "netns", &pid];
        ip(&self.switch, &add)?;
        ip(&self.switch, &["link", "set", &cable, "master", "switch", "up"])?;
        ip(&machine, &["addr", "add", &own, "dev", PORT])?;
        ip(&machine, &["link", "set", PORT, "up"])?;
        self.machines.push(machine);
        Ok(())
    }

    /// The process that holds the machine's network, for [`Recipe::on`].
    pub fn machine(&self, number: u8) -> anyhow::Result<u32> {
        let machine = self.machines.get(usize::from(number)).context("there is no such machine")?;
        Ok(machine.pid())
    }

    /// Nothing comes from this machine any more, and nothing reaches it.
    pub fn pull(&self, number: u8) -> anyhow::Result<()> {
        ip(&self.switch, &["link", "set", &cable(number), "down"])
    }

    pub fn plug(&self, number: u8) -> anyhow::Result<()> {
        ip(&self.switch, &["link", "set", &cable(number), "up"])
    }
}

pub fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 99, 0, number.saturating_add(1))
}

/// The end of a machine's cable at the switch.
fn cable(number: u8) -> String {
    format!("cable{number}")
}

async fn namespace(name: &str, folder: &Path, script: &str) -> anyhow::Result<Process> {
    let ready = folder.join(format!("{name}.ready"));
    let script = format!("{script} && touch \"$0\" && exec sleep infinity");
    let keeper =
        Recipe::new(name, folder, "unshare").args(["--net", "sh", "-c", &script]).args([&ready]).start()?;
    wait::until_true(name, Duration::from_secs(10), || ready.exists())
        .await
        .with_context(|| keeper.log_tail())?;
    Ok(keeper)
}

fn ip(machine: &Process, arguments: &[&str]) -> anyhow::Result<()> {
    run("nsenter", &[&[&network_of(machine.pid()), "--", "ip"], arguments].concat()).map(drop)
}
