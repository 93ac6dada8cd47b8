//! The agent's side of one guard process: it starts it, speaks to it, and thaws when it is lost.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use sanfleet_protocol::{MountPoint, RunId};

use super::{
    GRACE, Order, QuiesceError,
    expedite::Switch,
    freeze,
    held::Held,
    hold::{End, Guard, Guards, OnEnd},
    hook,
    word::{Answer, By, Directory, Place, Prepare, Word},
};
use crate::{
    config::Hook,
    host::{HostError, linux::act},
};

/// No answer of the guard is longer.
const MAX_ANSWERS_BYTES: u64 = 64 * 1024;
/// How often one looks whether a guard that nobody speaks to any more has gone.
const LOOK: Duration = Duration::from_millis(20);

/// Guards that are processes.
#[derive(Debug)]
pub struct Processes {
    /// This executable: it is started again as the guard.
    pub program: PathBuf,
}

impl Guards for Processes {
    fn start(&self, order: &Order, on_end: OnEnd) -> Result<Arc<dyn Guard>, QuiesceError> {
        let left = Left::open(order.run, &order.held)?;
        Ok(Keeper::start(&self.program, left, on_end).map_err(QuiesceError::Start)?)
    }

    fn thaw(&self, held: &Held) -> Result<(), HostError> {
        let each = held.places().rev().map(|at| thaw(at, act::open_directory(at)?));
        let done: Vec<Result<(), HostError>> = each.collect();
        done.into_iter().collect()
    }

    fn end_hook(&self, run: RunId, held: &Held) -> String {
        let Some(hook) = &held.hook else { return String::new() };
        // A guard may still be at it: it has lost its agent, and not its own life.
        wait_for_guard(held, hook.timeout() + GRACE);
        end_hook(run, hook)
    }
}

fn thaw(at: &MountPoint, directory: impl AsFd) -> Result<(), HostError> {
    freeze::thaw(directory).map_err(|error| HostError::os(format!("thaw {at}"), error))
}

fn end_hook(run: RunId, hook: &Hook) -> String {
    hook::end(hook, run).err().map(|failure| failure.message).unwrap_or_default()
}

/// A guard has what it holds locked as long as it lives.
fn wait_for_guard(held: &Held, within: Duration) {
    let give_up = Instant::now() + within;
    let is_locked = |at| {
        let Ok(directory) = act::open_directory(at) else { return false };
        flock(directory, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK)
    };
    while held.places().any(is_locked) && Instant::now() < give_up {
        thread::sleep(LOOK);
    }
}

/// What a guard leaves held when it is lost. Opened beforehand, because a frozen file system is no place to begin to look for it.
#[derive(Debug)]
struct Left {
    run: RunId,
    /// In the order in which they are frozen.
    directories: Vec<(MountPoint, OwnedFd)>,
    hook: Option<Hook>,
}

impl Left {
    fn open(run: RunId, held: &Held) -> Result<Self, HostError> {
        let open = |at: &MountPoint| Ok((at.clone(), act::open_directory(at)?));
        let directories = held.places().map(open).collect::<Result<_, HostError>>()?;
        Ok(Self { run, directories, hook: held.hook.clone() })
    }

    /// Thaws all of it, though one fails, and then ends the hook. Returns why the application may not go on as before.
    fn let_go(&self) -> String {
        for (at, directory) in self.directories.iter().rev() {
            if let Err(error) = thaw(at, directory) {
                tracing::error!(%error, "the guard of a quiesce was lost, and its file system cannot be thawed");
            }
        }
        self.hook.as_ref().map(|hook| end_hook(self.run, hook)).unwrap_or_default()
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
    /// Starts the guard. What it may leave held is let go of by us when it is lost.
    fn start(program: &Path, left: Left, on_end: OnEnd) -> io::Result<Arc<Self>> {
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
            on_end(watched.watch(stdout, &left, &expedite));
            drop(left);
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
    fn watch(&self, stdout: ChildStdout, left: &Left, expedite: &Switch) -> End {
        for line in BufReader::new(stdout.take(MAX_ANSWERS_BYTES)).lines().map_while(Result::ok) {
            let Ok(answer) = serde_json::from_str::<Answer>(&line) else { break };
            let is_last = refusal(&answer).is_some();
            locked(&self.heard).answers.push(answer);
            self.news.notify_all();
            if is_last {
                break;
            }
        }
        let end = self.end(left, expedite);
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

    fn end(&self, left: &Left, expedite: &Switch) -> End {
        let heard = locked(&self.heard);
        let held = heard.answers.iter().any(|answer| matches!(answer, Answer::Held { .. }));
        let lost = |held, blocked_us, trouble| End { by: By::Loss, held, blocked_us, trouble };
        match heard.answers.last() {
            Some(Answer::Released { by, held, blocked_us, trouble }) => {
                End { by: *by, held: *held, blocked_us: *blocked_us, trouble: trouble.clone() }
            }
            Some(Answer::Failed(_)) => lost(false, 0, String::new()),
            _ => {
                let Some(told) = heard.told else { return lost(held, 0, String::new()) };
                drop(heard);
                // What the guard may have turned on and could not turn off again.
                drop(expedite.turn_on());
                let trouble = left.let_go();
                let blocked_us = u64::try_from(told.elapsed().as_micros()).unwrap_or(u64::MAX);
                lost(held, blocked_us, trouble)
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
    let look = |at: &MountPoint| {
        let directory = Directory::of(act::open_directory(at)?)
            .map_err(|error| HostError::os(format!("look at {at}"), error))?;
        Ok(Place { mount_point: at.clone(), directory })
    };
    Ok(Prepare {
        run: order.run,
        places: order.held.places().map(look).collect::<Result<_, HostError>>()?,
        how: order.how.clone(),
        dead_man_ms: u64::try_from(order.dead_man.as_millis()).unwrap_or(u64::MAX),
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
