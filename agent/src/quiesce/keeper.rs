//! The agent's side of one guard process: it starts it, speaks to it, and thaws when it is lost.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use sanfleet_protocol::MountPoint;

use super::{
    Order, QuiesceError,
    expedite::Switch,
    freeze,
    hold::{End, Guard, Guards, OnEnd},
    word::{Answer, By, Directory, Prepare, Word},
};
use crate::host::{HostError, linux::act};

/// No answer of the guard is longer.
const MAX_ANSWERS_BYTES: u64 = 64 * 1024;

/// Guards that are processes.
#[derive(Debug)]
pub struct Processes {
    /// This executable: it is started again as the guard.
    pub program: PathBuf,
}

impl Guards for Processes {
    fn start(&self, order: &Order, on_end: OnEnd) -> Result<Arc<dyn Guard>, QuiesceError> {
        // Opened now, because a frozen file system is no place to begin to look for it.
        let directory = act::open_directory(&order.mount_point)?;
        Ok(Keeper::start(&self.program, directory, on_end).map_err(QuiesceError::Start)?)
    }

    fn thaw(&self, at: &MountPoint) -> Result<(), HostError> {
        let directory = act::open_directory(at)?;
        freeze::thaw(directory).map_err(|error| HostError::os(format!("thaw {at}"), error))
    }
}

#[derive(Debug)]
pub struct Keeper {
    stdin: Mutex<Option<ChildStdin>>,
    child: Mutex<Child>,
    process_id: u32,
    heard: Mutex<Heard>,
    news: Condvar,
}

/// What the guard has said so far.
#[derive(Debug, Default)]
struct Heard {
    answers: Vec<Answer>,
    /// When it was told to hold: from then on the file system may be frozen.
    told: Option<Instant>,
    /// Nothing is held any more.
    ended: bool,
}

impl Keeper {
    /// Starts the guard. `directory` is the mount point, opened by us: it thaws when the guard is lost.
    fn start(program: &Path, directory: OwnedFd, on_end: OnEnd) -> io::Result<Arc<Self>> {
        let mut child = Command::new(program)
            .arg("quiesce-guard")
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdin = child.stdin.take();
        let Some(stdout) = child.stdout.take() else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let keeper = Arc::new(Self {
            stdin: Mutex::new(stdin),
            process_id: child.id(),
            child: Mutex::new(child),
            heard: Mutex::default(),
            news: Condvar::new(),
        });
        let watched = Arc::clone(&keeper);
        let expedite = Switch::open();
        // If the thread cannot be started, dropping the keeper closes the pipe, and the guard goes.
        thread::Builder::new().name("quiesce".to_owned()).spawn(move || {
            on_end(watched.watch(stdout, &directory, &expedite));
            drop(directory);
            watched.reap();
        })?;
        Ok(keeper)
    }

    fn say(&self, word: &impl serde::Serialize) -> Result<(), QuiesceError> {
        let mut line = serde_json::to_vec(word).map_err(|_| QuiesceError::Lost)?;
        line.push(b'\n');
        let mut stdin = locked(&self.stdin);
        let pipe = stdin.as_mut().ok_or(QuiesceError::Lost)?;
        pipe.write_all(&line).map_err(|_| QuiesceError::Lost)
    }

    fn hear<T>(&self, within: Duration, wanted: impl Fn(&Answer) -> Option<T>) -> Result<T, QuiesceError> {
        let give_up = Instant::now() + within;
        let mut heard = locked(&self.heard);
        loop {
            if let Some(found) = heard.answers.iter().find_map(&wanted) {
                return Ok(found);
            }
            if let Some(error) = heard.answers.iter().find_map(refusal) {
                return Err(error);
            }
            let left = give_up.saturating_duration_since(Instant::now());
            match (heard.ended, left.is_zero()) {
                (true, _) => return Err(QuiesceError::Lost),
                (false, true) => return Err(QuiesceError::Silent { after: within }),
                (false, false) => {}
            }
            heard = self.news.wait_timeout(heard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Listens until the guard has let go or is lost, and makes sure that then nothing is held.
    fn watch(&self, stdout: ChildStdout, directory: &OwnedFd, expedite: &Switch) -> End {
        for line in BufReader::new(stdout.take(MAX_ANSWERS_BYTES)).lines().map_while(Result::ok) {
            let Ok(answer) = serde_json::from_str::<Answer>(&line) else { break };
            let is_last = refusal(&answer).is_some();
            locked(&self.heard).answers.push(answer);
            self.news.notify_all();
            if is_last {
                break;
            }
        }
        let end = self.end(directory, expedite);
        locked(&self.heard).ended = true;
        self.news.notify_all();
        end
    }

    /// Sees the process off. One that did not take its leave is made to go.
    fn reap(&self) {
        self.abandon();
        let took_leave = locked(&self.heard).answers.last().is_some_and(|last| refusal(last).is_some());
        let mut child = locked(&self.child);
        if !took_leave {
            let _ = child.kill();
        }
        let _ = child.wait();
    }

    fn end(&self, directory: &OwnedFd, expedite: &Switch) -> End {
        let heard = locked(&self.heard);
        let held = heard.answers.iter().any(|answer| matches!(answer, Answer::Held { .. }));
        match heard.answers.last() {
            Some(Answer::Released { by, held, blocked_us }) => {
                End { by: *by, held: *held, blocked_us: *blocked_us }
            }
            Some(Answer::Failed(_)) => End { by: By::Loss, held: false, blocked_us: 0 },
            _ => {
                let Some(told) = heard.told else { return End { by: By::Loss, held, blocked_us: 0 } };
                if let Err(error) = freeze::thaw(directory) {
                    tracing::error!(%error, "the guard of a quiesce was lost, and its file system cannot be thawed");
                }
                // What the guard may have turned on and could not turn off again.
                drop(expedite.turn_on());
                let blocked_us = u64::try_from(told.elapsed().as_micros()).unwrap_or(u64::MAX);
                End { by: By::Loss, held, blocked_us }
            }
        }
    }
}

impl Guard for Keeper {
    fn prepare(&self, order: &Order, within: Duration) -> Result<String, QuiesceError> {
        self.say(&letter(order)?)?;
        self.hear(within, |answer| match answer {
            Answer::Prepared { application } => Some(application.clone()),
            _ => None,
        })
    }

    fn hold(&self, within: Duration) -> Result<u64, QuiesceError> {
        locked(&self.heard).told = Some(Instant::now());
        self.say(&Word::Hold)?;
        self.hear(within, |answer| match answer {
            Answer::Held { quiesce_us } => Some(*quiesce_us),
            _ => None,
        })
    }

    fn release(&self) {
        // A guard that does not hear it any more is gone.
        let _ = self.say(&Word::Release);
    }

    /// Closes the pipe.
    fn abandon(&self) {
        locked(&self.stdin).take();
    }

    fn kill(&self) {
        self.abandon();
        // When the lock is taken, it is being reaped already.
        if let Ok(mut child) = self.child.try_lock() {
            let _ = child.kill();
        }
    }

    fn process_id(&self) -> Option<u32> {
        Some(self.process_id)
    }
}

fn letter(order: &Order) -> Result<Prepare, QuiesceError> {
    let directory = Directory::of(act::open_directory(&order.mount_point)?)
        .map_err(|error| HostError::os(format!("look at {}", order.mount_point), error))?;
    Ok(Prepare {
        mount_point: order.mount_point.to_string(),
        directory,
        method: order.method,
        dead_man_ms: u64::try_from(order.dead_man.as_millis()).unwrap_or(u64::MAX),
        database: order.database.clone(),
    })
}

/// An answer after which no other comes.
fn refusal(answer: &Answer) -> Option<QuiesceError> {
    match answer {
        Answer::Failed(failure) => Some(QuiesceError::Guard(failure.clone())),
        Answer::Released { by, .. } => Some(QuiesceError::LetGo {
            by: match by {
                By::Command => "by a resume",
                By::DeadMan => "by its limit",
                By::Loss => "because the agent stops",
            },
        }),
        Answer::Prepared { .. } | Answer::Held { .. } => None,
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
