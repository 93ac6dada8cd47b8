//! Where reports and heartbeats go: to the relay, while there is one.

use std::{future::Future, sync::Arc};

use bytes::Bytes;
use tokio::sync::RwLock;

use crate::{
    door::{DoorError, Line, Sent, Word},
    reporter::{ReportSink, SinkError},
};

impl ReportSink for Line {
    fn publish_report(&self, report: Bytes) -> impl Future<Output = Result<(), SinkError>> + Send {
        publish(self, report.len(), Word::Report(report))
    }

    fn publish_heartbeat(&self, heartbeat: Bytes) -> impl Future<Output = Result<(), SinkError>> + Send {
        publish(self, heartbeat.len(), Word::Heartbeat(heartbeat))
    }

    fn flush(&self) -> impl Future<Output = Result<(), SinkError>> + Send {
        publish(self, 0, Word::Flush(()))
    }
}

async fn publish(line: &Line, bytes: usize, word: Word) -> Result<(), SinkError> {
    let answer = async { line.ask(word).await?.wait().await };
    match answer.await {
        Ok(Word::Sent(sent)) => match Sent::try_from(sent).unwrap_or(Sent::Unknown) {
            Sent::Done => Ok(()),
            Sent::Disconnected => Err(SinkError::Disconnected),
            Sent::TooLarge => Err(SinkError::TooLarge { bytes }),
            Sent::Refused | Sent::Unknown => Err(SinkError::Bus("the agent's own log says why".into())),
        },
        Ok(_) => Err(SinkError::Bus(Box::new(DoorError::NoWord))),
        Err(DoorError::Gone | DoorError::Broken(_)) => Err(SinkError::Disconnected),
        Err(error) => Err(SinkError::Bus(Box::new(error))),
    }
}

/// The line to the relay that is connected now.
#[derive(Debug, Default)]
pub struct Doorway {
    line: RwLock<Option<Arc<Line>>>,
}

impl Doorway {
    pub async fn open(&self, line: Arc<Line>) {
        *self.line.write().await = Some(line);
    }

    /// What was being said is said to its end; nothing is said afterwards.
    pub async fn close(&self) {
        *self.line.write().await = None;
    }
}

impl ReportSink for Doorway {
    async fn publish_report(&self, report: Bytes) -> Result<(), SinkError> {
        self.line.read().await.as_ref().ok_or(SinkError::Disconnected)?.publish_report(report).await
    }

    async fn publish_heartbeat(&self, heartbeat: Bytes) -> Result<(), SinkError> {
        self.line.read().await.as_ref().ok_or(SinkError::Disconnected)?.publish_heartbeat(heartbeat).await
    }

    async fn flush(&self) -> Result<(), SinkError> {
        self.line.read().await.as_ref().ok_or(SinkError::Disconnected)?.flush().await
    }
}
