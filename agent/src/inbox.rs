//! Commands come in here: signed, checked, carried out at most once, answered.
//!
//! Commands of one run are carried out in order, those of different runs at the same time; a resume waits for nothing. A
//! command that hangs is answered with a timeout, and its thread is left behind and counted. This module refuses whatever
//! [`admit`] refuses, and what it cannot write down first.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sanfleet_protocol::{CommandId, HostId, RunId, VERSION, v1};
use tokio::sync::{Semaphore, watch};

use crate::{
    actions::{Action, ActionError, Errand, Workshop, await_volume},
    clock::{Clock, unix_ms},
    deadline::Deadline,
    ledger::{Record, Verb},
    threads::Threads,
    trust::{Trust, Trusted, Untrusted},
};

pub mod admit;
mod warnings;

use admit::{Admitted, Knowledge, Refusal, Verdict};
use warnings::Warnings;

/// So many may wait for their turn; the controller has no reason to send more.
const MAX_WAITING: usize = 1024;
/// When so many threads hang in system calls, the host is ill, and no more are risked.
const MAX_LEFT_BEHIND: usize = 64;
/// A resume lets go within this, whatever the command's own time says.
const RESUME_WITHIN: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub struct Inbox {
    host: HostId,
    trust: Trust,
    workshop: Arc<Workshop>,
    threads: Threads,
    clock: Clock,
    /// Commands under way, each with a place where its result will be.
    running: Mutex<HashMap<CommandId, watch::Receiver<Option<v1::CommandResult>>>>,
    /// The turn of each run that has commands under way.
    turns: Mutex<HashMap<RunId, Arc<tokio::sync::Mutex<()>>>>,
    at_once: Semaphore,
    waiting: AtomicUsize,
    left_behind: Arc<AtomicUsize>,
    warnings: Warnings,
}

impl Inbox {
    pub fn new(host: HostId, trust: Trust, workshop: Arc<Workshop>, at_once: usize) -> Self {
        Self {
            host,
            trust,
            workshop,
            threads: Threads::default(),
            clock: unix_ms,
            running: Mutex::default(),
            turns: Mutex::default(),
            at_once: Semaphore::new(at_once.max(1)),
            waiting: AtomicUsize::new(0),
            left_behind: Arc::default(),
            warnings: Warnings::default(),
        }
    }

    /// The same for a simulated host, in a simulated fleet that tells the time itself.
    pub fn simulated(self, clock: Clock) -> Self {
        Self { threads: Threads::Shared, clock, ..self }
    }

    /// Threads that hang in system calls whose commands were answered with a timeout.
    pub fn left_behind(&self) -> usize {
        self.left_behind.load(Ordering::Relaxed)
    }

    /// Carries out what one message says, or says why not. Returns when there is a result.
    pub async fn handle(&self, message: &[u8]) -> v1::CommandResult {
        let since = Instant::now();
        let seen = self.workshop.ledger.delegated();
        let Trusted { command, newer } = match self.trust.open(message, seen, (self.clock)()) {
            Ok(trusted) => trusted,
            Err(error) => return self.refuse_unknown(&error),
        };
        if let Some(serial) = newer
            && let Err(error) = self.write(vec![Record::Delegated { serial }]).await
        {
            let outcome = Some(v1::command_result::Outcome::Error(error.to_command_error()));
            return v1::CommandResult { outcome, ..self.empty_result(&command.id) };
        }
        let mut result = self.take(command).await;
        if result.duration_us == 0 {
            result.duration_us = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        }
        result
    }

    fn refuse_unknown(&self, error: &Untrusted) -> v1::CommandResult {
        if let Some(unsaid) = self.warnings.may_say() {
            tracing::warn!(%error, unsaid, "a message that is no command of our controller");
        }
        self.refused("", &Refusal::Untrusted(error.clone()))
    }

    async fn take(&self, command: v1::Command) -> v1::CommandResult {
        let text_id = command.id.clone();
        let admitted = {
            // One lock over looking and joining: two copies of a command must not both begin.
            let mut running = locked(&self.running);
            match admit::admit(&command, &self.knowledge(&command, &running), (self.clock)()) {
                Verdict::Answer(result) => return *result,
                Verdict::Refuse(refusal) => {
                    tracing::warn!(command = %text_id, %refusal, "refused");
                    return self.refused(&text_id, &refusal);
                }
                Verdict::Join(id) => Err(running.get(&id).cloned()),
                Verdict::Begin(admitted) => {
                    let (done, result) = watch::channel(None);
                    running.insert(admitted.intent.command, result);
                    Ok((admitted, done))
                }
            }
        };
        match admitted {
            Ok((admitted, done)) => {
                let id = admitted.intent.command;
                // Whoever waits for it is told even when this future is dropped: then the channel is closed.
                let _gone = Gone { inbox: self, id };
                let result = self.carry_out(*admitted).await;
                done.send_replace(Some(result.clone()));
                result
            }
            Err(Some(mut other)) => match other.wait_for(Option::is_some).await {
                Ok(result) => result.clone().unwrap_or_default(),
                Err(_) => self.refused(&text_id, &Refusal::Lost),
            },
            Err(None) => self.refused(&text_id, &Refusal::Lost),
        }
    }

    fn knowledge(
        &self,
        command: &v1::Command,
        running: &HashMap<CommandId, watch::Receiver<Option<v1::CommandResult>>>,
    ) -> Knowledge {
        let ledger = &self.workshop.ledger;
        let id = command.id.parse::<CommandId>().ok();
        let run = command.run.parse::<RunId>().ok();
        Knowledge {
            host: self.host.clone(),
            fence: run.and_then(|run| ledger.fence(&run)),
            entry: id.and_then(|id| ledger.entry(&id)),
            forgotten_until_unix_ms: ledger.forgotten_until_unix_ms(),
            is_running: id.is_some_and(|id| running.contains_key(&id)),
            is_held: run.is_some_and(|run| self.workshop.quiesces.is_held(&run)),
        }
    }

    async fn carry_out(&self, admitted: Admitted) -> v1::CommandResult {
        let since = Instant::now();
        let (id, verb) = (admitted.intent.command, admitted.intent.verb);
        tracing::info!(command = %id, run = %admitted.intent.run, verb = %verb.as_str(), "begun");
        let done = match self.permit(&admitted) {
            Err(error) => Err(error.to_command_error()),
            Ok(action) if verb == Verb::Resume => self.resume(admitted, action).await,
            Ok(action) => self.in_turn(admitted, action).await,
        };
        let duration_us = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        match &done {
            Ok(_) => tracing::info!(command = %id, verb = %verb.as_str(), duration_us, "done"),
            Err(error) => {
                tracing::warn!(command = %id, verb = %verb.as_str(), duration_us, error = %error.message, "not done");
            }
        }
        let outcome = match done {
            Ok(done) => v1::command_result::Outcome::Done(done),
            Err(error) => v1::command_result::Outcome::Error(error),
        };
        let result =
            v1::CommandResult { duration_us, outcome: Some(outcome), ..self.empty_result(&id.to_string()) };
        // That a quiesce holds is true only for now: it is answered at once, and not written down as a lasting result.
        if verb != Verb::Quiesce || matches!(result.outcome, Some(v1::command_result::Outcome::Error(_))) {
            self.store(id, &result).await;
        }
        result
    }

    /// Parses a command, and asks this host's own policy. Nothing is written down of one that may not be carried out.
    fn permit(&self, admitted: &Admitted) -> Result<Action, ActionError> {
        let action = Action::parse(&admitted.action)?;
        self.workshop.gate.pass(admitted.intent.verb, &action, &self.workshop.ledger, (self.clock)())?;
        Ok(action)
    }

    /// A resume acts first and is written down after: nothing, not even a disk, may keep an application waiting. The end
    /// of the quiesce itself is a record of its own.
    async fn resume(&self, admitted: Admitted, action: Action) -> Result<v1::CommandDone, v1::CommandError> {
        let intent = admitted.intent.clone();
        let done = self.perform(admitted, action, Deadline::after(RESUME_WITHIN)).await;
        self.write(vec![Record::Intent(intent)]).await.map_err(|error| error.to_command_error())?;
        done
    }

    async fn in_turn(&self, admitted: Admitted, action: Action) -> Result<v1::CommandDone, v1::CommandError> {
        let _waiting =
            Waiting::enter(&self.waiting).ok_or_else(|| busy("too many commands wait for their turn"))?;
        let run = admitted.intent.run;
        let turn = Arc::clone(locked(&self.turns).entry(run).or_default());
        let _turn = Turn { inbox: self, run, _held: turn.lock_owned().await };
        let Ok(_place) = self.at_once.acquire().await else { return Err(busy("the agent stops")) };
        if self.left_behind() >= MAX_LEFT_BEHIND {
            return Err(busy("too many earlier commands hang in system calls"));
        }
        // It may have waited for so long that nobody wants it any more.
        let expires = admitted.intent.expires_at_unix_ms;
        let left = u64::try_from(expires.saturating_sub((self.clock)())).unwrap_or(0);
        if left == 0 {
            return Err(self.refusal(&Refusal::Expired { at_unix_ms: expires }));
        }
        self.write(vec![Record::Intent(admitted.intent.clone())])
            .await
            .map_err(|error| error.to_command_error())?;
        let deadline = Deadline::after(Duration::from_millis(left));
        self.perform(admitted, action, deadline).await
    }

    async fn perform(
        &self,
        admitted: Admitted,
        action: Action,
        deadline: Deadline,
    ) -> Result<v1::CommandDone, v1::CommandError> {
        let Admitted { intent, issued_at_unix_ms, .. } = admitted;
        let deadline = deadline.earlier(Deadline::after(action.limit()));
        let errand = Errand { run: intent.run, issued_at_unix_ms, deadline };
        let verb = intent.verb.as_str();
        let done = match action {
            Action::AwaitVolume { within, .. } => self.look_until(action, errand, verb, within).await,
            _ => self.perform_once(action, errand, verb).await,
        };
        done.map_err(|error| error.to_command_error())
    }

    /// Looks again and again; no thread is held up in between.
    async fn look_until(
        &self,
        action: Action,
        errand: Errand,
        verb: &'static str,
        within: Duration,
    ) -> Result<v1::CommandDone, ActionError> {
        let deadline = Deadline::after(within).earlier(errand.deadline);
        let mut pauses = await_volume::pauses();
        loop {
            match self.perform_once(action.clone(), errand, verb).await {
                Err(error) if await_volume::may_pass(&error) && !deadline.has_passed() => {}
                outcome => return outcome,
            }
            tokio::time::sleep(pauses.next().unwrap_or_default().min(deadline.left())).await;
        }
    }

    /// On a thread of its own, which is left behind when it does not come back in time.
    async fn perform_once(
        &self,
        action: Action,
        errand: Errand,
        verb: &'static str,
    ) -> Result<v1::CommandDone, ActionError> {
        let workshop = Arc::clone(&self.workshop);
        let mut thread = self.threads.run(move || {
            sanfleet_failpoint::reach(&format!("agent.{verb}.before"));
            let done = workshop.perform(action, errand);
            sanfleet_failpoint::reach(&format!("agent.{verb}.after"));
            done
        });
        // What ends by itself at its deadline shall have the time to say so.
        let patience = errand.deadline.left() + Duration::from_millis(500);
        match tokio::time::timeout(patience, &mut thread).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => {
                Err(ActionError::Application(format!("{verb} ended in an error of the agent itself")))
            }
            Err(_) => {
                self.leave_behind(thread, verb);
                Err(ActionError::Timeout { what: verb.to_owned() })
            }
        }
    }

    fn leave_behind<T: Send + 'static>(&self, thread: tokio::task::JoinHandle<T>, verb: &'static str) {
        let count = Arc::clone(&self.left_behind);
        let hanging = count.fetch_add(1, Ordering::Relaxed) + 1;
        tracing::error!(verb, hanging, "a thread is left behind in a system call that does not come back");
        tokio::spawn(async move {
            let _ = thread.await;
            let hanging = count.fetch_sub(1, Ordering::Relaxed) - 1;
            tracing::warn!(verb, hanging, "a thread that was left behind came back");
        });
    }

    /// A result that cannot be stored is still the result; a repetition will carry the command out again.
    async fn store(&self, command: CommandId, result: &v1::CommandResult) {
        if self.workshop.ledger.entry(&command).is_none() {
            return;
        }
        let record = Record::Result { command, result: Box::new(result.clone()) };
        if let Err(error) = self.write(vec![record]).await {
            tracing::error!(%command, error = %error, "a result cannot be recorded");
        }
    }

    async fn write(&self, records: Vec<Record>) -> Result<(), ActionError> {
        let (ledger, now) = (Arc::clone(&self.workshop.ledger), (self.clock)());
        let written = self.threads.run(move || ledger.write(records, now)).await;
        match written {
            Ok(written) => Ok(written?),
            Err(_) => Err(ActionError::Application("the ledger's thread was lost".to_owned())),
        }
    }

    fn empty_result(&self, id: &str) -> v1::CommandResult {
        v1::CommandResult {
            version: VERSION,
            id: id.to_owned(),
            host: self.host.to_string(),
            ..Default::default()
        }
    }

    fn refused(&self, id: &str, refusal: &Refusal) -> v1::CommandResult {
        let outcome = Some(v1::command_result::Outcome::Error(self.refusal(refusal)));
        v1::CommandResult { outcome, ..self.empty_result(id) }
    }

    fn refusal(&self, refusal: &Refusal) -> v1::CommandError {
        v1::CommandError {
            kind: refusal.kind().into(),
            message: format!("host {}: {refusal}", self.host),
            retryable: false,
        }
    }
}

fn busy(why: &str) -> v1::CommandError {
    let kind = v1::command_error::Kind::Busy.into();
    v1::CommandError { kind, message: why.to_owned(), retryable: true }
}

/// Takes a command off the list of those under way, however it ends.
struct Gone<'a> {
    inbox: &'a Inbox,
    id: CommandId,
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        locked(&self.inbox.running).remove(&self.id);
    }
}

/// The turn of a run; the last of its commands takes it off the list.
struct Turn<'a> {
    inbox: &'a Inbox,
    run: RunId,
    _held: tokio::sync::OwnedMutexGuard<()>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut turns = locked(&self.inbox.turns);
        // Ours and the list's: nobody else waits.
        if turns.get(&self.run).is_some_and(|turn| Arc::strong_count(turn) <= 2) {
            turns.remove(&self.run);
        }
    }
}

struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Option<Self> {
        let waiting = Self(count);
        (count.fetch_add(1, Ordering::Relaxed) < MAX_WAITING).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
