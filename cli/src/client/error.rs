//! Why the controller gave no answer, or another one than was hoped for.

use std::{io, path::PathBuf, time::Duration};

use async_nats::{
    ConnectError, ConnectErrorKind, RequestError,
    jetstream::{
        consumer::{StreamError, pull::OrderedError},
        context::GetStreamError,
        stream::ConsumerError,
    },
};
use sanfleet_protocol::v1::api_error;

use crate::{exit::Exit, output::human};

/// What went wrong between the operator and the controller.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("server address number {nth} cannot be read")]
    Address { nth: usize },
    #[error("cannot read the credentials in {}", file.display())]
    Credentials { file: PathBuf, source: io::Error },
    #[error("cannot reach the bus at {servers}")]
    Unreachable { servers: String, source: ConnectError },
    #[error("the bus at {servers} is there, but no controller answers on it")]
    NoController { servers: String },
    #[error("no answer to {operation} within {}", human::duration(*.limit))]
    NoAnswer { operation: &'static str, limit: Duration, starts_work: bool, source: RequestError },
    #[error("{operation} cannot be sent")]
    Unsendable { operation: &'static str, source: RequestError },
    #[error("the answer to {operation} cannot be understood")]
    Garbled { operation: &'static str, starts_work: bool, source: prost::DecodeError },
    #[error("the answer to {operation} names no run")]
    NoRun { operation: &'static str, starts_work: bool },
    /// The controller's own words.
    #[error("{message}")]
    Refused { kind: api_error::Kind, message: String, hint: String },
    #[error("the events cannot be subscribed to")]
    Subscribe { source: async_nats::SubscribeError },
    #[error("the bus keeps no events here")]
    NoEvents { source: GetStreamError },
    #[error("the bus shows no audit to us")]
    NoAudit { source: GetStreamError },
    #[error("the audit cannot be read")]
    ReadAudit { source: ConsumerError },
    #[error("the events that are kept cannot be read")]
    ReadEvents { source: ConsumerError },
    #[error("the events that are kept cannot be fetched")]
    Consume { source: StreamError },
    #[error("the events that are kept cannot be read on")]
    LostEvents { source: OrderedError },
}

impl ClientError {
    pub fn exit(&self) -> Exit {
        match self {
            Self::Address { .. } | Self::Credentials { .. } => Exit::Usage,
            Self::Refused { kind, .. } => Exit::of_refusal(*kind),
            Self::NoAnswer { starts_work: true, .. }
            | Self::Garbled { starts_work: true, .. }
            | Self::NoRun { starts_work: true, .. } => Exit::TimedOut,
            Self::Unreachable { .. } | Self::NoController { .. } | Self::NoAnswer { .. } => Exit::Unreachable,
            Self::Subscribe { .. }
            | Self::NoEvents { .. }
            | Self::NoAudit { .. }
            | Self::ReadAudit { .. }
            | Self::ReadEvents { .. }
            | Self::Consume { .. }
            | Self::LostEvents { .. } => Exit::Unreachable,
            Self::Unsendable { .. } | Self::Garbled { .. } | Self::NoRun { .. } => Exit::Failed,
        }
    }

    /// True when the same question may be answered a moment later: the way to the controller is lost, not the case.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NoController { .. } | Self::NoAnswer { .. } => true,
            Self::Refused { kind, .. } => *kind == api_error::Kind::Unavailable,
            _ => false,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Address { .. } => {
                "an address is nats://HOST:PORT or tls://HOST:PORT (--server, SANFLEET_NATS)"
            }
            Self::Credentials { .. } => {
                "give a credentials file that this user may read (--creds, SANFLEET_CREDS)"
            }
            Self::Unreachable { source, .. } => unreachable_because(source),
            Self::NoController { .. } => {
                "start sanfleet-controller, or ask another bus (--server, SANFLEET_NATS)"
            }
            Self::NoAnswer { starts_work: true, .. }
            | Self::Garbled { starts_work: true, .. }
            | Self::NoRun { starts_work: true, .. } => {
                "it may have been done all the same, unless this user may not ask for it; look with: sanfleet run list, \
                 array list, or webhook list"
            }
            Self::NoAnswer { .. } => {
                "is the controller overloaded, or may this user not ask it? a longer wait is --timeout"
            }
            Self::Garbled { .. } | Self::NoRun { .. } => {
                "are this program and the controller of the same version? see: sanfleet --version"
            }
            Self::NoAudit { .. } | Self::ReadAudit { .. } => {
                "it is shown to administrators; the controller makes it when it starts"
            }
            Self::NoEvents { .. } => "the controller makes the stream of events when it starts",
            Self::Refused { hint, .. } => hint,
            _ => "",
        };
        (!hint.is_empty()).then(|| hint.to_owned())
    }
}

fn unreachable_because(error: &ConnectError) -> &'static str {
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
            "is this user known there (--creds, SANFLEET_CREDS), or has it ended or been revoked?"
        }
        // The library has no kind of its own for it.
        _ if error.to_string().contains("certificate") => {
            "give the authority that the servers are trusted by (--ca, SANFLEET_CA)"
        }
        _ => "is it the right server (--server, SANFLEET_NATS), and does it run?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_answer(starts_work: bool) -> ClientError {
        ClientError::NoAnswer {
            operation: "x.y",
            limit: Duration::from_secs(2),
            starts_work,
            source: RequestError::new(async_nats::RequestErrorKind::TimedOut),
        }
    }

    #[test]
    fn a_lost_answer_means_that_work_may_go_on_only_where_work_was_asked_for() {
        assert_eq!(no_answer(true).exit(), Exit::TimedOut);
        assert_eq!(no_answer(false).exit(), Exit::Unreachable);
        assert!(no_answer(true).hint().is_some_and(|hint| hint.contains("run list")));
        assert_eq!(no_answer(false).to_string(), "no answer to x.y within 2 s");
    }

    #[test]
    fn a_refusal_is_final_unless_something_was_unavailable() {
        let refused = |kind| ClientError::Refused { kind, message: String::new(), hint: String::new() };
        assert!(refused(api_error::Kind::Unavailable).is_retryable());
        assert!(!refused(api_error::Kind::NotFound).is_retryable());
    }
}
