//! Following a run until it ends: level-triggered, so that nothing is missed when the bus goes away for a while.
//!
//! What is shown comes from asking the controller for the run. Events only say that it is worth asking now.

use std::{
    future::Future,
    io::{self, Write as _},
    time::Duration,
};

use futures::{Stream, StreamExt as _};
use sanfleet_protocol::v1::{Run, RunShowRequest};
use tokio::time::{Instant, sleep_until, timeout};

use crate::{
    client::{Client, ClientError, Operation as _},
    failure::Failure,
    output::{self, Cell, Talk, paint},
    progress::{self, Line, Progress},
};

/// How often the run is looked at when no event comes.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The shortest time between two looks, however many events come.
const LOOK_AT_MOST_EVERY: Duration = Duration::from_millis(25);
/// How long one look may take: after that the way to the controller counts as lost, and the next look follows.
const LOOK_WITHIN: Duration = Duration::from_secs(3);

/// Tells on stderr what happens to the run until it ends, and gives the run as it is then.
///
/// # Errors
/// The controller refuses to show it, the operator interrupts, or `limit` is over: the run goes on in each case.
pub async fn to_the_end(
    client: &Client,
    talk: Talk,
    run: String,
    limit: Option<Duration>,
) -> Result<Run, Failure> {
    let watched = watch(client, talk, &run);
    let interrupted = || Failure::Interrupted { run: run.clone() };
    let Some(after) = limit else {
        return unless_interrupted(watched, interrupted).await?;
    };
    match unless_interrupted(timeout(after, watched), interrupted).await? {
        Ok(ended) => ended,
        Err(_) => Err(Failure::StillGoing { run, after }),
    }
}

/// Waits for a result; Ctrl-C ends the waiting, and nothing but the waiting.
pub async fn unless_interrupted<T>(
    work: impl Future<Output = T>,
    interrupted: impl FnOnce() -> Failure,
) -> Result<T, Failure> {
    tokio::select! {
        done = work => Ok(done),
        // Where the signal cannot be listened to, it ends the process as it always does.
        Ok(()) = tokio::signal::ctrl_c() => {
            output::say("");
            Err(interrupted())
        }
    }
}

async fn watch(client: &Client, talk: Talk, id: &str) -> Result<Run, Failure> {
    let mut teller = Teller::new(talk);
    let mut id = id.to_owned();
    let mut hints = Hints::none();
    loop {
        let looked_at = Instant::now();
        match look(client, &id).await {
            Ok(run) => {
                teller.tell(&run);
                if progress::has_ended(&run) {
                    return Ok(run);
                }
                // Only now the whole id is known: the operator may have given the beginning of it.
                hints.listen(client, &run.id).await;
                id.clone_from(&run.id);
            }
            Err(error) if error.is_retryable() || !client.is_connected() => teller.lost(&error),
            Err(error) => return Err(error.into()),
        }
        sleep_until(looked_at + LOOK_AT_MOST_EVERY).await;
        tokio::select! {
            () = hints.next() => {}
            () = sleep_until(looked_at + LOOK_EVERY) => {}
        }
    }
}

async fn look(client: &Client, id: &str) -> Result<Run, ClientError> {
    let reply = client.call_within(RunShowRequest { run: id.to_owned(), parts: false }, LOOK_WITHIN).await?;
    // Without an id it could be asked for no further.
    let run = reply.run.filter(|run| !run.id.is_empty());
    run.ok_or(ClientError::NoRun { operation: RunShowRequest::NAME, starts_work: false })
}

/// Events about the run, as far as they can be had.
struct Hints(Option<Box<dyn Stream<Item = ()> + Unpin>>);

impl Hints {
    fn none() -> Self {
        Self(None)
    }

    /// Subscribes unless that is done. Without events the run is followed all the same, only not as promptly.
    async fn listen(&mut self, client: &Client, run: &str) {
        if self.0.is_none() {
            self.0 = client.run_hints(run).await.ok().map(|hints| Box::new(hints) as _);
        }
    }

    /// Returns when there is a hint, and takes those along that wait behind it.
    async fn next(&mut self) {
        match &mut self.0 {
            Some(hints) => match hints.next().await {
                Some(()) => while futures::FutureExt::now_or_never(hints.next()).flatten().is_some() {},
                None => self.0 = None,
            },
            None => std::future::pending().await,
        }
    }
}

/// Tells the changes on stderr: on a terminal what is under way is overwritten by what came of it.
struct Teller {
    talk: Talk,
    progress: Progress,
    named: bool,
    lost: bool,
    passing: bool,
}

impl Teller {
    fn new(talk: Talk) -> Self {
        Self { talk, progress: Progress::default(), named: false, lost: false, passing: false }
    }

    fn tell(&mut self, run: &Run) {
        if !self.named {
            self.named = true;
            let title = if run.title.is_empty() { &run.procedure } else { &run.title };
            self.line(&format!("run {}  {}", Cell::new(&run.id).text(), Cell::new(title).text()), false);
        }
        if self.lost {
            self.lost = false;
            self.line("the controller answers again", false);
        }
        for line in self.progress.changes(run) {
            self.line(&self.painted(&line), line.passing);
        }
        if progress::has_ended(run) {
            self.clear();
        }
    }

    fn lost(&mut self, error: &ClientError) {
        if !self.lost {
            self.lost = true;
            let why = Cell::new(error.to_string());
            self.line(&format!("{}; the run goes on, and is asked for again and again", why.text()), false);
        }
    }

    fn painted(&self, line: &Line) -> String {
        line.text(|text, tone| paint(text, tone, self.talk.colour))
    }

    fn line(&mut self, text: &str, passing: bool) {
        self.clear();
        self.passing = passing && self.talk.terminal;
        if self.passing {
            let _ = write!(io::stderr().lock(), "{text}");
        } else {
            output::say(text);
        }
    }

    /// Erases the line that was only passing (ECMA-48 §8.3.41: erase in line).
    fn clear(&mut self) {
        if std::mem::take(&mut self.passing) {
            let _ = write!(io::stderr().lock(), "\r\u{1b}[2K");
        }
    }
}
