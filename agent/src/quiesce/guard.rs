//! The process that holds a quiesce: `sanfleet-agent quiesce-guard`, started by the agent, spoken to over its pipes.
//!
//! It lets go at the word `release`, when its pipe ends (the agent died), when it is told to terminate, and when its limit is
//! over, whichever is first. While it holds it writes to no file and logs nothing, and its memory is locked, because it must
//! not wait for the file system that it has frozen.

use std::{
    os::fd::{AsFd, OwnedFd},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, flock},
    mm::MlockAllFlags,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::unix::pipe,
    signal::unix::{Signal, SignalKind, signal},
    task::JoinHandle,
};

use super::{
    expedite::Switch,
    freeze::{self, Freezing},
    mysql::Session,
    postgresql,
    word::{Answer, By, Directory, Failure, FailureKind, Method, Prepare, Word},
};
use crate::host::linux::act;

/// How long it stays prepared before it gives up: an agent that hangs must not keep DDL blocked.
const HOLD_WITHIN: Duration = Duration::from_secs(60);
/// The thread that freezes must be there when it is needed.
const KEEP_THREADS: Duration = Duration::from_secs(24 * 60 * 60);

/// Runs until nothing is held any more. Everything it has to say it says on its pipe.
pub fn run() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .thread_keep_alive(KEEP_THREADS)
        .build();
    let Ok(runtime) = runtime else { return ExitCode::FAILURE };
    match runtime.block_on(serve()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

async fn serve() -> std::io::Result<()> {
    let mut agent = Agent::connect()?;
    let Some(first) = agent.first_line().await else { return Ok(()) };
    let prepare: Prepare = serde_json::from_str(&first)?;
    let prepared = tokio::select! {
        prepared = Hold::prepare(prepare) => prepared,
        _ = agent.word() => return Ok(()),
    };
    let mut hold = match prepared {
        Ok(hold) => hold,
        Err(failure) => return agent.say(&Answer::Failed(failure)).await,
    };
    agent.say(&Answer::Prepared { application: hold.application.clone() }).await?;
    let word = tokio::time::timeout(HOLD_WITHIN, agent.word()).await;
    if !matches!(word, Ok(Heard::Hold)) {
        hold.let_go().await;
        return agent.say(&Answer::Released { by: word_by(word.ok()), held: false, blocked_us: 0 }).await;
    }
    guard(&mut hold, &mut agent).await
}

/// From the first statement that blocks anyone to the last that lets them go on.
async fn guard(hold: &mut Hold, agent: &mut Agent) -> std::io::Result<()> {
    let since = Instant::now();
    let limit = tokio::time::sleep(hold.limit);
    tokio::pin!(limit);
    let blocking = tokio::select! {
        done = hold.block() => Ok(done),
        heard = agent.word() => Err(word_by(Some(heard))),
        () = &mut limit => Err(By::DeadMan),
    };
    let (by, held) = match blocking {
        Ok(Ok(())) => {
            // An agent that is gone does not hear it; the next word, the end of the pipe, says so.
            let _ = agent.say(&Answer::Held { quiesce_us: micros(since) }).await;
            let by = tokio::select! {
                heard = agent.word() => word_by(Some(heard)),
                () = &mut limit => By::DeadMan,
            };
            (by, true)
        }
        Ok(Err(failure)) => {
            hold.let_go().await;
            return agent.say(&Answer::Failed(failure)).await;
        }
        Err(by) => (by, false),
    };
    hold.let_go().await;
    agent.say(&Answer::Released { by, held, blocked_us: micros(since) }).await
}

fn word_by(heard: Option<Heard>) -> By {
    match heard {
        Some(Heard::Release) => By::Command,
        Some(Heard::Hold | Heard::Nothing) => By::Loss,
        None => By::DeadMan,
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// The pipes to the agent.
struct Agent {
    lines: Lines<BufReader<pipe::Receiver>>,
    answers: pipe::Sender,
    terminate: Signal,
}

enum Heard {
    Hold,
    Release,
    /// The end of the pipe, a signal to go, or nonsense.
    Nothing,
}

impl Agent {
    fn connect() -> std::io::Result<Self> {
        let input = std::io::stdin().as_fd().try_clone_to_owned()?;
        let output = std::io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Self {
            lines: BufReader::new(pipe::Receiver::from_owned_fd(input)?).lines(),
            answers: pipe::Sender::from_owned_fd(output)?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn first_line(&mut self) -> Option<String> {
        self.lines.next_line().await.ok().flatten()
    }

    async fn word(&mut self) -> Heard {
        let line = tokio::select! {
            line = self.lines.next_line() => line.ok().flatten(),
            _ = self.terminate.recv() => None,
        };
        match line.and_then(|line| serde_json::from_str(&line).ok()) {
            Some(Word::Hold) => Heard::Hold,
            Some(Word::Release) => Heard::Release,
            None => Heard::Nothing,
        }
    }

    async fn say(&mut self, answer: &Answer) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(answer)?;
        line.push(b'\n');
        self.answers.write_all(&line).await
    }
}

/// What is held, and how to let go of it.
struct Hold {
    mount_point: String,
    directory: Arc<OwnedFd>,
    method: Method,
    limit: Duration,
    session: Option<Session>,
    /// The database that answered; empty when none is asked.
    application: String,
    expedite: Arc<Switch>,
    /// A freeze that is under way: the kernel waits for writers.
    freezing: Option<JoinHandle<Result<(), Freezing>>>,
    /// Frozen by somebody else: theirs to thaw.
    foreign: bool,
}

impl Hold {
    /// Everything that can be done before anyone is blocked.
    async fn prepare(prepare: Prepare) -> Result<Self, Failure> {
        let Prepare { mount_point, directory: expected, method, dead_man_ms, database } = prepare;
        let invalid = |why: String| Failure::new(FailureKind::Invalid, why);
        let at = mount_point.parse().map_err(|e: sanfleet_protocol::id::IdError| invalid(e.to_string()))?;
        let directory = Arc::new(act::open_directory(&at).map_err(|e| invalid(e.to_string()))?);
        let found = Directory::of(&directory).map_err(|e| Failure::system("look at the mount point", e))?;
        if found != expected {
            return Err(invalid(format!("{mount_point} is not what it was when the agent looked at it")));
        }
        // Of two guards the older one may not have let go yet: its thaw must not end our freeze.
        flock(&directory, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            Failure::new(FailureKind::Busy, format!("{mount_point} is being held still by another process"))
        })?;
        let limit = Duration::from_millis(dead_man_ms);
        let (session, application) = match (method, database) {
            (Method::Mysql, Some(database)) => {
                let session = Session::prepare(database, found.device, limit).await?;
                let application = session.server().to_string();
                (Some(session), application)
            }
            (Method::Postgresql, Some(database)) => {
                (None, postgresql::checkpoint(&database, found.device).await?)
            }
            (Method::Mysql | Method::Postgresql, None) => {
                return Err(invalid(format!("no database is configured for {mount_point}")));
            }
            (Method::None | Method::Freeze, _) => (None, String::new()),
        };
        let expedite = Arc::new(Switch::open());
        let hold = Self {
            mount_point,
            directory,
            method,
            limit,
            session,
            application,
            expedite,
            freezing: None,
            foreign: false,
        };
        hold.write_back().await?;
        rustix::mm::mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE)
            .map_err(|e| Failure::system("lock the guard's memory", e))?;
        // Everybody waits for this process; on a busy machine it shall not wait for everybody. Fine if it may not ask for that.
        let _ = rustix::process::setpriority_process(None, -20);
        // If memory runs out, this is the last process that may be killed. Not being allowed to ask for it is no reason to stop.
        let _ = std::fs::write("/proc/self/oom_score_adj", "-1000");
        Ok(hold)
    }

    /// What is written back now need not be written while everybody waits. It also starts the thread that freezes.
    async fn write_back(&self) -> Result<(), Failure> {
        let directory = Arc::clone(&self.directory);
        let written = tokio::task::spawn_blocking(move || rustix::fs::syncfs(&*directory)).await;
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Failure::system(&format!("write back {}", self.mount_point), error)),
            Err(_) => Err(Failure::new(FailureKind::System, "the thread that writes back was lost")),
        }
    }

    /// May be dropped half-way; [`Self::let_go`] then finds what was begun.
    async fn block(&mut self) -> Result<(), Failure> {
        if let Some(session) = &mut self.session {
            session.block().await?;
        }
        if self.method == Method::None {
            return Ok(());
        }
        let directory = Arc::clone(&self.directory);
        let expedite = Arc::clone(&self.expedite);
        let freezing = self.freezing.insert(tokio::task::spawn_blocking(move || {
            let _hurried = expedite.turn_on();
            freeze::freeze(&*directory)
        }));
        let frozen = freezing.await;
        self.freezing = None;
        match frozen {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refused)) => {
                self.foreign = refused == Freezing::Foreign;
                Err(refused.failure(&self.mount_point))
            }
            Err(_) => Err(Failure::new(FailureKind::System, "the thread that freezes was lost")),
        }
    }

    /// Always both: thaw, then unlock. Fine when nothing is held.
    async fn let_go(&mut self) {
        if let Some(freezing) = self.freezing.take() {
            // The kernel still waits to freeze. The database need not wait for that; the thaw has to.
            if let Some(session) = &mut self.session {
                session.unblock().await;
            }
            if let Ok(Err(Freezing::Foreign)) = freezing.await {
                self.foreign = true;
            }
        }
        if self.method != Method::None && !self.foreign {
            // Tried again, because nothing worse can happen than that it stays frozen.
            for _ in 0..3 {
                if freeze::thaw(&*self.directory).is_ok() {
                    break;
                }
            }
        }
        if let Some(session) = &mut self.session {
            session.unblock().await;
        }
        // The next quiesce need not wait until this process is gone.
        let _ = flock(&*self.directory, FlockOperation::Unlock);
    }
}
