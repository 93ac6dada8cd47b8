//! Listens for hosts that ask to be let in, and answers them. Decides nothing.

use std::time::Duration;

use async_nats::{Client, ServerAddr, Subject, Subscriber};
use futures::StreamExt;
use prost::Message;
use sanfleet_protocol::{
    VERSION,
    credentials::identity,
    enrolment::{Invitation, is_user_key},
    limits::legible,
    subject,
    v1::{self, enrol_reply::Outcome},
};
use tokio::time::timeout;

use super::{Bus, BusError, connect::unreachable};

/// How long an answer may take to leave.
const SAY_WITHIN: Duration = Duration::from_secs(5);
/// No machine calls itself more, in characters.
const LONGEST_HOSTNAME: usize = 64;

#[derive(Debug)]
pub struct Registrar {
    client: Client,
    requests: Subscriber,
    servers: Vec<ServerAddr>,
}

/// Who asks.
#[derive(Debug)]
pub struct Newcomer {
    /// The public half of its key.
    pub user_key: String,
    /// What it calls itself. It may say anything.
    pub hostname: String,
    reply: Subject,
}

impl Registrar {
    /// Hears whoever holds this invitation, and nobody else. `credentials`: of a registrar.
    pub async fn listen(
        bus: &Bus,
        servers: &[ServerAddr],
        credentials: &str,
        invitation: &Invitation,
    ) -> Result<Self, BusError> {
        let client = bus.connect(servers, credentials).await?;
        let invited = identity(&invitation.credentials).map(|own| own.key).unwrap_or_default();
        let requests = client
            .subscribe(subject::enrolment(&invited))
            .await
            .map_err(|error| unreachable(servers, error.into()))?;
        client.flush().await.map_err(|error| unreachable(servers, error.into()))?;
        Ok(Self { client, requests, servers: servers.to_vec() })
    }

    /// The next one; what is no request is passed over. `None` when the bus is gone for good.
    pub async fn next(&mut self) -> Option<Newcomer> {
        loop {
            let message = self.requests.next().await?;
            let Ok(request) = v1::EnrolRequest::decode(message.payload) else { continue };
            if let (Some(reply), true) = (message.reply, is_user_key(&request.user_key)) {
                let hostname = legible(&request.hostname).chars().take(LONGEST_HOSTNAME).collect();
                return Some(Newcomer { user_key: request.user_key, hostname, reply });
            }
        }
    }

    /// Returns when the answer has left.
    pub async fn answer(&self, newcomer: &Newcomer, outcome: Outcome) -> Result<(), BusError> {
        let reply = v1::EnrolReply { version: VERSION, outcome: Some(outcome) }.encode_to_vec();
        let said = async {
            self.client.publish(newcomer.reply.clone(), reply.into()).await?;
            self.client.flush().await?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        };
        match timeout(SAY_WITHIN, said).await {
            Ok(said) => said.map_err(|error| unreachable(&self.servers, error)),
            Err(late) => Err(unreachable(&self.servers, late.into())),
        }
    }
}
