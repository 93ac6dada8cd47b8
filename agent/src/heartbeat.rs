//! A small message at an interval, so that silence means something.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use prost::Message;
use sanfleet_protocol::{HostId, VERSION, v1};
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use crate::reporter::{ReportSink, ReporterHandle};

/// How often, unless somebody wants it otherwise.
pub const INTERVAL: Duration = Duration::from_secs(5);

/// Whose heart beats, and how often.
#[derive(Debug, Clone)]
pub struct Pulse {
    pub host: HostId,
    pub interval: Duration,
    /// Knows the generation of the newest report.
    pub generation: ReporterHandle,
}

impl Pulse {
    pub fn new(host: HostId, generation: ReporterHandle) -> Self {
        Self { host, interval: INTERVAL, generation }
    }

    fn beat(&self, leaving: bool) -> Bytes {
        let beat = v1::Heartbeat {
            version: VERSION,
            host: self.host.to_string(),
            generation: self.generation.generation().0,
            leaving,
        };
        Bytes::from(beat.encode_to_vec())
    }
}

/// A heart that beats until it is told to leave, or dropped.
#[derive(Debug)]
pub struct Heartbeat {
    leave: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Heartbeat {
    /// The first beat comes at once.
    pub fn start<S: ReportSink>(sink: Arc<S>, pulse: Pulse) -> Self {
        let (leave, left) = oneshot::channel();
        Self { leave: Some(leave), task: tokio::spawn(run(sink, pulse, left)) }
    }

    /// Sends the last beat, which says that it is the last, and returns when it has left.
    pub async fn leave(&mut self) {
        if let Some(leave) = self.leave.take() {
            // The task cannot have ended before: it ends by this alone.
            let _ = leave.send(());
            let _ = (&mut self.task).await;
        }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run<S: ReportSink>(sink: Arc<S>, pulse: Pulse, mut left: oneshot::Receiver<()>) {
    let mut beats = interval(pulse.interval.max(Duration::from_millis(1)));
    // After a pause (the machine slept) one beat is enough.
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = &mut left => break,
            _ = beats.tick() => {}
        }
        // A beat that is lost is what silence is for.
        if let Err(error) = sink.publish_heartbeat(pulse.beat(false)).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "no heartbeat went out");
        }
    }
    let said = sink.publish_heartbeat(pulse.beat(true)).await;
    if let Err(error) = match said {
        Ok(()) => sink.flush().await,
        failed => failed,
    } {
        tracing::warn!(error = &error as &dyn std::error::Error, "leaving without a word");
    }
}
