//! What the controller publishes: CloudEvents, their attributes in `ce-*` headers, their data as proto3 JSON.
//!
//! Source: CloudEvents NATS protocol binding 1.0, binary content mode.

use std::time::{Duration, SystemTime};

use async_nats::{
    HeaderMap,
    jetstream::{
        self,
        consumer::{DeliverPolicy, pull},
    },
};
use futures::{Stream, StreamExt as _, future, stream};
use sanfleet_protocol::{EventFilter, subject, v1};
use serde::Serialize;

use super::{Client, ClientError};

/// One event, in the shape of CloudEvents' JSON format.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    pub specversion: String,
    pub id: String,
    pub source: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub subject: String,
    pub time: String,
    /// The event's number among those about the same object (CloudEvents' `sequence` extension).
    pub sequence: String,
    /// Where it is in the stream: what [`Since::Sequence`] takes.
    pub streamsequence: u64,
    pub data: serde_json::Value,
}

/// From where on the events are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// All that the bus keeps.
    Ever,
    /// Only what comes.
    Now,
    /// What is not older than this.
    Ago(Duration),
    /// The event at this place in the stream, and those after it.
    Sequence(u64),
}

impl Event {
    /// Reads a message of the bus. What it lacks stays empty, and a body that is no JSON is kept as text.
    fn read(subject: &str, headers: Option<&HeaderMap>, body: &[u8], streamsequence: u64) -> Self {
        let attribute = |name: &str| {
            headers.and_then(|all| all.get(name)).map(ToString::to_string).filter(|text| !text.is_empty())
        };
        Self {
            specversion: attribute("ce-specversion").unwrap_or_else(|| "1.0".to_owned()),
            id: attribute("ce-id").unwrap_or_default(),
            source: attribute("ce-source").unwrap_or_default(),
            kind: attribute("ce-type").unwrap_or_else(|| kind_of(subject)),
            subject: attribute("ce-subject").unwrap_or_default(),
            time: attribute("ce-time").unwrap_or_default(),
            sequence: attribute("ce-sequence").unwrap_or_default(),
            streamsequence,
            data: serde_json::from_slice(body)
                .unwrap_or_else(|_| serde_json::Value::String(String::from_utf8_lossy(body).into_owned())),
        }
    }

    /// What the event says, where this build knows it.
    pub fn told(&self) -> Option<v1::event_data::Event> {
        serde_json::from_value::<v1::EventData>(self.data.clone()).ok()?.event
    }

    /// The run that this event is about.
    fn run(&self) -> Option<String> {
        match self.told()? {
            v1::event_data::Event::Run(change) => Some(change.run),
            v1::event_data::Event::Step(change) => Some(change.run),
            _ => None,
        }
    }
}

/// The type in an event's subject: what is between the common beginning and the object it is about.
fn kind_of(subject: &str) -> String {
    let rest = subject.strip_prefix(subject::ROOT).and_then(|rest| rest.strip_prefix(".event."));
    rest.and_then(|rest| rest.rsplit_once('.')).map(|(kind, _)| kind.to_owned()).unwrap_or_default()
}

impl Client {
    /// Yields once for every event about this run: a hint to look again, not to be relied on.
    pub async fn run_hints(&self, run: &str) -> Result<impl Stream<Item = ()> + Unpin + use<>, ClientError> {
        let run = run.to_owned();
        let of_runs = self.messages_of("run").await?;
        let of_steps = self.messages_of("step").await?;
        Ok(stream::select(of_runs, of_steps).filter_map(move |message| {
            let event = Event::read(&message.subject, message.headers.as_ref(), &message.payload, 0);
            future::ready((event.run().as_deref() == Some(&*run)).then_some(()))
        }))
    }

    /// Every event whose type begins with this noun.
    async fn messages_of(&self, noun: &str) -> Result<async_nats::Subscriber, ClientError> {
        let subscribed = self.bus.subscribe(subject::event(noun, ">")).await;
        subscribed.map_err(|source| ClientError::Subscribe { source })
    }

    /// The events that the bus keeps, in their order. It takes up where it was when the connection is lost and comes back.
    /// With `follow` it goes on for ever, without it ends with the last one that is there now. The bus leaves out what the
    /// filter does not name.
    pub async fn events(
        &self,
        since: Since,
        filter: &EventFilter,
        follow: bool,
    ) -> Result<impl Stream<Item = Result<Event, ClientError>> + use<>, ClientError> {
        let kept = jetstream::new(self.bus.clone()).get_stream(subject::EVENTS_STREAM).await;
        let kept = kept.map_err(|source| ClientError::NoEvents { source })?;
        let config = pull::OrderedConfig {
            deliver_policy: since.policy(),
            filter_subjects: filter.subjects(),
            ..Default::default()
        };
        let consumer = kept.create_consumer(config).await;
        let consumer = consumer.map_err(|source| ClientError::ReadEvents { source })?;
        let waiting = consumer.cached_info().num_pending;
        let messages = consumer.messages().await;
        let messages = messages.map_err(|source| ClientError::Consume { source })?;
        let wanted = if follow { usize::MAX } else { usize::try_from(waiting).unwrap_or(usize::MAX) };
        Ok(messages.take(wanted).map(|message| {
            let message = message.map_err(|source| ClientError::LostEvents { source })?;
            let place = message.info().map(|info| info.stream_sequence).unwrap_or_default();
            Ok(Event::read(&message.subject, message.headers.as_ref(), &message.payload, place))
        }))
    }
}

impl Since {
    fn policy(self) -> DeliverPolicy {
        match self {
            Self::Ever => DeliverPolicy::All,
            Self::Now => DeliverPolicy::New,
            Self::Sequence(at) => DeliverPolicy::ByStartSequence { start_sequence: at.max(1) },
            Self::Ago(ago) => match SystemTime::now().checked_sub(ago) {
                Some(start) if start >= SystemTime::UNIX_EPOCH => {
                    DeliverPolicy::ByStartTime { start_time: start.into() }
                }
                _ => DeliverPolicy::All,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers() -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("ce-id", "7"),
            ("ce-source", "/c"),
            ("ce-type", "step.done"),
            ("ce-subject", "r1"),
            ("ce-sequence", "9"),
        ] {
            headers.insert(name, value);
        }
        headers
    }

    #[test]
    fn an_event_is_read_from_headers_and_body() {
        let body = br#"{"step":{"run":"r1","step":"mount","state":"STEP_STATE_DONE","duration_us":"1500"}}"#;
        let event = Event::read("sanfleet.v1.event.step.done.r1", Some(&headers()), body, 41);
        assert_eq!(event.kind, "step.done");
        assert_eq!(event.run().as_deref(), Some("r1"));
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(json["specversion"], "1.0");
        assert_eq!(json["type"], "step.done");
        assert_eq!((&json["sequence"], &json["streamsequence"]), (&"9".into(), &41.into()));
        assert_eq!(json["data"]["step"]["step"], "mount");
    }

    #[test]
    fn a_bare_message_is_an_event_by_its_subject() {
        let event = Event::read("sanfleet.v1.event.host.online.db1", None, b"not json", 0);
        assert_eq!(event.kind, "host.online");
        assert_eq!(event.data, serde_json::Value::String("not json".to_owned()));
        assert!(event.told().is_none());
    }

    #[test]
    fn more_time_than_there_has_been_means_ever() {
        assert_eq!(Since::Ago(Duration::MAX).policy(), DeliverPolicy::All);
        let ago = Since::Ago(Duration::from_secs(60)).policy();
        assert!(matches!(ago, DeliverPolicy::ByStartTime { .. }));
    }

    proptest! {
        #[test]
        fn any_message_is_read(subject in "\\PC{0,60}", body in proptest::collection::vec(any::<u8>(), 0..80)) {
            let event = Event::read(&subject, None, &body, 0);
            let _ = event.told();
            let _ = event.run();
        }
    }
}
