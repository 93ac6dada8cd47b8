//! Why a request has no answer.

use std::{error::Error, io};

use sanfleet_driver::{ErrorNumber, LsmError};

#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("{address} refuses connections")]
    Refused { address: String },
    #[error("{address} cannot be reached")]
    Unreachable {
        address: String,
        #[source]
        source: ureq::Error,
    },
    #[error("{address} was not to be reached in time")]
    ConnectTooSlow { address: String },
    #[error("the TLS of {address} is not to be trusted, or is none")]
    Tls {
        address: String,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("{address} gave no whole answer in time")]
    TooSlow { address: String },
    #[error("{address} answers with more than {limit} bytes")]
    TooLarge { address: String, limit: u64 },
    #[error("{address} does not answer as HTTP has it")]
    NotHttp {
        address: String,
        #[source]
        source: ureq::Error,
    },
    #[error("the connection to {address} broke")]
    Broken {
        address: String,
        #[source]
        source: io::Error,
    },
}

impl HttpError {
    pub(crate) fn new(address: String, limit: u64, error: ureq::Error) -> Self {
        use ureq::{Error as E, Timeout};
        match error {
            E::Io(source) => Self::io(address, source),
            E::HostNotFound | E::ConnectionFailed | E::BadUri(_) => {
                Self::Unreachable { address, source: error }
            }
            E::Timeout(Timeout::Connect | Timeout::Resolve) => Self::ConnectTooSlow { address },
            E::Timeout(_) | E::BodyStalled => Self::TooSlow { address },
            E::BodyExceedsLimit(_) => Self::TooLarge { address, limit },
            E::Rustls(source) => Self::Tls { address, source: source.into() },
            E::Tls(source) => Self::Tls { address, source: source.into() },
            _ => Self::NotHttp { address, source: error },
        }
    }

    fn io(address: String, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused { address },
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                Self::Unreachable { address, source: ureq::Error::Io(source) }
            }
            // rustls tells what it thinks of a peer inside an I/O error.
            _ if source.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<rustls::Error>) => {
                Self::Tls { address, source: source.into() }
            }
            _ => Self::Broken { address, source },
        }
    }

    /// True when the request was possibly heard: what it asked for may be done, or may still become so.
    pub fn may_have_been_heard(&self) -> bool {
        match self {
            Self::Refused { .. }
            | Self::Unreachable { .. }
            | Self::ConnectTooSlow { .. }
            | Self::Tls { .. } => false,
            Self::TooSlow { .. } | Self::TooLarge { .. } | Self::NotHttp { .. } | Self::Broken { .. } => true,
        }
    }

    /// True when the same request may succeed later although nobody changes anything about it.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Refused { .. }
            | Self::Unreachable { .. }
            | Self::ConnectTooSlow { .. }
            | Self::TooSlow { .. }
            | Self::Broken { .. } => true,
            Self::Tls { .. } | Self::TooLarge { .. } | Self::NotHttp { .. } => false,
        }
    }

    fn number(&self) -> ErrorNumber {
        match self {
            Self::Refused { .. } => ErrorNumber::NetworkConnectionRefused,
            Self::Unreachable { .. } => ErrorNumber::NetworkHostDown,
            Self::ConnectTooSlow { .. } | Self::TooSlow { .. } => ErrorNumber::Timeout,
            Self::Broken { .. } => ErrorNumber::NetworkError,
            // Nothing to be tried again: somebody has to look.
            Self::Tls { .. } => ErrorNumber::PluginAuthFailed,
            Self::TooLarge { .. } | Self::NotHttp { .. } => ErrorNumber::TransportSerialization,
        }
    }
}

impl From<HttpError> for LsmError {
    fn from(error: HttpError) -> Self {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        Self::new(error.number(), format!("{error}{cause}"))
    }
}
