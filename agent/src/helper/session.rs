//! The helper's part of one connection: commands come in and are judged by the inbox, and reports go out.
//!
//! When the connection ends, however it ends, whatever is held still is let go: nobody could say any more that it may go on.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sanfleet_protocol::limits;
use tokio::{net::UnixStream, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::doorway::Doorway;
use crate::{
    door::{self, DoorError, Incoming, Line, Question, Ticket, Word},
    heartbeat::{Heartbeat, Pulse},
    inbox::Inbox,
    pump::{self, Answers},
    quiesce::Quiesces,
    reporter::ReporterHandle,
};

/// A signed command with what is around it: no relay has anything longer to say.
const LONGEST: usize = limits::COMMAND_BYTES + 1024;
/// So many commands are under way for one relay; the next is read when one of them is answered.
const AT_ONCE: usize = 1024;
/// How long commands that are under way may take to end in good order.
const FINISH_WITHIN: Duration = Duration::from_secs(10);
const SAY_GOODBYE_WITHIN: Duration = Duration::from_secs(2);

/// What every connection is served with.
#[derive(Debug)]
pub struct Service {
    pub inbox: Arc<Inbox>,
    pub quiesces: Arc<Quiesces>,
    pub reporter: ReporterHandle,
    pub doorway: Arc<Doorway>,
    pub pulse: Pulse,
}

/// How a connection came to its end.
enum End {
    /// The relay takes its leave, and waits to hear that all was said.
    Leave(Ticket),
    /// We are to stop.
    Stop,
    Gone,
}

impl Service {
    /// Until the relay is gone, or we are to stop.
    pub async fn serve(&self, stream: UnixStream, stop: &CancellationToken) {
        let (line, mut incoming) = door::line(stream, LONGEST);
        self.doorway.open(Arc::clone(&line)).await;
        let mut heart = Heartbeat::start(Arc::clone(&line), self.pulse.clone());
        self.reporter.reconnected();
        let mut under_way = JoinSet::new();
        let end = tokio::select! {
            end = self.take(&line, &mut incoming, &mut under_way) => end.unwrap_or_else(|error| {
                tracing::warn!(error = &error as &dyn std::error::Error, "the agent's connection is ended");
                End::Gone
            }),
            () = stop.cancelled() => End::Stop,
        };
        match end {
            End::Gone => {
                drop(incoming);
                self.doorway.close().await;
                self.let_go().await;
            }
            End::Stop | End::Leave(_) => {
                // Nothing more is taken; what is asked of the relay is answered.
                let listen = async move {
                    incoming.answers().await;
                    drop(incoming);
                    std::future::pending::<()>().await;
                };
                tokio::select! {
                    () = self.take_leave(&mut under_way, &mut heart) => {}
                    () = listen => {}
                }
            }
        }
        // What is under way goes on, and its result is written down: whoever repeats the command joins it.
        under_way.detach_all();
        if let End::Leave(ticket) = end
            && let Err(error) = line.answer(ticket, Word::Left(())).await
        {
            tracing::debug!(error = &error as &dyn std::error::Error, "the agent has not waited");
        }
    }

    /// Commands are begun in the order in which they come.
    async fn take(
        &self,
        line: &Arc<Line>,
        incoming: &mut Incoming,
        under_way: &mut JoinSet<()>,
    ) -> Result<End, DoorError> {
        loop {
            tokio::select! {
                question = incoming.next(), if under_way.len() < AT_ONCE => match question? {
                    None => return Ok(End::Gone),
                    Some(Question { ticket, word: Word::Command(message) }) => {
                        let (inbox, line) = (Arc::clone(&self.inbox), Arc::clone(line));
                        pump::begin(under_way, carry_out(inbox, line, ticket, message)).await;
                    }
                    Some(Question { word: Word::Connected(()), .. }) => self.reporter.reconnected(),
                    Some(Question { ticket, word: Word::Leave(()) }) => return Ok(End::Leave(ticket)),
                    Some(_) => return Err(DoorError::NoWord),
                },
                Some(_) = under_way.join_next() => {}
            }
        }
    }

    async fn take_leave(&self, under_way: &mut JoinSet<()>, heart: &mut Heartbeat) {
        self.let_go().await;
        let finish = async { while under_way.join_next().await.is_some() {} };
        if timeout(FINISH_WITHIN, finish).await.is_err() {
            tracing::warn!("commands are still under way; their results are in the ledger");
        }
        // One of them may have begun to hold something.
        self.let_go().await;
        // The goodbye is the last thing that is heard of this host.
        self.doorway.close().await;
        if timeout(SAY_GOODBYE_WITHIN, heart.leave()).await.is_err() {
            tracing::warn!("the bus did not take the last heartbeat in time");
        }
    }

    async fn let_go(&self) {
        let quiesces = Arc::clone(&self.quiesces);
        if tokio::task::spawn_blocking(move || quiesces.abandon_all()).await.is_err() {
            tracing::error!("letting go of what is held ended early; the guards let go by themselves");
        }
    }
}

async fn carry_out(inbox: Arc<Inbox>, line: Arc<Line>, ticket: Ticket, message: Bytes) {
    let Some(result) = inbox.answer(message).await else { return };
    if let Err(error) = line.answer(ticket, Word::Result(result)).await {
        // It is in the ledger: the controller will ask again.
        tracing::warn!(error = &error as &dyn std::error::Error, "a result cannot be sent");
    }
}

#[cfg(test)]
mod tests;
