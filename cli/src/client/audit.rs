//! The record of who asked for what, as the bus keeps it. Whether it is whole is for its reader to find out.

use async_nats::jetstream::{self, consumer::pull};
use futures::{Stream, StreamExt as _};
use sanfleet_protocol::subject;

use super::{Client, ClientError};

impl Client {
    /// The records that are there now, oldest first, each as it is kept.
    pub async fn audit(
        &self,
    ) -> Result<impl Stream<Item = Result<Vec<u8>, ClientError>> + use<>, ClientError> {
        let kept = jetstream::new(self.bus.clone()).get_stream(subject::AUDIT_STREAM).await;
        let kept = kept.map_err(|source| ClientError::NoAudit { source })?;
        let consumer = kept.create_consumer(pull::OrderedConfig::default()).await;
        let consumer = consumer.map_err(|source| ClientError::ReadAudit { source })?;
        let waiting = usize::try_from(consumer.cached_info().num_pending).unwrap_or(usize::MAX);
        let messages = consumer.messages().await;
        let messages = messages.map_err(|source| ClientError::Consume { source })?;
        Ok(messages.take(waiting).map(|message| match message {
            Ok(message) => Ok(message.payload.to_vec()),
            Err(source) => Err(ClientError::LostEvents { source }),
        }))
    }
}
