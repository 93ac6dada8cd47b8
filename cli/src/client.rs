//! The way to the controller: one request, one reply, and the events that it publishes.
//!
//! Repeats no request that starts something by itself: it may have been carried out although its answer was lost. What only
//! reads is asked again after a while, for of several controllers one may hang, and the bus does not know which.

use std::{
    path::Path,
    pin::pin,
    time::{Duration, Instant},
};

use async_nats::{ConnectOptions, HeaderMap, Request, RequestErrorKind, ServerAddr, service};
use prost::Message as _;
use sanfleet_protocol::{
    BusUser, credentials, subject,
    v1::{self, api_error},
};
use tokio::time::timeout;

mod audit;
mod error;
mod events;
mod operation;

pub use error::ClientError;
pub use events::{Event, Since};
pub use operation::Operation;

use crate::args::Global;

/// How long a connection is waited for at most.
const CONNECTED: Duration = Duration::from_secs(10);

/// How long one controller is given for an answer before another is asked as well, about what only reads.
const ASK_ANOTHER: Duration = Duration::from_secs(1);

/// A connection to the bus, on which the controller is asked.
#[derive(Debug, Clone)]
pub struct Client {
    bus: async_nats::Client,
    servers: String,
    /// Under which name we ask.
    asker: BusUser,
    /// How long an answer is waited for, where the operator says.
    answer: Option<Duration>,
}

impl Client {
    /// Connects, and fails when that does not succeed at once: an operator waits for it.
    pub async fn connect(args: &Global) -> Result<Self, ClientError> {
        let servers = addresses(&args.server)?;
        let answer = args.timeout;
        let connected = answer.map_or(CONNECTED, |answer| answer.min(CONNECTED));
        let options = ConnectOptions::new().name("sanfleet").connection_timeout(connected);
        let (options, asker) = match &args.creds {
            Some(file) => with_credentials(options, file)?,
            None => (options, None),
        };
        let asker = asker.unwrap_or_else(BusUser::anybody);
        let options = match &args.ca {
            Some(file) => options.require_tls(true).add_root_certificates(file.clone()),
            None => options,
        };
        let shown = shown(&servers);
        match options.connect(servers).await {
            Ok(bus) => Ok(Self { bus, servers: shown, asker, answer }),
            Err(source) => Err(ClientError::Unreachable { servers: shown, source }),
        }
    }

    /// Asks the controller, and waits for its answer as long as the operator allows.
    pub async fn call<O: Operation>(&self, request: O) -> Result<O::Reply, ClientError> {
        self.call_within(request, self.answer.unwrap_or(O::ANSWER)).await
    }

    /// Asks the controller, and waits for its answer at most `limit` and at most as long as the operator allows.
    pub async fn call_within<O: Operation>(
        &self,
        request: O,
        limit: Duration,
    ) -> Result<O::Reply, ClientError> {
        let limit = self.answer.map_or(limit, |answer| answer.min(limit));
        let until = Instant::now() + limit;
        let ask = || {
            let left = until.saturating_duration_since(Instant::now());
            let asked = Request::new().payload(request.encode_to_vec().into()).timeout(Some(left));
            self.bus.send_request(subject::api(&self.asker, O::NAME), asked)
        };
        let mut first = pin!(ask());
        let answer = match timeout(ASK_ANOTHER.min(limit), &mut first).await {
            Ok(answer) => answer,
            Err(_) if O::STARTS_WORK => first.await,
            // Whoever answers first.
            Err(_) => tokio::select! {
                answer = &mut first => answer,
                answer = ask() => answer,
            },
        };
        let answer = answer.map_err(|source| match source.kind() {
            RequestErrorKind::NoResponders => ClientError::NoController { servers: self.servers.clone() },
            RequestErrorKind::TimedOut | RequestErrorKind::Other => {
                ClientError::NoAnswer { operation: O::NAME, limit, starts_work: O::STARTS_WORK, source }
            }
            RequestErrorKind::InvalidSubject | RequestErrorKind::MaxPayloadExceeded => {
                ClientError::Unsendable { operation: O::NAME, source }
            }
        })?;
        if let Some(refusal) = refusal(answer.headers.as_ref(), &answer.payload) {
            return Err(refusal);
        }
        O::Reply::decode(answer.payload).map_err(|source| ClientError::Garbled {
            operation: O::NAME,
            starts_work: O::STARTS_WORK,
            source,
        })
    }

    /// True while there is a connection to the bus.
    pub fn is_connected(&self) -> bool {
        self.bus.connection_state() == async_nats::connection::State::Connected
    }
}

pub fn addresses(servers: &[String]) -> Result<Vec<ServerAddr>, ClientError> {
    // Which of them it is must do: the text may hold a password.
    (1..)
        .zip(servers)
        .map(|(nth, text)| text.trim().parse().map_err(|_| ClientError::Address { nth }))
        .collect()
}

/// Answers come to an inbox of our own, which nobody else may listen to; and we ask under our own name, as nobody else may.
fn with_credentials(
    options: ConnectOptions,
    file: &Path,
) -> Result<(ConnectOptions, Option<BusUser>), ClientError> {
    let unusable = |source| ClientError::Credentials { file: file.to_owned(), source };
    let text = std::fs::read_to_string(file).map_err(unusable)?;
    let options = options.credentials(&text).map_err(unusable)?;
    Ok(match credentials::identity(&text) {
        Some(own) => (options.custom_inbox_prefix(own.inbox), Some(own.name)),
        None => (options, None),
    })
}

/// The servers without the user and password that an address may carry.
fn shown(servers: &[ServerAddr]) -> String {
    let shown: Vec<String> = servers.iter().map(|s| format!("{}:{}", s.host(), s.port())).collect();
    shown.join(", ")
}

/// A failed call says so in its headers (NATS micro services, ADR-32); its body tells more when it can be read.
fn refusal(headers: Option<&HeaderMap>, body: &[u8]) -> Option<ClientError> {
    let text = headers?.get(service::NATS_SERVICE_ERROR)?.to_string();
    let told = v1::ApiError::decode(body).unwrap_or_default();
    let kind = match told.kind() {
        api_error::Kind::Unspecified => kind_of_text(&text),
        kind => kind,
    };
    let message = if told.message.is_empty() { text } else { told.message };
    Some(ClientError::Refused { kind, message, hint: told.hint })
}

fn kind_of_text(text: &str) -> api_error::Kind {
    api_error::Kind::from_str_name(text).unwrap_or(api_error::Kind::Internal)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn failed(text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(service::NATS_SERVICE_ERROR, text);
        headers.insert(service::NATS_SERVICE_ERROR_CODE, "404");
        headers
    }

    #[test]
    fn an_answer_without_the_error_header_is_no_refusal() {
        assert!(refusal(None, b"").is_none());
        assert!(refusal(Some(&HeaderMap::new()), b"").is_none());
    }

    #[test]
    fn a_refusal_tells_what_its_body_tells() {
        let body = v1::ApiError {
            kind: api_error::Kind::Conflict as i32,
            message: "mount point is busy".to_owned(),
            hint: "choose another".to_owned(),
        };
        let error = refusal(Some(&failed("CONFLICT")), &body.encode_to_vec()).unwrap();
        assert_eq!(error.to_string(), "mount point is busy");
        assert_eq!(error.hint().as_deref(), Some("choose another"));
        assert_eq!(error.exit(), crate::exit::Exit::Conflict);
    }

    #[test]
    fn a_refusal_whose_body_is_lost_still_tells_its_kind() {
        let error = refusal(Some(&failed("NOT_FOUND")), b"\xff\xff").unwrap();
        assert_eq!(error.exit(), crate::exit::Exit::NotFound);
        assert_eq!(refusal(Some(&failed("??")), b"").unwrap().exit(), crate::exit::Exit::Failed);
    }

    #[test]
    fn a_server_is_shown_without_its_password() {
        let servers = addresses(&["nats://u:secret@bus1:4223".to_owned(), " bus2 ".to_owned()]).unwrap();
        assert_eq!(shown(&servers), "bus1:4223, bus2:4222");
        let error = addresses(&["nats://u:secret@ b:x".to_owned()]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }

    proptest! {
        #[test]
        fn any_body_of_a_refusal_is_told(body in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(refusal(Some(&failed("INTERNAL")), &body).is_some());
        }
    }
}
