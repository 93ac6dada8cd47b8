//! The API: a NATS micro service, one subject an operation. Requests and replies are the messages of `api.proto`.
//!
//! A handler parses, asks the catalog or the runs, and answers. What changes storage is a run, never a handler.

use std::sync::Arc;

use async_nats::{
    HeaderMap,
    service::{NATS_SERVICE_ERROR, NATS_SERVICE_ERROR_CODE, Service, ServiceExt, endpoint::Endpoint},
};
use futures::StreamExt;
use prost::Message;
use sanfleet_protocol::{
    IdError,
    file_system::FileSystemError,
    labels::LabelError,
    limits::{full_text, legible},
    subject,
    v1::{self, api_error::Kind},
};

use crate::{
    agents::{AgentError, Agents},
    arrays::{ArrayError, Looker},
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
mod run;
mod sealing;
mod volume;
mod webhook;

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
        let group = service.group(subject::API);
        let at = |operation: &'static str| group.endpoint(operation);

        self.answer(at("status.show").await?, Self::status);
        self.answer(at("host.list").await?, Self::host_list);
        self.answer(at("host.show").await?, Self::host_show);
        self.answer(at("host.cordon").await?, Self::host_cordon);
        self.answer(at("host.retire").await?, Self::host_retire);
        self.answer(at("host.label").await?, Self::host_label);
        self.answer(at("device.list").await?, Self::device_list);
        self.answer(at("map.show").await?, Self::map);
        self.answer(at("array.list").await?, Self::array_list);
        self.answer(at("array.show").await?, Self::array_show);
        self.answer(at("array.add").await?, Self::array_add);
        self.answer(at("array.password").await?, Self::array_password);
        self.answer(at("array.remove").await?, Self::array_remove);
        self.answer(at("array.sealing_key").await?, Self::sealing_key);
        self.answer(at("volume.list").await?, Self::volume_list);
        self.answer(at("backup.attach").await?, Self::backup_attach);
        self.answer(at("backup.detach").await?, Self::backup_detach);
        self.answer(at("volume.provision").await?, Self::provision);
        self.answer(at("volume.clone").await?, Self::clone_volume);
        self.answer(at("volume.detach").await?, Self::volume_detach);
        self.answer(at("volume.delete").await?, Self::volume_delete);
        self.answer(at("volume.resize").await?, Self::volume_resize);
        self.answer(at("volume.move").await?, Self::volume_move);
        self.answer(at("volume.adopt").await?, Self::adopt);
        self.answer(at("doctor.list").await?, Self::doctor_list);
        self.answer(at("doctor.fix").await?, Self::doctor_fix);
        self.answer(at("run.list").await?, Self::run_list);
        self.answer(at("run.show").await?, Self::run_show);
        self.answer(at("run.control").await?, Self::run_control);
        self.answer(at("webhook.add").await?, Self::webhook_add);
        self.answer(at("webhook.list").await?, Self::webhook_list);
        self.answer(at("webhook.remove").await?, Self::webhook_remove);
        self.answer(at("webhook.test").await?, Self::webhook_test);
        self.answer(at("webhook.dead").await?, Self::webhook_dead);
        self.answer(at("webhook.retry").await?, Self::webhook_retry);
        Ok(service)
    }

    fn answer<Q, A, F, Fut>(&self, mut endpoint: Endpoint, handler: F)
    where
        Q: Message + Default + Send,
        A: Message + Send,
        F: Fn(Api, Q) -> Fut + Copy + Send + 'static,
        Fut: Future<Output = Result<A, Failure>> + Send,
    {
        let api = self.clone();
        tokio::spawn(async move {
            while let Some(request) = endpoint.next().await {
                let api = api.clone();
                tokio::spawn(async move {
                    let answer = match Q::decode(request.message.payload.clone()) {
                        Ok(wanted) => handler(api, wanted).await,
                        Err(error) => {
                            Err(Failure::new(Kind::Invalid, error, "is the client of this version?"))
                        }
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
