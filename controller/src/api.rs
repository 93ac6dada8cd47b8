//! The API: a NATS micro service, one subject an operation. Requests and replies are the messages of `api.proto`.
//!
//! A handler parses, asks the catalog or the runs, and answers. What changes storage is a run, never a handler.

use std::sync::Arc;

use async_nats::{
    HeaderMap,
    service::{Group, NATS_SERVICE_ERROR, NATS_SERVICE_ERROR_CODE, Service, ServiceExt, endpoint::Endpoint},
};
use futures::StreamExt;
use prost::Message;
use sanfleet_protocol::{
    BusUser, IdError,
    file_system::FileSystemError,
    labels::LabelError,
    limits::{full_text, legible},
    sign::SignError,
    subject,
    v1::{self, api_error::Kind},
};
use serde::Serialize;

use crate::{
    agents::{AgentError, Agents},
    arrays::{ArrayError, Looker},
    audit::{Audit, AuditError},
    bus::Bus,
    plan::PlanError,
    reconciler::Reconciler,
    runs::{JournalError, Runs},
    selector::SelectorError,
    state::SharedCatalog,
    stored_hosts::{NotesError, StoredHosts},
    webhooks::Webhooks,
};

mod array;
mod array_change;
mod backup;
mod change;
mod doctor;
mod fleet;
mod host;
mod map;
mod place;
mod recorded;
mod run;
mod sealing;
mod volume;
mod webhook;

use recorded::recorded;
pub use sealing::Sealing;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// What handlers use. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    pub name: String,
    pub bus: Bus,
    pub catalog: SharedCatalog,
    pub hosts: StoredHosts,
    pub runs: Runs,
    pub looker: Looker,
    pub reconciler: Reconciler,
    pub agents: Arc<dyn Agents>,
    pub sealing: Arc<Sealing>,
    pub webhooks: Webhooks,
    pub audit: Audit,
}

/// A call that failed, in the words that the caller gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub kind: Kind,
    pub message: String,
    pub hint: String,
}

impl Failure {
    pub fn new(kind: Kind, message: impl ToString, hint: &str) -> Self {
        Self { kind, message: legible(&message.to_string()), hint: hint.to_owned() }
    }

    fn not_found(what: &str, name: &str, hint: &str) -> Self {
        Self::new(Kind::NotFound, format!("no {what} is named {name:?}"), hint)
    }

    /// The numbers are those of HTTP, which every tool knows.
    fn code(&self) -> u16 {
        match self.kind {
            Kind::Invalid => 400,
            Kind::NotFound => 404,
            Kind::Conflict => 409,
            Kind::Unavailable => 503,
            Kind::Internal | Kind::Unspecified => 500,
        }
    }
}

impl From<IdError> for Failure {
    fn from(error: IdError) -> Self {
        Self::new(Kind::Invalid, error, "")
    }
}

impl From<SelectorError> for Failure {
    fn from(error: SelectorError) -> Self {
        Self::new(Kind::Invalid, error, "it looks like web*,db1 or role=web,os!=debian")
    }
}

impl From<LabelError> for Failure {
    fn from(error: LabelError) -> Self {
        Self::new(Kind::Invalid, error, "")
    }
}

impl From<SignError> for Failure {
    fn from(error: SignError) -> Self {
        Self::new(Kind::Invalid, error, "")
    }
}

impl From<NotesError> for Failure {
    fn from(error: NotesError) -> Self {
        Self::new(Kind::Unavailable, full_text(&error), "is JetStream up?")
    }
}

impl From<FileSystemError> for Failure {
    fn from(error: FileSystemError) -> Self {
        Self::new(Kind::Invalid, error, "")
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        Self::new(error.kind(), &error, error.hint())
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Self::new(Kind::Unavailable, error, "is JetStream up?")
    }
}

impl From<ArrayError> for Failure {
    fn from(error: ArrayError) -> Self {
        Self::from_array(&error)
    }
}

impl Failure {
    fn from_array(error: &ArrayError) -> Self {
        Self::new(Kind::Unavailable, full_text(error), "`sanfleet array list` shows the state of each array")
    }
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Self {
        use v1::command_error::Kind as Refusal;
        let (kind, hint) = match &error {
            AgentError::Offline { .. } | AgentError::Unanswered { .. } => {
                (Kind::Unavailable, "see whether sanfleet-agent runs on that host")
            }
            AgentError::NotOurs { .. } => (Kind::Unavailable, "see whether the bus can be reached"),
            AgentError::Nonsense { .. } => {
                (Kind::Internal, "agent and controller may be of different versions")
            }
            AgentError::Failed { kind, .. } => match kind {
                Refusal::Invalid => (Kind::Invalid, ""),
                Refusal::NotFound => (Kind::NotFound, ""),
                Refusal::Refused => (Kind::Conflict, "does the agent have this controller's public key?"),
                Refusal::Busy | Refusal::WrongVolume | Refusal::Application => (Kind::Conflict, ""),
                Refusal::Timeout => (Kind::Unavailable, ""),
                Refusal::System | Refusal::Unspecified => (Kind::Internal, ""),
            },
        };
        Self::new(kind, error, hint)
    }
}

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Self {
        let message = format!("what is asked cannot be written down: {}", full_text(&error));
        Self::new(Kind::Unavailable, message, "nothing was done; is JetStream up?")
    }
}

impl Api {
    /// Starts answering. Each operation has its own task, and each request of it another.
    pub async fn serve(self) -> Result<Service, Error> {
        let service = self
            .bus
            .client
            .service_builder()
            .description("sanfleet controller")
            .queue_group("controller")
            .start("sanfleet", env!("CARGO_PKG_VERSION"))
            .await?;
        let group = service.group(subject::API_OF_ALL);

        self.looks(&group, "status.show", Self::status).await?;
        self.looks(&group, "host.list", Self::host_list).await?;
        self.looks(&group, "host.show", Self::host_show).await?;
        self.changes(&group, "host.cordon", Self::host_cordon).await?;
        self.changes(&group, "host.retire", Self::host_retire).await?;
        self.changes(&group, "host.label", Self::host_label).await?;
        self.changes(&group, "host.trust", Self::host_trust).await?;
        self.looks(&group, "device.list", Self::device_list).await?;
        self.looks(&group, "map.show", Self::map).await?;
        self.looks(&group, "array.list", Self::array_list).await?;
        self.looks(&group, "array.show", Self::array_show).await?;
        self.changes(&group, "array.add", Self::array_add).await?;
        self.changes(&group, "array.password", Self::array_password).await?;
        self.changes(&group, "array.remove", Self::array_remove).await?;
        self.looks(&group, "array.sealing_key", Self::sealing_key).await?;
        self.looks(&group, "volume.list", Self::volume_list).await?;
        self.changes(&group, "backup.attach", Self::backup_attach).await?;
        self.changes(&group, "backup.detach", Self::backup_detach).await?;
        self.changes(&group, "volume.provision", Self::provision).await?;
        self.changes(&group, "volume.clone", Self::clone_volume).await?;
        self.changes(&group, "volume.detach", Self::volume_detach).await?;
        self.changes(&group, "volume.delete", Self::volume_delete).await?;
        self.changes(&group, "volume.resize", Self::volume_resize).await?;
        self.changes(&group, "volume.move", Self::volume_move).await?;
        self.changes(&group, "volume.adopt", Self::adopt).await?;
        self.looks(&group, "doctor.list", Self::doctor_list).await?;
        self.changes(&group, "doctor.fix", Self::doctor_fix).await?;
        self.looks(&group, "run.list", Self::run_list).await?;
        self.looks(&group, "run.show", Self::run_show).await?;
        self.changes(&group, "run.control", Self::run_control).await?;
        self.changes(&group, "webhook.add", Self::webhook_add).await?;
        self.looks(&group, "webhook.list", Self::webhook_list).await?;
        self.changes(&group, "webhook.remove", Self::webhook_remove).await?;
        self.changes(&group, "webhook.test", Self::webhook_test).await?;
        self.looks(&group, "webhook.dead", Self::webhook_dead).await?;
        self.changes(&group, "webhook.retry", Self::webhook_retry).await?;
        Ok(service)
    }

    /// Answers what only looks.
    async fn looks<Q, A, F, Fut>(
        &self,
        group: &Group,
        operation: &'static str,
        handler: F,
    ) -> Result<(), Error>
    where
        Q: Message + Default + Send,
        A: Message + Send,
        F: Fn(Api, Q) -> Fut + Copy + Send + Sync + 'static,
        Fut: Future<Output = Result<A, Failure>> + Send,
    {
        let endpoint = endpoint(group, operation).await?;
        self.answer(endpoint, move |api, _, wanted| handler(api, wanted));
        Ok(())
    }

    /// Answers what changes something, which is written down before and after.
    async fn changes<Q, A, F, Fut>(
        &self,
        group: &Group,
        operation: &'static str,
        handler: F,
    ) -> Result<(), Error>
    where
        Q: Message + Default + Serialize + Send + Sync,
        A: Message + Serialize + Send + Sync,
        F: Fn(Api, Q) -> Fut + Copy + Send + Sync + 'static,
        Fut: Future<Output = Result<A, Failure>> + Send,
    {
        let endpoint = endpoint(group, operation).await?;
        self.answer(endpoint, move |api, by, wanted| recorded(api, by, operation, wanted, handler));
        Ok(())
    }

    fn answer<Q, A, F, Fut>(&self, mut endpoint: Endpoint, handler: F)
    where
        Q: Message + Default + Send,
        A: Message + Send,
        F: Fn(Api, BusUser, Q) -> Fut + Copy + Send + 'static,
        Fut: Future<Output = Result<A, Failure>> + Send,
    {
        let api = self.clone();
        tokio::spawn(async move {
            while let Some(request) = endpoint.next().await {
                let api = api.clone();
                tokio::spawn(async move {
                    let answer = match read(&request.message) {
                        Ok((by, wanted)) => handler(api, by, wanted).await,
                        Err(failure) => Err(failure),
                    };
                    let (body, headers) = encode(answer);
                    if let Err(error) = request.respond_with_headers(Ok(body.into()), headers).await {
                        tracing::debug!(%error, "answer not sent");
                    }
                });
            }
        });
    }
}

async fn endpoint(group: &Group, operation: &'static str) -> Result<Endpoint, Error> {
    group.endpoint_builder().name(operation.replace('.', "-")).add(operation).await
}

/// Who asks, and for what.
fn read<Q: Message + Default>(message: &async_nats::Message) -> Result<(BusUser, Q), Failure> {
    let unreadable =
        |error: &dyn std::fmt::Display| Failure::new(Kind::Invalid, error, "is the client of this version?");
    let by = subject::asker(&message.subject).map_err(|error| unreadable(&error))?;
    Ok((by, Q::decode(message.payload.clone()).map_err(|error| unreadable(&error))?))
}

fn encode<A: Message>(answer: Result<A, Failure>) -> (Vec<u8>, HeaderMap) {
    let mut headers = HeaderMap::new();
    let failure = match answer {
        Ok(answer) => return (answer.encode_to_vec(), headers),
        Err(failure) => failure,
    };
    headers.insert(NATS_SERVICE_ERROR, failure.message.replace(['\r', '\n'], " ").as_str());
    headers.insert(NATS_SERVICE_ERROR_CODE, failure.code().to_string().as_str());
    let body = v1::ApiError { kind: failure.kind.into(), message: failure.message, hint: failure.hint };
    (body.encode_to_vec(), headers)
}
