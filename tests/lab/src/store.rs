//! A Linux machine that the driver `lio` makes an array of: a guest with a disk, LVM and an ssh server.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use crate::{
    Lab,
    guest::{Guest, address, write_program},
};

const BEGIN: &str = include_str!("../guest/store.sh");
const NAME: &str = "store";
const NUMBER: u8 = 1;
/// Of its second address.
const SECOND: u8 = 101;
const DISK_BYTES: u64 = 3 << 30;

#[derive(Debug)]
pub struct Store {
    guest: Guest,
    disk: PathBuf,
    /// Where keys are, and a `bin` with an ssh that uses them.
    keys: PathBuf,
}

impl Store {
    pub fn boot(lab: &Lab) -> anyhow::Result<Self> {
        let (disk, keys) = (lab.folder.join("store.disk"), lab.folder.join("keys"));
        File::create(&disk)?.set_len(DISK_BYTES)?;
        make_keys(&keys)?;
        let guest = boot(lab, &disk)?;
        Ok(Self { guest, disk, keys })
    }

    /// Waits until it has booted, makes a thin pool of its disk, and has it let us in.
    pub fn begin(&mut self) -> anyhow::Result<()> {
        self.start("make_pool")
    }

    /// It loses its power, and is started again with the same disk.
    pub fn restart(&mut self, lab: &Lab) -> anyhow::Result<()> {
        // What it says of who sees what is on a disk too; here that is ours.
        let state = self.run("cat /etc/sanfleet/lio.json")?;
        self.guest.kill();
        self.guest = boot(lab, &self.disk)?;
        fs::write(self.guest.folder().join("lio.json"), state)?;
        self.start("find_pool; mkdir -p /etc/sanfleet; cp /lab/lio.json /etc/sanfleet/lio.json")
    }

    fn start(&mut self, with_pool: &str) -> anyhow::Result<()> {
        for key in ["host", "host.pub", "client.pub"] {
            fs::copy(self.keys.join(key), self.guest.folder().join(key))?;
        }
        self.guest.await_boot()?;
        self.guest.run(&format!("{BEGIN}\n{with_pool}\nlet_in\n")).map(drop)
    }

    pub fn uri(&self) -> String {
        format!("lio+ssh://root@{}", address(NUMBER))
    }

    /// Hosts reach it through a second portal too.
    pub fn open_second_portal(&mut self) -> anyhow::Result<()> {
        self.run(&format!("ip address add {}/24 dev vec0", address(SECOND))).map(drop)
    }

    /// Whoever came in there waits in vain from now on.
    pub fn cut_second_portal(&mut self) -> anyhow::Result<()> {
        self.run(&format!("ip address delete {}/24 dev vec0", address(SECOND))).map(drop)
    }

    /// Where to look for ssh, so that it uses the lab's keys.
    pub fn path(&self) -> anyhow::Result<String> {
        let path = std::env::var("PATH").context("there is no PATH")?;
        Ok(format!("{}:{path}", self.keys.join("bin").display()))
    }

    /// The driver's program, for who is not on the lab's network and has none of its keys.
    pub fn driver(&self, lab: &Lab) -> anyhow::Result<PathBuf> {
        let (driver, program) = (lab.folder.join("lio_lsmplugin"), lab.programs.join("lio_lsmplugin"));
        let (path, network) = (self.path()?, lab.network.namespace());
        let text =
            format!("#!/bin/sh\nPATH={path} exec nsenter --net={network} -- {} \"$@\"\n", program.display());
        write_program(&driver, &text)?;
        Ok(driver)
    }

    /// Carries out a shell script and gives what it printed.
    pub fn run(&mut self, script: &str) -> anyhow::Result<String> {
        self.guest.run(script)
    }
}

fn boot(lab: &Lab, disk: &Path) -> anyhow::Result<Guest> {
    Guest::boot_with(lab, NAME, NUMBER, &[format!("ubd0={}", disk.display())])
}

/// A key of the guest and one of whoever logs in, and an ssh that knows both and nothing else.
fn make_keys(folder: &Path) -> anyhow::Result<()> {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin)?;
    for name in ["host", "client"] {
        let key = folder.join(name);
        let made =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
        anyhow::ensure!(made.context("cannot start ssh-keygen")?.success(), "ssh-keygen failed");
    }
    let public = fs::read_to_string(folder.join("host.pub"))?;
    fs::write(folder.join("known_hosts"), format!("{} {public}", address(NUMBER)))?;
    let config = format!(
        "IdentityFile {0}/client\nIdentitiesOnly yes\nUserKnownHostsFile {0}/known_hosts\nGlobalKnownHostsFile /dev/null\n",
        folder.display()
    );
    fs::write(folder.join("config"), config)?;
    write_program(
        &bin.join("ssh"),
        &format!("#!/bin/sh\nexec /usr/bin/ssh -F {}/config \"$@\"\n", folder.display()),
    )
}
