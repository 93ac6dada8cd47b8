//! Why a call has no result.

use std::{error::Error, fmt, io, path::PathBuf, time::Duration};

use super::process::ProcessEnd;
use crate::{error::LsmError, model::JobId};

/// Why a call, or the start of a session, has no result. What is large is boxed: a good answer has to carry the room for it.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The array, or its driver, said no. The session goes on.
    #[error(transparent)]
    Array(LsmError),
    /// The array took the work on and then failed it. The session goes on.
    #[error("job {job} failed on the array{}", if reason.is_none() { ", which gives no reason" } else { "" })]
    JobFailed {
        job: JobId,
        #[source]
        reason: Option<Box<LsmError>>,
    },
    /// The session goes on; what became of the work is unknown.
    #[error("the array has forgotten job {job}: look whether the work is done")]
    JobForgotten { job: JobId },
    /// What the call did is unknown.
    #[error("{method} did not end within {after:?}")]
    Timeout { method: &'static str, after: Duration },
    /// The driver is gone. What the call did is unknown.
    #[error("lost the driver in {method}: {reason}")]
    Lost { method: &'static str, reason: LostReason },
    /// The driver does not keep to the protocol. What the call did is unknown.
    #[error("the driver's answer to {method} makes no sense")]
    Protocol {
        method: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("cannot start or reach the driver at {}", path.display())]
    Start {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// libStorageMgmt's daemon serves other plug-ins below this folder, but none of this kind.
    #[error("no plug-in {kind} is served below {}", folder.display())]
    PluginMissing { kind: String, folder: PathBuf },
    #[error("libStorageMgmt's daemon serves nothing below {}", folder.display())]
    DaemonMissing { folder: PathBuf },
    #[error("may not read and write the plug-in's socket {}", path.display())]
    NotPermitted { path: PathBuf },
    /// Nothing was asked of the array.
    #[error("all {limit} sessions with the array were in use for {after:?}")]
    Busy { limit: usize, after: Duration },
    /// Nothing was asked of the array.
    #[error("{method} was not called: whoever has the session has lost its leave")]
    Withheld { method: &'static str },
    /// Nothing was asked of the array.
    #[error(
        "the driver is left alone for another {next_try:?} after {failures} failures in a row, the last: {last}"
    )]
    Paused { failures: u32, next_try: Duration, last: String },
}

/// How a driver was lost.
#[derive(Debug)]
pub enum LostReason {
    /// It closed its socket; how its process ended, if it did so by itself.
    Closed {
        end: Option<Box<ProcessEnd>>,
    },
    Io(io::Error),
    /// An earlier call was dropped before its reply came.
    CallDropped,
    /// An earlier call failed in a way that ended the session.
    AlreadyDead,
}

impl ClientError {
    pub(super) fn protocol(method: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Protocol { method, source: source.into() }
    }

    /// True when the same call, in a new session where this one died, may succeed although nobody changes anything about it.
    /// What the lost call did has to be looked up first.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Array(error) => error.is_retryable(),
            Self::Timeout { .. } | Self::Lost { .. } | Self::Busy { .. } | Self::Paused { .. } => true,
            Self::DaemonMissing { .. } | Self::Withheld { .. } => true,
            Self::JobFailed { .. } | Self::JobForgotten { .. } | Self::Protocol { .. } => false,
            Self::PluginMissing { .. } | Self::NotPermitted { .. } => false,
            Self::Start { source, .. } => {
                !matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
            }
        }
    }

    /// True when the driver is to blame, or the way to it, and not the array that it speaks for.
    pub fn is_drivers_fault(&self) -> bool {
        match self {
            Self::Timeout { .. } | Self::Lost { .. } | Self::Protocol { .. } | Self::Start { .. } => true,
            Self::PluginMissing { .. } | Self::DaemonMissing { .. } | Self::NotPermitted { .. } => true,
            Self::Array(_) | Self::JobFailed { .. } | Self::JobForgotten { .. } => false,
            Self::Busy { .. } | Self::Paused { .. } | Self::Withheld { .. } => false,
        }
    }
}

impl fmt::Display for LostReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { end: Some(end) } => write!(f, "{end}"),
            Self::Closed { end: None } => f.write_str("it closed the connection"),
            Self::Io(error) => write!(f, "{error}"),
            Self::CallDropped => f.write_str("an earlier call was dropped before its reply came"),
            Self::AlreadyDead => f.write_str("an earlier call ended the session"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_no_larger_than_what_an_array_says() {
        assert_eq!(size_of::<ClientError>(), size_of::<LsmError>());
    }
}
