//! A host: a guest with open-iscsi and our agent.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
};

use sanfleet_protocol::{rights::Role, sign::CommandKey};
use sanfleet_tests::{control::Control, host::NOBODY};

use crate::{
    Lab, Shown,
    database::{PASSWORD, SOCKET, USER},
    guest::Guest,
};

/// A key that signs nothing here: commands come by hand.
const KEY: [u8; 32] = [7; 32];
const CHECK: &str = "check --config /lab/agent.toml";
/// In the guest's folder.
const FAILPOINTS: &str = "failpoints";
/// Where the program is for a user without rights, who may not get to where it was built.
const PROGRAM: &str = "/run/program";
pub const DISKS_AT_ONCE: u32 = 1_000;
const TARGETS: u32 = 20;
const BEGIN: &str = "set -e
modprobe -a scsi_transport_iscsi iscsi_tcp sd_mod
iscsid
";

/// For the map of a volume's paths. Without a path for long enough it gives up, and no application waits for ever.
const BEGIN_MULTIPATH: &str = "set -e
/usr/lib/systemd/systemd-udevd --daemon
udevadm trigger --action=add --subsystem-match=block --subsystem-match=misc
udevadm settle
modprobe -a dm-mod dm-multipath dm-service-time
mkdir -p /etc/multipath
cat >/etc/multipath.conf <<'END'
defaults {
    find_multipaths no
    user_friendly_names no
    polling_interval 1
    max_polling_interval 1
}
END
multipathd
until multipathd show daemon >/dev/null 2>&1; do :; done
";

/// Files on which volumes are, and what lies on those.
const BEGIN_STORAGE: &str = "set -e
modprobe -a loop dm-mod dm-snapshot
# There is no udevd that LVM could wait for.
export DM_DISABLE_UDEV=1
";

#[derive(Debug)]
pub struct Host {
    guest: Guest,
    name: String,
    number: u8,
    program: PathBuf,
    /// As it is called as root.
    agent: String,
}

impl Host {
    pub fn boot(lab: &Lab, name: &str, number: u8) -> anyhow::Result<Self> {
        Self::of(lab, Guest::boot(lab, name, number)?, name, number)
    }

    /// One with room for so many disks.
    pub fn boot_for_disks(lab: &Lab, name: &str, number: u8, disks: u32) -> anyhow::Result<Self> {
        let memory = format!("mem={}M", 512 + disks / 2);
        Self::of(lab, Guest::boot_with(lab, name, number, &[memory])?, name, number)
    }

    fn of(lab: &Lab, guest: Guest, name: &str, number: u8) -> anyhow::Result<Self> {
        fs::create_dir_all(guest.folder().join(FAILPOINTS))?;
        let program = lab.programs.join("sanfleet-agent");
        let agent = format!("env SANFLEET_FAILPOINTS=/lab/{FAILPOINTS} {}", program.display());
        Ok(Self { guest, name: name.to_owned(), number, program, agent })
    }

    /// It loses its power, and boots again. What its agent has written down is still there.
    pub fn restart(&mut self, lab: &Lab) -> anyhow::Result<()> {
        self.guest.kill();
        self.guest = Guest::boot(lab, &self.name, self.number)?;
        Ok(())
    }

    /// It gets [`DISKS_AT_ONCE`] simulated disks (`scsi_debug`), some times over.
    pub fn add_disks(&mut self, times: u32) -> anyhow::Result<()> {
        let units = DISKS_AT_ONCE / TARGETS;
        let add = format!(
            "set -e
            # The kernel has several lines to say of each.
            echo 1 >/proc/sys/kernel/printk
            modprobe scsi_debug add_host=0 delay=0 num_tgts={TARGETS} max_luns={units} dev_size_mb=8
            are=$(ls /sys/class/scsi_disk | wc -l)
            echo {times} >/sys/bus/pseudo/drivers/scsi_debug/add_host
            until [ $(ls /sys/class/scsi_disk | wc -l) -ge $((are + {times} * {DISKS_AT_ONCE})) ]; do :; done"
        );
        self.guest.run(&add).map(drop)
    }

    /// Where its agent can be held.
    pub fn failpoints(&self) -> PathBuf {
        self.guest.folder().join(FAILPOINTS)
    }

    /// Waits until it has booted, and lets its agent log in as this user.
    pub fn begin(&mut self, user: &str, password: &str) -> anyhow::Result<()> {
        let folder = self.guest.folder();
        let chap = format!("chap = {{ user = \"{user}\", password_file = \"/lab/password\" }}\n");
        let pinned = format!("controller_key = \"{}\"", CommandKey::from_bytes(&KEY).public());
        let config = self.config(&pinned, &["nats://127.0.0.1:4222".to_owned()], &chap);
        fs::write(folder.join("agent.toml"), config)?;
        fs::write(folder.join("password"), password)?;
        fs::set_permissions(folder.join("password"), fs::Permissions::from_mode(0o600))?;
        self.guest.await_boot()?;
        self.guest.run(BEGIN).map(drop)
    }

    /// Waits until it has booted, and starts its agent as a member of this fleet.
    pub fn join(&mut self, control: &Control) -> anyhow::Result<()> {
        self.join_as(control, BEGIN, "")
    }

    /// The same with multipathd, and udevd, from which it learns of paths.
    pub fn join_with_multipath(&mut self, control: &Control) -> anyhow::Result<()> {
        self.join_as(control, &format!("{BEGIN_MULTIPATH}{BEGIN}"), "multipath = true\n")
    }

    /// The same with leave to hold a MariaDB still whose data are mounted there.
    pub fn join_with_database(&mut self, control: &Control, data: &str) -> anyhow::Result<()> {
        let file = self.guest.folder().join("database.password");
        fs::write(&file, PASSWORD)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
        let database = format!(
            "[[database]]\nmount_point = \"{data}\"\nsocket = \"{SOCKET}\"\nuser = \"{USER}\"\n\
             password_file = \"/lab/database.password\"\n"
        );
        self.join_as(control, BEGIN, &database)
    }

    /// `/lab` in the guest.
    pub fn folder(&self) -> &Path {
        self.guest.folder()
    }

    /// `more`: what the agent's configuration has below `[fabric.iscsi]`, and further sections.
    fn join_as(&mut self, control: &Control, begin: &str, more: &str) -> anyhow::Result<()> {
        if let Some(credentials) = control.nats.credentials(&self.name, Role::Host)? {
            let own = self.guest.folder().join("host.creds");
            fs::copy(credentials, &own)?;
            chown(&own, Some(NOBODY.1), None)?;
        }
        if let Some(authority) = control.nats.authority() {
            fs::copy(authority, self.guest.folder().join("ca.pem"))?;
        }
        let config = self.config(&control.pinned()?, &control.nats.urls(), more);
        fs::write(self.guest.folder().join("agent.toml"), config)?;
        self.guest.await_boot()?;
        self.guest.run(begin)?;
        let start = format!(
            ": >{PROGRAM}
            mount --bind {} {PROGRAM}
            setsid {} helper --config /lab/agent.toml >/lab/helper.log 2>&1 </dev/null &
            echo $! >/run/helper
            setsid setpriv --reuid={user} --regid={user} --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all -- \
            {PROGRAM} run --config /lab/agent.toml >/lab/agent.log 2>&1 </dev/null &
            echo $! >/run/agent",
            self.program.display(),
            self.agent,
            user = NOBODY.1,
        );
        self.guest.run(&start).map(drop)
    }

    fn config(&self, pinned: &str, urls: &[String], more: &str) -> String {
        let name = &self.name;
        format!(
            "host = \"{name}\"\nstate_dir = \"/lab/agent\"\n{pinned}\n\
             [helper]\nuser = \"{}\"\n[policy]\nformat = true\n\
             [nats]\nurl = {urls:?}\ncredentials = \"/lab/host.creds\"\nca = \"/lab/ca.pem\"\n\
             [fabric.iscsi]\n{more}",
            NOBODY.0
        )
    }

    /// Attaches a volume by hand and gives its device.
    pub fn rescan(&mut self, shown: &Shown) -> anyhow::Result<String> {
        let paths: String = shown.paths.iter().map(|path| format!(" --path {path}")).collect();
        let device = self.agent(&format!("rescan --config /lab/agent.toml{paths} {}", shown.id))?;
        Ok(device.trim().to_owned())
    }

    pub fn detach(&mut self, shown: &Shown) -> anyhow::Result<()> {
        self.agent(&format!("detach --config /lab/agent.toml {}", shown.id)).map(drop)
    }

    /// The same, and nobody waits for it.
    pub fn begin_detach(&mut self, shown: &Shown) -> anyhow::Result<()> {
        self.agent(&format!(
            "detach --config /lab/agent.toml {} >/dev/null 2>&1 &\necho $! >/run/detaching",
            shown.id
        ))
        .map(drop)
    }

    /// It is killed where it is.
    pub fn kill_detach(&mut self) -> anyhow::Result<()> {
        self.guest.run("kill -KILL $(cat /run/detaching)").map(drop)
    }

    /// The command that prints what the agent reports.
    pub fn checking(&self) -> String {
        format!("{} {CHECK}", self.agent)
    }

    /// What the agent reports, as JSON.
    pub fn check(&mut self) -> anyhow::Result<String> {
        self.agent(CHECK)
    }

    /// The same as soon as it has been printed: a process that has a thread in a disk that does not answer does not end.
    pub fn check_without_end(&mut self) -> anyhow::Result<String> {
        self.agent(&format!(
            "{CHECK} >/run/check 2>&1 &\nuntil grep -q '^}}' /run/check; do :; done\ncat /run/check"
        ))
    }

    /// Its agent does nothing until it is let go on.
    pub fn hold_agent(&mut self) -> anyhow::Result<()> {
        self.guest.run("kill -STOP $(cat /run/agent /run/helper)").map(drop)
    }

    pub fn let_agent_go_on(&mut self) -> anyhow::Result<()> {
        self.guest.run("kill -CONT $(cat /run/agent /run/helper)").map(drop)
    }

    /// Resident memory of its agent, in KiB.
    pub fn agent_memory_kib(&mut self) -> anyhow::Result<u64> {
        let told = self.guest.run(
            "cat /proc/$(cat /run/agent)/status /proc/$(cat /run/helper)/status |
             awk '/^VmRSS/ { kib += $2 } END { print kib }'",
        )?;
        Ok(told.trim().parse()?)
    }

    fn agent(&mut self, words: &str) -> anyhow::Result<String> {
        self.guest.run(&format!("{} {words}", self.agent))
    }

    /// Plays those of the agent's own tests that no machine without device mapper can, without an agent, and gives what they said.
    pub fn run_kernel_tests(&mut self, lab: &Lab, which: &str) -> anyhow::Result<String> {
        self.guest.await_boot()?;
        let tests = lab.kernel_tests.display();
        self.guest.run(&format!("{BEGIN_STORAGE}{tests} --ignored --test-threads 1 {which}"))
    }

    /// Carries out a shell script and gives what it printed.
    pub fn run(&mut self, script: &str) -> anyhow::Result<String> {
        self.guest.run(script)
    }

    /// The paths of the volumes that come in over several, as multipathd has them: `sda active`, `sdb failed`.
    pub fn paths(&mut self) -> anyhow::Result<Vec<String>> {
        let told = self.guest.run("multipathd show paths raw format '%d %t'")?;
        Ok(told.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect())
    }

    /// The disks that the kernel has over iSCSI, the maps of them, and its sessions.
    pub fn left(&mut self) -> anyhow::Result<Vec<String>> {
        let found =
            self.guest.run("ls /sys/block | grep -e ^sd -e ^dm; ls /sys/class/iscsi_session; true")?;
        Ok(found.lines().map(str::to_owned).collect())
    }
}
