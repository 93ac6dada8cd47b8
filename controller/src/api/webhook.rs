//! Operations on webhooks.

use std::time::{Duration, Instant};

use sanfleet_protocol::{
    WebhookId,
    limits::full_text,
    seal::Purpose,
    v1::{self, WebhookState, api_error::Kind},
};

use super::{Api, Failure};
use crate::webhooks::{DefinitionError, Status, Webhook, WebhookError};

/// Dead letters that are listed when nobody says how many, and most.
const DEFAULT_LIMIT: usize = 100;
const MOST: usize = 1_000;
/// How long sending dead letters again may take: less than who asked waits for the answer.
const RETRYING: Duration = Duration::from_secs(8);

impl From<DefinitionError> for Failure {
    fn from(error: DefinitionError) -> Self {
        Self::new(Kind::Invalid, error, "")
    }
}

impl From<WebhookError> for Failure {
    fn from(error: WebhookError) -> Self {
        let (kind, hint) = match &error {
            WebhookError::Taken(_) => (Kind::Conflict, "`sanfleet webhook list` shows it; remove it first"),
            WebhookError::Unknown(_) => (Kind::NotFound, "`sanfleet webhook list` shows those that are"),
            WebhookError::NoSecret(_) => (
                Kind::Conflict,
                "give it with --secret-file, or to the service as the systemd credential webhook-NAME",
            ),
            WebhookError::Secret { .. } => {
                (Kind::Internal, "see state_dir in controller.toml, and who may write there")
            }
            WebhookError::Bus(_) => (Kind::Unavailable, "is JetStream up?"),
        };
        Self::new(kind, full_text(&error), hint)
    }
}

impl Api {
    pub(super) async fn webhook_add(
        self,
        request: v1::WebhookAddRequest,
    ) -> Result<v1::WebhookAddReply, Failure> {
        let definition = request.webhook.unwrap_or_default();
        let webhook = Webhook::parse(&definition)?;
        let purpose = Purpose::AddWebhook { name: &definition.name, url: &definition.url };
        let secret = request.secret.map(|sealed| self.unseal(&sealed, purpose)).transpose()?;
        let name = webhook.name.clone();
        self.webhooks.add(webhook, secret).await?;
        let all = self.webhooks.list().await?;
        let added = all.into_iter().find(|status| status.webhook.name == name);
        Ok(v1::WebhookAddReply { webhook: added.map(summary) })
    }

    pub(super) async fn webhook_list(
        self,
        _: v1::WebhookListRequest,
    ) -> Result<v1::WebhookListReply, Failure> {
        let all = self.webhooks.list().await?;
        Ok(v1::WebhookListReply { webhooks: all.into_iter().map(summary).collect() })
    }

    pub(super) async fn webhook_remove(
        self,
        request: v1::WebhookRemoveRequest,
    ) -> Result<v1::WebhookRemoveReply, Failure> {
        let name: WebhookId = request.name.parse()?;
        self.webhooks.remove(&name).await?;
        Ok(v1::WebhookRemoveReply {})
    }

    pub(super) async fn webhook_test(
        self,
        request: v1::WebhookTestRequest,
    ) -> Result<v1::WebhookTestReply, Failure> {
        let webhook = self.webhooks.find(&request.name.parse()?).await?;
        let begun = Instant::now();
        match self.webhooks.test(&webhook).await? {
            Ok(status) => {
                let took_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
                Ok(v1::WebhookTestReply { status: status.as_u16().into(), took_us })
            }
            Err(why) => {
                let message = format!("{} did not take the event: {}", webhook.url, full_text(&why));
                Err(Failure::new(Kind::Unavailable, message, "see what listens there"))
            }
        }
    }

    pub(super) async fn webhook_dead(
        self,
        request: v1::WebhookDeadRequest,
    ) -> Result<v1::WebhookDeadReply, Failure> {
        let webhook = self.webhooks.find(&request.name.parse()?).await?;
        let limit = match request.limit {
            0 => DEFAULT_LIMIT,
            limit => usize::try_from(limit).unwrap_or(MOST).min(MOST),
        };
        Ok(v1::WebhookDeadReply { letters: self.webhooks.dead(&webhook.name, limit).await? })
    }

    pub(super) async fn webhook_retry(
        self,
        request: v1::WebhookRetryRequest,
    ) -> Result<v1::WebhookRetryReply, Failure> {
        let webhook = self.webhooks.find(&request.name.parse()?).await?;
        let retried = self.webhooks.retry(&webhook, RETRYING).await?;
        Ok(v1::WebhookRetryReply { delivered: retried.delivered, error: retried.error, left: retried.left })
    }
}

fn summary(status: Status) -> v1::WebhookSummary {
    let state = match &status.figures {
        None => WebhookState::NoSecret,
        Some(figures) if figures.failing => WebhookState::Failing,
        Some(_) => WebhookState::Ok,
    };
    let figures = status.figures.unwrap_or_default();
    v1::WebhookSummary {
        webhook: Some(status.webhook.definition()),
        state: state.into(),
        waiting: status.waiting,
        under_way: status.under_way,
        dead: status.dead,
        delivered: figures.delivered,
        failed: figures.failed,
        delivered_at_unix_ms: figures.delivered_at_unix_ms,
        failed_at_unix_ms: figures.failed_at_unix_ms,
        error: figures.error,
    }
}
