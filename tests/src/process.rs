//! Processes that we start, with their output in a file, and that end with us.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::Write,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

/// A process of ours. It is killed when this is dropped, and by the kernel should we be killed first.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

/// How to start a process: a program with arguments, maybe inside namespaces of other processes.
#[derive(Debug, Clone)]
pub struct Recipe {
    name: String,
    log: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// The processes whose mounts and whose network it has.
    mounts_of: Option<u32>,
    network_of: Option<u32>,
    user: Option<u32>,
}

impl Recipe {
    /// `folder` gets the log, `<name>.log`, to which a restart appends.
    pub fn new(name: &str, folder: &Path, program: impl AsRef<OsStr>) -> Self {
        let arguments = vec![program.as_ref().to_string_lossy().into_owned()];
        let log = folder.join(format!("{name}.log"));
        let (name, environment) = (name.to_owned(), Vec::new());
        Self { name, log, arguments, environment, mounts_of: None, network_of: None, user: None }
    }

    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|a| a.as_ref().to_string_lossy().into_owned()));
        self
    }

    #[must_use]
    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((key.to_owned(), value.as_ref().to_string_lossy().into_owned()));
        self
    }

    /// Inside the mount namespace of this process.
    #[must_use]
    pub fn inside(mut self, pid: u32) -> Self {
        self.mounts_of = Some(pid);
        self
    }

    /// On the machine of a network of the tests; none is where we are.
    #[must_use]
    pub fn on(mut self, machine: Option<u32>) -> Self {
        self.network_of = machine;
        self
    }

    /// As this user, who has no right that others have not.
    #[must_use]
    pub fn as_user(mut self, user: u32) -> Self {
        self.user = Some(user);
        self
    }

    pub fn start(&self) -> anyhow::Result<Process> {
        let open = || File::options().create(true).append(true).open(&self.log);
        let log = open().with_context(|| format!("cannot write {}", self.log.display()))?;
        // The kernel ends the process when the thread that started it is gone, whatever became of us.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]);
        if self.mounts_of.is_some() || self.network_of.is_some() {
            command.arg("nsenter");
            command.args(self.mounts_of.map(|pid| format!("--mount=/proc/{pid}/ns/mnt")));
            command.args(self.network_of.map(network_of));
            command.arg("--");
        }
        if let Some(user) = self.user {
            // Becoming somebody else undoes the kernel's promise to end it with us; here it is made once more.
            command.args(["setpriv", "--pdeathsig", "KILL", "--clear-groups", "--no-new-privs"]);
            command.args(["--inh-caps=-all", "--bounding-set=-all"]);
            command.args([format!("--reuid={user}"), format!("--regid={user}"), "--".to_owned()]);
        }
        command.args(&self.arguments).envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let child = command.spawn().with_context(|| format!("cannot start {}", self.name))?;
        Ok(Process { name: self.name.clone(), child, log: self.log.clone() })
    }

    /// Runs to the end; what it printed is in the error when it fails.
    pub fn run(&self) -> anyhow::Result<()> {
        let mut process = self.start()?;
        let status = process.child.wait()?;
        anyhow::ensure!(status.success(), "{} ended with {status}:\n{}", self.name, process.log_tail());
        Ok(())
    }
}

impl Process {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn signal(&self, signal: Signal) {
        // One that is gone needs none.
        let _ = send(signal, self.pid());
    }

    /// Asks it to stop and waits; kills it when it does not within the bound.
    pub fn stop(&mut self, within: Duration) -> ExitStatus {
        self.signal(Signal::TERM);
        let end = Instant::now() + within;
        while Instant::now() < end {
            if let Some(status) = self.ended() {
                return status;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        self.kill();
        self.ended().unwrap_or(ExitStatus::from_raw(9))
    }

    pub fn log_tail(&self) -> String {
        tail(&self.log)
    }
}

/// Sends a signal to a process of which only the number is known.
pub fn send(signal: Signal, pid: u32) -> anyhow::Result<()> {
    let pid = Pid::from_raw(i32::try_from(pid)?).context("0 is no process")?;
    Ok(kill_process(pid, signal)?)
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The argument with which nsenter(1) goes where this process has its network.
pub fn network_of(pid: u32) -> String {
    format!("--net=/proc/{pid}/ns/net")
}

/// The last lines of a log file.
pub fn tail(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(40)).copied().collect::<Vec<_>>().join("\n")
}

/// Runs a command to its end and gives what it printed; an error has that too.
pub fn run(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    anyhow::ensure!(
        output.status.success(),
        "{program} {} ended with {}: {text}{}",
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(text)
}

/// Writes a file that only its owner can read.
pub fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}
