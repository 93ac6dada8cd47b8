//! The relay's part of one connection to the helper: commands go in, and out comes what is to be published.

use std::{sync::Arc, time::Duration};

use async_nats::Client;
use bytes::Bytes;
use sanfleet_protocol::{HostId, limits};
use tokio::{
    net::UnixStream,
    sync::{Notify, oneshot},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{NatsSink, RelayError};
use crate::{
    door::{self, DoorError, Incoming, Line, Question, Sent, Word},
    pump::{self, Answers},
    reporter::{ReportSink, SinkError},
};

/// A report with what is around it, or the result of a command: no helper says more.
const LONGEST: usize = limits::REPORT_BYTES + 64 * 1024;
/// How long the helper may take to end what is under way, to let go of what is held, and to say goodbye.
const LEAVE_WITHIN: Duration = Duration::from_secs(15);
/// How long results that the helper has given may take to be on their way.
const PUBLISH_WITHIN: Duration = Duration::from_secs(2);

impl Answers for Line {
    async fn answer(&self, message: Bytes) -> Option<Bytes> {
        match self.ask(Word::Command(message)).await.ok()?.wait().await {
            Ok(Word::Result(result)) => Some(result),
            _ => None,
        }
    }
}

/// What a session needs of the relay.
#[derive(Debug)]
pub struct Bus {
    pub host: HostId,
    pub client: Client,
    pub connected: Arc<Notify>,
}

/// Until the helper is gone, or has said goodbye because we are to stop.
pub async fn run(stream: UnixStream, bus: &Bus, stop: &CancellationToken) -> Result<(), RelayError> {
    let (line, mut incoming) = door::line(stream, LONGEST);
    let (taking, stopped) = oneshot::channel::<()>();
    // Before the helper's first report is published: whoever sees that may ask for something at once.
    let pump = pump::run(&bus.host, Arc::clone(&line), bus.client.clone(), stopped).await;
    let commands = tokio::spawn(pump.map_err(RelayError::bus)?);
    let sink = NatsSink::new(bus.client.clone(), &bus.host);
    let served = tokio::select! {
        served = serve(&line, &mut incoming, &sink, bus) => served,
        () = stop.cancelled() => leave(&line, &mut incoming, &sink, bus).await,
    };
    // No more commands are taken; whoever waits for an answer still learns that none comes, and what was answered is published.
    drop((taking, incoming));
    if timeout(PUBLISH_WITHIN, commands).await.is_err() {
        tracing::warn!("not every result could be published; the controller asks again");
    }
    served.map_err(RelayError::Door)
}

/// Until the helper is gone.
async fn serve(line: &Line, incoming: &mut Incoming, sink: &NatsSink, bus: &Bus) -> Result<(), DoorError> {
    loop {
        tokio::select! {
            question = incoming.next() => match question? {
                Some(question) => publish(line, question, sink).await?,
                None => return Ok(()),
            },
            () = bus.connected.notified() => line.tell(Word::Connected(())).await?,
        }
    }
}

/// What is under way is answered and the last heartbeat published meanwhile.
async fn leave(line: &Line, incoming: &mut Incoming, sink: &NatsSink, bus: &Bus) -> Result<(), DoorError> {
    let left = async { line.ask(Word::Leave(())).await?.wait().await };
    let goodbye = async {
        tokio::select! {
            left = left => left.map(drop),
            served = serve(line, incoming, sink, bus) => served,
        }
    };
    match timeout(LEAVE_WITHIN, goodbye).await {
        Ok(left) => left,
        Err(_) => {
            tracing::warn!("the helper did not say goodbye in time");
            Ok(())
        }
    }
}

async fn publish(line: &Line, question: Question, sink: &NatsSink) -> Result<(), DoorError> {
    let done = match question.word {
        Word::Report(report) => sink.publish_report(report).await,
        Word::Heartbeat(beat) => sink.publish_heartbeat(beat).await,
        Word::Flush(()) => sink.flush().await,
        // Nothing else is ours to do.
        _ => return Err(DoorError::NoWord),
    };
    line.answer(question.ticket, Word::Sent(sent(done).into())).await
}

fn sent(done: Result<(), SinkError>) -> Sent {
    match done {
        Ok(()) => Sent::Done,
        Err(SinkError::Disconnected) => Sent::Disconnected,
        Err(SinkError::TooLarge { .. }) => Sent::TooLarge,
        Err(error @ SinkError::Bus(_)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "nothing was published");
            Sent::Refused
        }
    }
}
