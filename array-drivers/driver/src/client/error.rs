//! Why a call has no result.

use std::{error::Error, fmt, io, path::PathBuf, process::ExitStatus, time::Duration};

use crate::{error::LsmError, model::JobId};

/// Why a call, or the start of a session, has no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The array, or its driver, said no. The session goes on.
    #[error(transparent)]
    Array(LsmError),
    /// The array took the work on and then failed it; the protocol gives no reason. The session goes on.
    #[error("job {job} of {method} failed on the array, which gives no reason")]
    JobFailed { method: &'static str, job: JobId },
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
}

/// How a driver was lost.
#[derive(Debug)]
pub enum LostReason {
    /// It closed its socket; how its process ended, if it did so by itself.
    Closed {
        status: Option<ExitStatus>,
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
            Self::Timeout { .. } | Self::Lost { .. } => true,
            Self::JobFailed { .. } | Self::Protocol { .. } => false,
            Self::Start { source, .. } => {
                !matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
            }
        }
    }
}

impl fmt::Display for LostReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { status: Some(status) } => write!(f, "its process ended ({status})"),
            Self::Closed { status: None } => f.write_str("it closed the connection"),
            Self::Io(error) => write!(f, "{error}"),
            Self::CallDropped => f.write_str("an earlier call was dropped before its reply came"),
            Self::AlreadyDead => f.write_str("an earlier call ended the session"),
        }
    }
}
