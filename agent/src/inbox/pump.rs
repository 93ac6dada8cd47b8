//! From the bus into the inbox, and the results back.

use std::sync::Arc;

use async_nats::{Client, SubscribeError};
use futures::StreamExt;
use prost::Message;
use sanfleet_protocol::subject;
use tokio::{sync::oneshot, task::unconstrained};

use super::Inbox;

/// Takes commands until it is told to stop, then waits for what is under way. Subscribed when this returns.
pub async fn run(
    inbox: Arc<Inbox>,
    client: Client,
    mut stop: oneshot::Receiver<()>,
) -> Result<impl Future<Output = ()>, SubscribeError> {
    let mut commands = client.subscribe(subject::command(&inbox.host)).await?;
    Ok(async move {
        let mut under_way = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                _ = &mut stop => break,
                message = commands.next() => {
                    let Some(message) = message else { break };
                    let mut answer = Box::pin(unconstrained(answer(Arc::clone(&inbox), client.clone(), message)));
                    // Begun here, so that the commands of a run queue up in the order in which they came.
                    if futures::poll!(&mut answer).is_pending() {
                        under_way.spawn(answer);
                    }
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

async fn answer(inbox: Arc<Inbox>, client: Client, message: async_nats::Message) {
    let result = inbox.handle(&message.payload).await;
    let Some(reply) = message.reply else { return };
    if let Err(error) = client.publish(reply, result.encode_to_vec().into()).await {
        // It is in the ledger: the controller will ask again.
        tracing::warn!(%error, command = %result.id, "a result cannot be sent");
    }
}
