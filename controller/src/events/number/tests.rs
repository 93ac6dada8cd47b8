use std::sync::{Arc, Mutex};

use futures::{StreamExt, future::BoxFuture};
use proptest::prelude::*;
use sanfleet_protocol::v1;

use super::*;
use crate::events::{EventKind, Stand, Standing, Teller, publisher::Publisher};

/// A stream in memory that can be told to lose what comes to it, and what it answers.
#[derive(Debug, Default)]
struct MemoryLog {
    stored: Mutex<Vec<Stored>>,
    /// One for each append that is still to come; none left means that all is well.
    faults: Mutex<Vec<Fault>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Stored {
    about: String,
    kept: Kept,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    LostEvent,
    LostAnswer,
}

impl MemoryLog {
    fn with_faults(faults: Vec<Fault>) -> Self {
        Self { faults: Mutex::new(faults), ..Self::default() }
    }

    fn about(&self, about: &str) -> Vec<Kept> {
        let stored = self.stored.lock().unwrap();
        stored.iter().filter(|one| one.about == about).map(|one| one.kept.clone()).collect()
    }

    fn numbers(&self, about: &str) -> Vec<u64> {
        self.about(about).iter().map(|kept| kept.place.number).collect()
    }

    fn ids(&self, about: &str) -> Vec<String> {
        self.about(about).into_iter().map(|kept| kept.id).collect()
    }

    fn append_now(&self, event: &Outgoing, number: u64, expected: u64) -> Appended {
        let mut stored = self.stored.lock().unwrap();
        let about = |one: &&Stored| one.about == event.about;
        // nats-server checks the sequence first and the id then.
        if stored.iter().rfind(about).map_or(0, |last| last.kept.place.sequence) != expected {
            return Appended::Moved;
        }
        if stored.iter().any(|one| one.kept.id == event.id) {
            return Appended::Duplicate;
        }
        let sequence = stored.last().map_or(0, |last| last.kept.place.sequence) + 1;
        let kept = Kept { id: event.id.clone(), place: Place { sequence, number } };
        stored.push(Stored { about: event.about.clone(), kept });
        Appended::At(sequence)
    }
}

impl Log for MemoryLog {
    fn append<'a>(
        &'a self,
        event: &'a Outgoing,
        number: u64,
        expected: u64,
    ) -> BoxFuture<'a, Result<Appended, Silent>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let fault = self.faults.lock().unwrap().pop().unwrap_or(Fault::None);
            let appended = (fault != Fault::LostEvent).then(|| self.append_now(event, number, expected));
            match appended {
                Some(appended) if fault == Fault::None => Ok(appended),
                _ => Err(Silent("lost".into())),
            }
        })
    }

    fn newest<'a>(&'a self, about: &'a str) -> BoxFuture<'a, Result<Option<Kept>, Silent>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            Ok(self.about(about).pop())
        })
    }

    fn next<'a>(&'a self, about: &'a str, after: u64) -> BoxFuture<'a, Result<Option<Kept>, Silent>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            Ok(self.about(about).into_iter().find(|kept| kept.place.sequence > after))
        })
    }
}

fn event(id: &str, about: &str, teller: Teller) -> Outgoing {
    let data = v1::event_data::Event::Host(v1::HostPresence::default());
    let kind = EventKind::DeviceGone;
    Outgoing { id: id.to_owned(), kind, about: about.to_owned(), at_unix_ms: 0, data, teller }
}

fn gap_free(numbers: &[u64]) -> bool {
    numbers.iter().zip(1..).all(|(number, wanted)| *number == wanted)
}

async fn publish(log: &Arc<MemoryLog>, standing: Standing, events: Vec<Outgoing>) {
    let (stander, stand) = Stand::new();
    stander.send_replace(standing);
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let publisher = Publisher::new(receiver, Arc::clone(log) as Arc<dyn Log>, stand);
    let feed = async move {
        for event in events {
            sender.send(event).await.unwrap();
        }
    };
    tokio::join!(publisher.run(), feed);
}

#[tokio::test]
async fn an_event_that_is_stored_takes_no_number() {
    let log = MemoryLog::default();
    let first = store(&log, &event("1", "a", Teller::Anyone), None).await;
    let second = store(&log, &event("2", "a", Teller::Anyone), Some(first)).await;
    for (id, known) in [("1", None), ("2", None), ("1", Some(second)), ("2", Some(first)), ("1", Some(first))]
    {
        assert_eq!(store(&log, &event(id, "a", Teller::Anyone), known).await, second, "{id} {known:?}");
    }
    assert_eq!(log.numbers("a"), [1, 2]);
}

#[tokio::test]
async fn numbers_go_on_when_the_stream_has_dropped_the_old_events() {
    let log = MemoryLog::default();
    let known = Place { sequence: 70, number: 7 };
    assert_eq!(store(&log, &event("8", "a", Teller::Anyone), Some(known)).await.number, 8);
}

#[tokio::test]
async fn only_the_first_tells_what_each_sees_at_another_moment() {
    let log = Arc::new(MemoryLog::default());
    let tell = |id: &str| vec![event(id, "a", Teller::First), event("shared", "a", Teller::Anyone)];
    publish(&log, Standing::Behind, tell("of the second")).await;
    publish(&log, Standing::First, tell("of the first")).await;
    assert_eq!(log.ids("a"), ["shared", "of the first"]);
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![4 => Just(Fault::None), 1 => Just(Fault::LostEvent), 1 => Just(Fault::LostAnswer)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Three controllers tell overlapping parts of the same story, each in its order, and the bus fails now and then.
    #[test]
    fn every_event_is_stored_once_in_order_and_without_a_gap(
        faults in proptest::collection::vec(fault(), 0..40),
        seen in proptest::collection::vec(proptest::collection::vec(any::<bool>(), 24), 3),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let log = Arc::new(MemoryLog::with_faults(faults));
            let story = |seen: &Vec<bool>| {
                let of = seen.iter().enumerate().filter(|(_, seen)| **seen);
                of.map(|(n, _)| event(&n.to_string(), ["a", "b", "c"][n % 3], Teller::Anyone)).collect::<Vec<_>>()
            };
            let tellers = seen.iter().map(|seen| publish(&log, Standing::First, story(seen)));
            tellers.collect::<futures::stream::FuturesUnordered<_>>().collect::<()>().await;
            for (n, about) in ["a", "b", "c"].into_iter().enumerate() {
                assert!(gap_free(&log.numbers(about)), "{:?}", log.numbers(about));
                let mut told = log.ids(about);
                told.sort_unstable_by_key(|id| id.parse::<usize>().unwrap());
                let wanted: Vec<String> =
                    (n..24).step_by(3).filter(|n| seen.iter().any(|seen| seen[*n])).map(|n| n.to_string()).collect();
                assert_eq!(told, wanted);
            }
        });
    }

    #[test]
    fn what_one_controller_tells_of_an_object_stays_in_order(faults in proptest::collection::vec(fault(), 0..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let log = Arc::new(MemoryLog::with_faults(faults));
            let ids: Vec<String> = (0..20).map(|n| n.to_string()).collect();
            let story = ids.iter().map(|id| event(id, "a", Teller::Anyone)).collect();
            publish(&log, Standing::First, story).await;
            assert_eq!(log.ids("a"), ids);
        });
    }
}

#[test]
fn the_places_that_are_remembered_are_bounded_and_the_newest_stay() {
    let mut places = Places::default();
    let count = Places::HALF * 3;
    for n in 0..count {
        places.put(n.to_string(), Place { sequence: 1, number: 1 });
    }
    assert!(places.young.len() + places.old.len() <= 2 * Places::HALF);
    assert!(places.get(&(count - 1).to_string()).is_some() && places.get("0").is_none());
}
