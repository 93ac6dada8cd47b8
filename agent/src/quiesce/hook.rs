//! Running a hook's programs: no shell, a process group of its own, an environment that is written down, a limit.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    process::{ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use sanfleet_protocol::{RunId, limits};
use tokio::{
    io::AsyncReadExt,
    process::{Child, ChildStderr, Command},
    time::timeout,
};

use super::word::{Failure, FailureKind};
use crate::{
    config::{Argv, Hook},
    passwd::{self, User},
};

/// What tells a hook's processes for which run they were started.
const RUN: &str = "SANFLEET_RUN";
/// Of what a program says on its standard error, so much is kept, the last.
const LAST_WORDS_BYTES: usize = 1024;
/// A program that has ended has said everything; one that it has left behind may hold the pipe open.
const LAST_WORDS_WITHIN: Duration = Duration::from_millis(200);
/// How long a process that was killed may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(1);
/// Pause between two looks whether it is.
const LOOK: Duration = Duration::from_millis(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Before,
    After,
}

impl When {
    fn of(self, hook: &Hook) -> &Argv {
        match self {
            Self::Before => &hook.before,
            Self::After => &hook.after,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// Whether both programs could be run, as far as can be seen without running them.
pub fn check(hook: &Hook) -> Result<(), Failure> {
    user(hook)?;
    for when in [When::Before, When::After] {
        let program = when.of(hook).program();
        let refuse = |why: String| {
            let (what, program) = (title(hook, when), program.display());
            Failure::new(FailureKind::Application, format!("{what}: {program}: {why}"))
        };
        let data = fs::metadata(program).map_err(|error| refuse(error.to_string()))?;
        if !data.is_file() || data.permissions().mode() & 0o111 == 0 {
            return Err(refuse("is no program".to_owned()));
        }
    }
    Ok(())
}

/// Lets the application go on. For a thread that may block, when there is no guard that could do it.
pub fn end(hook: &Hook, run: RunId) -> Result<(), Failure> {
    stop_what_is_left(run);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::system("start a runtime", error))?;
    runtime.block_on(async { Running::start(hook, When::After, run)?.end().await })
}

/// Kills what a guard that was killed had started and could not stop any more, and waits until it is gone. Looks again until nothing is
/// found: what is killed may just have started something.
fn stop_what_is_left(run: RunId) {
    let mark = format!("{RUN}={run}");
    let give_up = Instant::now() + GONE_WITHIN;
    loop {
        let left = started_for(&mark);
        for pid in &left {
            // One that has ended meanwhile needs no signal.
            let _ = kill_process(*pid, Signal::KILL);
        }
        if left.is_empty() || Instant::now() > give_up {
            return;
        }
        thread::sleep(LOOK);
    }
}

/// The processes with this in their environment.
fn started_for(mark: &str) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let marked = entries.filter(|entry| {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    });
    marked.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// A program of a hook under way.
pub struct Running {
    title: String,
    child: Child,
    said: LastWords,
    within: Duration,
}

impl Running {
    pub fn start(hook: &Hook, when: When, run: RunId) -> Result<Self, Failure> {
        let (argv, title) = (when.of(hook), title(hook, when));
        let mut command = Command::new(argv.program());
        command
            .args(argv.arguments())
            .env_clear()
            .env("SANFLEET_HOOK", hook.name.as_str())
            .env("SANFLEET_MOUNT_POINT", hook.mount_point.as_str())
            .env(RUN, run.to_string())
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if let Some(User { id, group }) = user(hook)? {
            command.uid(id).gid(group);
        }
        let started = command.spawn();
        let mut child = started.map_err(|error| {
            let program = argv.program().display();
            Failure::new(FailureKind::Application, format!("{title}: {program} cannot be started: {error}"))
        })?;
        let said = LastWords { pipe: child.stderr.take(), kept: Vec::new() };
        Ok(Self { title, child, said, within: hook.timeout() })
    }

    /// Waits until it has ended, and kills it when its time is up. Dropped half-way, it goes on until [`Self::kill`].
    pub async fn end(&mut self) -> Result<(), Failure> {
        match timeout(self.within, self.ended()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(self.failure(format!("ended with {status}"))),
            Ok(Err(error)) => Err(self.failure(format!("cannot be waited for: {error}"))),
            Err(_) => {
                self.kill().await;
                Err(self.failure(format!("was not done within {} s and was killed", self.within.as_secs())))
            }
        }
    }

    async fn ended(&mut self) -> io::Result<ExitStatus> {
        let status = loop {
            tokio::select! {
                status = self.child.wait() => break status,
                () = self.said.hear() => {}
            }
        };
        let all = async {
            while self.said.pipe.is_some() {
                self.said.hear().await;
            }
        };
        // What it has left behind goes on; that is its business.
        let _ = timeout(LAST_WORDS_WITHIN, all).await;
        status
    }

    /// Ends it with all that is in its process group. Fine when it has ended.
    pub async fn kill(&mut self) {
        self.signal();
        let _ = timeout(GONE_WITHIN, self.child.wait()).await;
    }

    /// The number is its own as long as nobody has waited for it.
    fn signal(&self) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(pid) = pid {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    fn failure(&self, what: String) -> Failure {
        let words = String::from_utf8_lossy(&self.said.kept);
        let said = match words.trim() {
            "" => String::new(),
            words => format!(": {}", limits::legible(words)),
        };
        Failure::new(FailureKind::Application, format!("{} {what}{said}", self.title))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal();
    }
}

fn title(hook: &Hook, when: When) -> String {
    format!("`{}` of hook {}", when.as_str(), hook.name)
}

/// The end of what a program says.
struct LastWords {
    pipe: Option<ChildStderr>,
    kept: Vec<u8>,
}

impl LastWords {
    /// Hears a little more; never returns when there is no more to hear.
    async fn hear(&mut self) {
        let Some(pipe) = &mut self.pipe else { return std::future::pending().await };
        let mut heard = [0; 1024];
        match pipe.read(&mut heard).await {
            Ok(bytes @ 1..) => {
                self.kept.extend(heard.iter().take(bytes));
                let too_many = self.kept.len().saturating_sub(LAST_WORDS_BYTES);
                self.kept.drain(..too_many);
            }
            Ok(0) | Err(_) => self.pipe = None,
        }
    }
}

/// Who runs it, when that is not the agent itself.
fn user(hook: &Hook) -> Result<Option<User>, Failure> {
    let Some(name) = &hook.user else { return Ok(None) };
    let refuse = |why: String| Failure::new(FailureKind::Application, format!("hook {}: {why}", hook.name));
    match passwd::find(name).map_err(|error| refuse(format!("/etc/passwd: {error}")))? {
        Some(user) => Ok(Some(user)),
        None => Err(refuse(format!("there is no user {name:?} in /etc/passwd"))),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn run() -> RunId {
        "0199000000007000800000000000abcd".parse().unwrap()
    }

    /// `before` and `after` are the same script.
    fn hook(script: &str) -> Hook {
        let words = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        let argv = Argv::new(words).unwrap();
        Hook {
            name: "app".parse().unwrap(),
            mount_point: "/srv/app".parse().unwrap(),
            before: argv.clone(),
            after: argv,
            timeout_s: 10,
            user: None,
        }
    }

    async fn outcome(script: &str) -> Result<(), String> {
        let mut running = Running::start(&hook(script), When::Before, run()).unwrap();
        running.end().await.map_err(|failure| failure.message)
    }

    #[tokio::test]
    async fn it_knows_its_hook_its_place_and_its_run_and_nothing_else_of_us() {
        let folder = tempfile::tempdir().unwrap();
        let told = folder.path().join("told");
        outcome(&format!("/usr/bin/env > {0}; cat >> {0}; pwd >> {0}", told.display())).await.unwrap();
        let text = fs::read_to_string(told).unwrap();
        let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("_=")).collect();
        lines.sort_unstable();
        let run = format!("SANFLEET_RUN={}", run());
        // The shell itself says where it is.
        let wanted = ["/", "PWD=/", "SANFLEET_HOOK=app", "SANFLEET_MOUNT_POINT=/srv/app", &run];
        assert_eq!(lines, wanted);
    }

    #[tokio::test]
    async fn one_that_fails_says_why_in_its_last_words() {
        let error =
            outcome("echo first >&2; yes | head -c 100000 >&2; printf 'no \\033[31mspace' >&2; exit 3").await;
        let error = error.unwrap_err();
        assert!(error.starts_with("`before` of hook app ended with exit status: 3: "), "{error}");
        assert!(error.ends_with("no \u{fffd}[31mspace"), "{error}");
        assert!(!error.contains("first") && error.len() < 3_000, "{error}");
    }

    #[tokio::test]
    async fn one_that_takes_too_long_is_killed_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let since = Instant::now();
        let hook = Hook { timeout_s: 1, ..hook(&format!("sleep 1000 & echo $! > {}; wait", pid.display())) };
        let mut running = Running::start(&hook, When::Before, run()).unwrap();
        let error = running.end().await.unwrap_err().message;
        assert!(error.contains("within 1 s"), "{error}");
        assert!(since.elapsed() < Duration::from_secs(10));
        let pid = fs::read_to_string(pid).unwrap();
        while !is_gone(pid.trim()) {
            assert!(since.elapsed() < Duration::from_secs(10), "what it started is still there");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    #[tokio::test]
    async fn one_that_leaves_somebody_behind_is_not_waited_for() {
        let since = Instant::now();
        let run: RunId = "0199000000007000800000000000abcf".parse().unwrap();
        let mut running = Running::start(&hook("sleep 1000 &"), When::Before, run).unwrap();
        running.end().await.unwrap();
        assert!(since.elapsed() < Duration::from_secs(10));
        stop_what_is_left(run);
    }

    #[test]
    fn what_a_lost_guard_had_started_is_stopped_before_it_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let ended = folder.path().join("ended");
        let hook = hook(&format!("echo >> {}", ended.display()));
        let run: RunId = "0199000000007000800000000000abce".parse().unwrap();
        let mut left = std::process::Command::new("/bin/sleep")
            .arg("1000")
            .env_clear()
            .env(RUN, run.to_string())
            .spawn()
            .unwrap();
        // It shows its environment a moment after it was started.
        let since = Instant::now();
        while started_for(&format!("{RUN}={run}")).is_empty() {
            assert!(since.elapsed() < Duration::from_secs(10));
            thread::sleep(LOOK);
        }
        end(&hook, run).unwrap();
        assert!(!left.wait().unwrap().success());
        assert!(ended.exists());
    }

    #[test]
    fn a_program_or_a_user_that_is_not_there_is_told_before_anything_is_run() {
        assert_eq!(check(&hook("true")), Ok(()));
        let missing = Argv::new(vec!["/nowhere/app".into()]).unwrap();
        let error = check(&Hook { after: missing, ..hook("true") }).unwrap_err().message;
        assert!(error.contains("`after` of hook app: /nowhere/app"), "{error}");
        let no_program = Argv::new(vec!["/etc/passwd".into()]).unwrap();
        assert!(check(&Hook { before: no_program, ..hook("true") }).is_err());
        let error = check(&Hook { user: Some("no:body".into()), ..hook("true") }).unwrap_err().message;
        assert!(error.contains("no user"), "{error}");
    }

    /// Gone, or dead and not yet waited for by whoever inherited it.
    fn is_gone(pid: &str) -> bool {
        let state = fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
        state.is_err() || state.is_ok_and(|text| text.contains(") Z "))
    }
}
