//! From the bus to whoever carries commands out, and the results back.

use std::{future::Future, sync::Arc};

use async_nats::{Client, SubscribeError};
use bytes::Bytes;
use futures::StreamExt;
use prost::Message;
use sanfleet_protocol::{HostId, subject};
use tokio::{
    sync::oneshot,
    task::{JoinSet, unconstrained},
};

use crate::inbox::Inbox;

/// Carries commands out.
pub trait Answers: Send + Sync + 'static {
    /// The result of what one message says; `None` when nobody can tell. Commands are begun in the order in which this is first
    /// polled.
    fn answer(&self, message: Bytes) -> impl Future<Output = Option<Bytes>> + Send;
}

impl Answers for Inbox {
    async fn answer(&self, message: Bytes) -> Option<Bytes> {
        Some(self.handle(&message).await.encode_to_vec().into())
    }
}

/// Takes a host's commands until it is told to stop, then waits for what is under way. Subscribed when this returns.
pub async fn run<A: Answers>(
    host: &HostId,
    answers: Arc<A>,
    client: Client,
    mut stop: oneshot::Receiver<()>,
) -> Result<impl Future<Output = ()> + use<A>, SubscribeError> {
    let mut commands = client.subscribe(subject::command(host)).await?;
    Ok(async move {
        let mut under_way = JoinSet::new();
        loop {
            tokio::select! {
                _ = &mut stop => break,
                message = commands.next() => {
                    let Some(message) = message else { break };
                    begin(&mut under_way, answer(Arc::clone(&answers), client.clone(), message)).await;
                }
                Some(_) = under_way.join_next() => {}
            }
        }
        // No more come in; those that are under way are finished and answered.
        if let Err(error) = commands.unsubscribe().await {
            tracing::debug!(%error, "the bus is gone already");
        }
        while under_way.join_next().await.is_some() {}
    })
}

/// Begins one here and now, and lets it go on beside the others: the commands of a run queue up in the order in which they came.
pub async fn begin(under_way: &mut JoinSet<()>, one: impl Future<Output = ()> + Send + 'static) {
    let mut one = Box::pin(unconstrained(one));
    if futures::poll!(&mut one).is_pending() {
        under_way.spawn(one);
    }
}

async fn answer<A: Answers>(answers: Arc<A>, client: Client, message: async_nats::Message) {
    let Some(result) = answers.answer(message.payload).await else { return };
    let Some(reply) = message.reply else { return };
    if let Err(error) = client.publish(reply, result).await {
        // It is in the ledger: the controller will ask again.
        tracing::warn!(%error, "a result cannot be sent");
    }
}
