//! The process that holds a quiesce: `sanfleet-agent quiesce-guard`, started by the agent, spoken to over its pipes.
//!
//! It lets go at the word `release`, when its pipe ends (the agent died), when it is told to terminate, and when its limit is
//! over, whichever is first. While it holds it writes to no file and logs nothing, and its memory is locked, because it must
//! not wait for the file system that it has frozen.

use std::{
    os::fd::AsFd,
    process::ExitCode,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::unix::pipe,
    signal::unix::{Signal, SignalKind, signal},
};

use super::word::{Answer, By, Prepare, Word};

mod holding;

use holding::Holding;

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
        prepared = Holding::prepare(prepare) => prepared,
        _ = agent.word() => return Ok(()),
    };
    let mut holding = match prepared {
        Ok(holding) => holding,
        Err(failure) => return agent.say(&Answer::Failed(failure)).await,
    };
    agent.say(&Answer::Prepared { application: holding.application().to_owned() }).await?;
    let word = tokio::time::timeout(HOLD_WITHIN, agent.word()).await;
    if !matches!(word, Ok(Heard::Hold)) {
        let trouble = holding.let_go().await;
        let by = word_by(word.ok());
        return agent.say(&Answer::Released { by, held: false, blocked_us: 0, trouble }).await;
    }
    guard(&mut holding, &mut agent).await
}

/// From the first statement that blocks anyone to the last that lets them go on.
async fn guard(holding: &mut Holding, agent: &mut Agent) -> std::io::Result<()> {
    let since = Instant::now();
    let limit = tokio::time::sleep(holding.limit());
    tokio::pin!(limit);
    let blocking = tokio::select! {
        done = holding.block() => Ok(done),
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
            let trouble = holding.let_go().await;
            return agent.say(&Answer::Failed(failure.and_then(&trouble))).await;
        }
        Err(by) => (by, false),
    };
    let trouble = holding.let_go().await;
    agent.say(&Answer::Released { by, held, blocked_us: micros(since), trouble }).await
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
