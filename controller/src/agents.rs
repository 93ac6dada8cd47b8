//! Commands to agents: signed, sent until answered, each carried out at most once.

use std::time::Duration;

use async_nats::client::RequestErrorKind;
use bytes::Bytes;
use futures::future::BoxFuture;
use prost::Message;
use sanfleet_protocol::{
    CommandId, Fence, HostId, RunId, VERSION,
    delegation::SignedDelegation,
    sign::CommandKey,
    subject,
    v1::{self, command::Action, command_error, command_result},
};
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use crate::clock::Clock;

/// How long one request waits before the same command is sent again. The agent joins a repetition to the first.
const REPEAT_AFTER: Duration = Duration::from_secs(2);
/// Pause before a host that nobody answers for is tried again.
const OFFLINE_PAUSE: Duration = Duration::from_millis(200);

/// On whose behalf a command is sent.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    pub run: RunId,
    pub step: &'static str,
    pub fence: Fence,
    pub if_offline: IfOffline,
}

/// What to do when nobody listens on a host's subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfOffline {
    /// A run has begun: the agent may come back before the deadline.
    Wait,
    /// Nothing has begun, and a person is waiting for the answer.
    GiveUp,
}

/// Why a command has no good result.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AgentError {
    #[error("the agent of host {host} is offline")]
    Offline { host: HostId },
    #[error("the agent of host {host} gave no answer within {} ms, so whether it acted is not known", after.as_millis())]
    Unanswered { host: HostId, after: Duration },
    #[error("host {host}: {message}")]
    Failed { host: HostId, kind: command_error::Kind, message: String, retryable: bool },
    /// Another controller may have taken the run over; its journal will tell.
    #[error("host {host} was not asked: this controller was cut off from the bus for too long")]
    NotOurs { host: HostId },
    #[error("the agent of host {host} answered with something that is not a result")]
    Nonsense { host: HostId },
}

impl AgentError {
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Offline { .. } | Self::Unanswered { .. } | Self::NotOurs { .. } => true,
            Self::Failed { retryable, .. } => *retryable,
            Self::Nonsense { .. } => false,
        }
    }
}

/// The way to the agents. The bus is the real side; tests put a scripted fleet here.
pub trait Agents: Send + Sync {
    /// Sends one command and waits for its result, repeating the same command while nobody answers.
    fn command<'a>(
        &'a self,
        host: &'a HostId,
        order: Order,
        action: Action,
        deadline: Duration,
    ) -> BoxFuture<'a, Result<v1::CommandDone, AgentError>>;
}

/// Carries bytes to the agent of a host, and its answer back.
pub trait Carrier: Send + Sync {
    /// One sending. The answer may be lost; whoever sends waits no longer than it likes to.
    fn request<'a>(&'a self, host: &'a HostId, bytes: Vec<u8>) -> BoxFuture<'a, Result<Bytes, Unheard>>;
}

/// What a carrier knows when there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unheard {
    /// Nobody answers for that host.
    Offline,
    TimedOut,
}

/// NATS request and reply.
impl Carrier for async_nats::Client {
    fn request<'a>(&'a self, host: &'a HostId, bytes: Vec<u8>) -> BoxFuture<'a, Result<Bytes, Unheard>> {
        Box::pin(async move {
            match self.request(subject::command(host), bytes.into()).await {
                Ok(message) => Ok(message.payload),
                Err(error) if error.kind() == RequestErrorKind::TimedOut => Err(Unheard::TimedOut),
                Err(error) => {
                    tracing::trace!(%host, %error, "nobody answers");
                    Err(Unheard::Offline)
                }
            }
        })
    }
}

/// Agents that heed what is signed with our key.
pub struct SignedAgents<C> {
    carrier: C,
    key: CommandKey,
    /// The operator's word for that key, where agents pin the operator's.
    delegation: Option<SignedDelegation>,
    clock: Clock,
}

impl<C: Carrier> SignedAgents<C> {
    pub fn new(carrier: C, key: CommandKey, clock: Clock) -> Self {
        Self { carrier, key, delegation: None, clock }
    }

    /// From now on the operator's word goes with every command.
    pub fn delegated(self, delegation: Option<SignedDelegation>) -> Self {
        Self { delegation, ..self }
    }

    fn sign(&self, command: &v1::Command) -> v1::SignedCommand {
        let delegation = self.delegation.as_ref().map(|signed| signed.as_bytes().to_vec());
        v1::SignedCommand { delegation: delegation.unwrap_or_default(), ..self.key.sign(command) }
    }

    async fn send(
        &self,
        host: &HostId,
        order: Order,
        action: Action,
        deadline: Duration,
    ) -> Result<v1::CommandDone, AgentError> {
        let issued = (self.clock)();
        let command = v1::Command {
            version: VERSION,
            id: CommandId::new(Uuid::now_v7()).to_string(),
            host: host.to_string(),
            run: order.run.to_string(),
            step: order.step.to_owned(),
            fence: order.fence.0,
            issued_at_unix_ms: issued,
            expires_at_unix_ms: issued
                .saturating_add(i64::try_from(deadline.as_millis()).unwrap_or(i64::MAX)),
            action: Some(action),
        };
        let bytes = self.sign(&command).encode_to_vec();
        let until = Instant::now() + deadline;
        let mut last = AgentError::Unanswered { host: host.clone(), after: deadline };
        while Instant::now() < until {
            let wait_until = until.min(Instant::now() + REPEAT_AFTER);
            match timeout_at(wait_until, self.carrier.request(host, bytes.clone())).await {
                Ok(Ok(reply)) => return read_result(host, &command.id, &reply),
                Ok(Err(Unheard::TimedOut)) | Err(_) => {
                    last = AgentError::Unanswered { host: host.clone(), after: deadline };
                }
                Ok(Err(Unheard::Offline)) => {
                    last = AgentError::Offline { host: host.clone() };
                    if order.if_offline == IfOffline::GiveUp {
                        return Err(last);
                    }
                    sleep(OFFLINE_PAUSE.min(until.saturating_duration_since(Instant::now()))).await;
                }
            }
        }
        Err(last)
    }
}

impl<C: Carrier> Agents for SignedAgents<C> {
    fn command<'a>(
        &'a self,
        host: &'a HostId,
        order: Order,
        action: Action,
        deadline: Duration,
    ) -> BoxFuture<'a, Result<v1::CommandDone, AgentError>> {
        Box::pin(self.send(host, order, action, deadline))
    }
}

fn read_result(host: &HostId, id: &str, reply: &[u8]) -> Result<v1::CommandDone, AgentError> {
    let nonsense = || AgentError::Nonsense { host: host.clone() };
    let result = v1::CommandResult::decode(reply).map_err(|_| nonsense())?;
    // A refusal of bytes that the agent could not even open carries no id.
    if result.id != id && !matches!(result.outcome, Some(command_result::Outcome::Error(_))) {
        return Err(nonsense());
    }
    match result.outcome.ok_or_else(nonsense)? {
        command_result::Outcome::Done(done) => Ok(done),
        command_result::Outcome::Error(error) => Err(AgentError::Failed {
            host: host.clone(),
            kind: error.kind(),
            message: sanfleet_protocol::limits::legible(&error.message),
            retryable: error.retryable,
        }),
    }
}
