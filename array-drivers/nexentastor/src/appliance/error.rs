//! How an appliance says no, and what that is in the protocol's words.

use sanfleet_driver::{ErrorNumber, LsmError};
use sanfleet_driver_http::{HttpError, TrustError};

/// Of the appliance's own text so much is passed on.
const SHOWN: usize = 500;

/// What a refusal comes down to, whether it has a code or only a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Missing,
    Exists,
    /// Somebody uses it, or it is being changed.
    Busy,
    NoSpace,
    Invalid,
    /// User and password let nobody in.
    Stranger,
    /// The user may not do that.
    Forbidden,
    /// This release is not asked for that.
    Unsupported,
    /// Nobody foresaw it; it may be done in part.
    Unknown,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplianceError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("{}", status_text(*.status))]
    Status { status: u16 },
    #[error("the appliance's answer to {what} is none: {}", shown(.why))]
    Garbled { what: &'static str, why: String },
    #[error("the appliance refuses {what}: {}", shown(.message))]
    Refused { what: &'static str, reason: Reason, message: String },
    #[error("{what} goes on in a job of the appliance's, and was not done in time")]
    Unfinished { what: &'static str },
}

impl ApplianceError {
    pub fn is(&self, wanted: Reason) -> bool {
        matches!(self, Self::Refused { reason, .. } if *reason == wanted)
    }

    /// True when what was asked for may have been done all the same, in whole or in part.
    pub fn leaves_it_open(&self) -> bool {
        match self {
            Self::Http(error) => error.may_have_been_heard(),
            Self::Trust(_) => false,
            Self::Garbled { .. } | Self::Unfinished { .. } => true,
            // What is refused so was not begun.
            Self::Status { status } => !matches!(status, 300..=499 | 503),
            Self::Refused { reason, .. } => *reason == Reason::Unknown,
        }
    }

    fn number(&self) -> ErrorNumber {
        match self {
            Self::Http(_) | Self::Trust(_) | Self::Status { status: 429 | 503 } => ErrorNumber::NetworkError,
            Self::Status { status: 401 } => ErrorNumber::PluginAuthFailed,
            Self::Status { .. } => ErrorNumber::TransportCommunication,
            Self::Garbled { .. } => ErrorNumber::TransportSerialization,
            Self::Unfinished { .. } => ErrorNumber::Timeout,
            Self::Refused { reason, .. } => by_reason(*reason),
        }
    }
}

fn by_reason(reason: Reason) -> ErrorNumber {
    match reason {
        Reason::Missing => ErrorNumber::NotFoundGeneric,
        Reason::Exists => ErrorNumber::NameConflict,
        Reason::Busy => ErrorNumber::PoolNotReady,
        Reason::NoSpace => ErrorNumber::NotEnoughSpace,
        Reason::Invalid => ErrorNumber::InvalidArgument,
        Reason::Stranger => ErrorNumber::PluginAuthFailed,
        Reason::Forbidden => ErrorNumber::PermissionDenied,
        Reason::Unsupported => ErrorNumber::NoSupport,
        Reason::Unknown => ErrorNumber::PluginBug,
    }
}

fn status_text(status: u16) -> String {
    match status {
        300..=399 => format!("at that address is no NexentaStor: it redirects (HTTP status {status})"),
        401 => "the appliance refuses user and password".into(),
        404 => "at that address is no NexentaStor".into(),
        429 | 503 => format!("the appliance has no time for us (HTTP status {status})"),
        _ => format!("the appliance answers with HTTP status {status}"),
    }
}

/// The appliance's text, in one line without control characters, and no longer than that it can be shown.
fn shown(message: &str) -> String {
    let words: Vec<&str> = message.split_whitespace().collect();
    words.join(" ").chars().filter(|c| !c.is_control()).take(SHOWN).collect()
}

impl From<ApplianceError> for LsmError {
    fn from(error: ApplianceError) -> Self {
        match error {
            ApplianceError::Http(error) => error.into(),
            ApplianceError::Trust(error) => error.into(),
            error => Self::new(error.number(), error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_done_all_the_same_is_known_from_what_is_not() {
        let refused = |reason| ApplianceError::Refused { what: "a thing", reason, message: String::new() };
        assert!(refused(Reason::Unknown).leaves_it_open());
        assert!(!refused(Reason::Exists).leaves_it_open());
        assert!(ApplianceError::Status { status: 502 }.leaves_it_open());
        assert!(!ApplianceError::Status { status: 503 }.leaves_it_open());
        assert!(ApplianceError::Unfinished { what: "a thing" }.leaves_it_open());
    }

    #[test]
    fn a_text_of_the_appliance_is_shown_in_one_line_without_escapes() {
        let message = format!("no\n\u{1b}[2Jway {}", "x".repeat(10_000));
        let error = ApplianceError::Refused { what: "it", reason: Reason::Busy, message };
        let told = LsmError::from(error);
        assert!(told.message.len() < 600 && !told.message.contains(['\n', '\u{1b}']), "{}", told.message);
        assert!(told.is_retryable());
    }
}
