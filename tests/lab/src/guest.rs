//! One guest: a kernel in a process of its own, which carries out scripts as its console names them.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Stdio},
    sync::mpsc::{self, Receiver, Sender},
    thread,
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::{BOUND, Lab};

const INIT: &str = include_str!("../guest/init.sh");
/// Unless it is told otherwise, later on its line.
const MEMORY: &str = "mem=512M";
/// How it marks what is for us on its console: `LAB <number of the script> <exit status>`.
const MARK: &str = "LAB ";

#[derive(Debug)]
pub struct Guest {
    name: String,
    /// `/lab` in the guest.
    folder: PathBuf,
    kernel: Child,
    console: ChildStdin,
    ended: Receiver<(u32, i32)>,
    scripts: u32,
}

impl Guest {
    /// Begins to boot it; its last part of the address is `number`.
    pub fn boot(lab: &Lab, name: &str, number: u8) -> anyhow::Result<Self> {
        Self::boot_with(lab, name, number, &[])
    }

    /// The same with further words for the kernel.
    pub fn boot_with(lab: &Lab, name: &str, number: u8, more: &[String]) -> anyhow::Result<Self> {
        let folder = lab.folder.join(name);
        fs::create_dir_all(&folder)?;
        let init = folder.join("init.sh");
        write_program(&init, INIT)?;
        let socket = format!("guest{number}");
        lab.network.plug(&socket)?;
        let program = lab.layer.join("usr/bin/linux.uml");
        // It ends when we do, however we end, with all of its processes: the first of a namespace takes the others along.
        let mut command = lab.network.command("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--", "unshare", "--pid", "--fork", "--kill-child", "--"])
            .arg(&program)
            .args([
                MEMORY,
                "rootfstype=hostfs",
                "rootflags=/",
                "ro",
                "con=null",
                "con0=fd:0,fd:1",
                "noreboot",
                "panic=-1",
            ])
            .arg(format!("init={}", init.display()))
            .arg(format!("umid={name}"))
            .arg(format!("uml_dir={}", lab.folder.join("uml").display()))
            .arg(format!(
                "vec0:transport=tap,ifname={socket},depth=128,gro=1,mac=52:54:00:78:00:{number:02x}"
            ))
            .args(more)
            .arg(format!("lab.name={name}"))
            .arg(format!("lab.folder={}", folder.display()))
            .arg(format!("lab.layer={}", lab.layer.display()))
            .arg(format!("lab.address={}/24", address(number)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(folder.join("kernel.stderr"))?)
            .process_group(0);
        let mut kernel = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let console = kernel.stdin.take().context("the guest has no console")?;
        let said = kernel.stdout.take().context("the guest has no console")?;
        let (tell, ended) = mpsc::channel();
        let log = File::create(folder.join("console.log"))?;
        thread::spawn(move || listen(said, log, &tell));
        Ok(Self { name: name.to_owned(), folder, kernel, console, ended, scripts: 0 })
    }

    /// Waits until it takes scripts.
    pub fn await_boot(&self) -> anyhow::Result<()> {
        self.await_end(0).map(drop)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Carries out a shell script and gives what it printed; one that fails is an error with that.
    pub fn run(&mut self, script: &str) -> anyhow::Result<String> {
        self.scripts += 1;
        let number = self.scripts;
        fs::write(self.folder.join(format!("{number}.sh")), script)?;
        writeln!(self.console, "{number}").with_context(|| format!("guest {} is gone", self.name))?;
        let status = self.await_end(number)?;
        let printed = fs::read(self.folder.join(format!("{number}.out")))?;
        let printed = String::from_utf8_lossy(&printed).into_owned();
        match status {
            0 => Ok(printed),
            _ => bail!("guest {}, status {status} of: {script}\n{printed}", self.name),
        }
    }

    fn await_end(&self, number: u32) -> anyhow::Result<i32> {
        let (of, status) = self
            .ended
            .recv_timeout(BOUND)
            .with_context(|| format!("guest {} does not answer; its console is in its folder", self.name))?;
        anyhow::ensure!(of == number, "guest {} has ended script {of} and not {number}", self.name);
        Ok(status)
    }
}

impl Guest {
    /// As a power cut would.
    pub fn kill(&mut self) {
        // All of its processes: killing the first alone would leave the others.
        if let Some(group) = i32::try_from(self.kernel.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.kernel.wait();
        // Its own processes are not our children. They hold its disk and its socket, and its console, which ends with the last of them.
        while self.ended.recv_timeout(BOUND).is_ok() {}
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The address of a guest on the lab's network.
pub fn address(number: u8) -> String {
    format!("10.78.0.{number}")
}

/// Keeps all that the console says, and tells what is for us.
fn listen(said: impl Read, mut log: File, tell: &Sender<(u32, i32)>) {
    for line in BufReader::new(said).split(b'\n').map_while(Result::ok) {
        let _ = log.write_all(&line).and_then(|()| log.write_all(b"\n"));
        let text = String::from_utf8_lossy(&line);
        let Some((number, status)) = text.trim().strip_prefix(MARK).and_then(|rest| rest.split_once(' '))
        else {
            continue;
        };
        if let (Ok(number), Ok(status)) = (number.parse(), status.parse()) {
            let _ = tell.send((number, status));
        }
    }
}

pub fn write_program(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}
