//! Where reports and heartbeats go.

use std::future::Future;

use bytes::Bytes;

/// Takes encoded messages. A message that it cannot send now it refuses, rather than keep it for later.
pub trait ReportSink: Send + Sync + 'static {
    fn publish_report(&self, report: Bytes) -> impl Future<Output = Result<(), SinkError>> + Send;

    fn publish_heartbeat(&self, heartbeat: Bytes) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// Returns when all that was published has left this process.
    fn flush(&self) -> impl Future<Output = Result<(), SinkError>> + Send;
}

/// Why a message was not taken. Trying again later is right in every case but [`SinkError::TooLarge`].
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    #[error("there is no connection to the bus")]
    Disconnected,
    #[error("{bytes} bytes are more than the bus takes")]
    TooLarge { bytes: usize },
    #[error("the bus refused")]
    Bus(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl SinkError {
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::TooLarge { .. })
    }
}
