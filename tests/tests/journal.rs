//! The journal: the real one against a real nats-server, and the model that the simulated fleet has, held by the same sentences.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is a test"
)]

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use sanfleet_controller::{
    bus::{Bus, BusOptions},
    runs::{Appended, Entry, Journal, JournalError, NatsJournal, Seen},
};
use sanfleet_protocol::{
    RunId,
    v1::{JournalRecord, RunClaimed, journal_record},
};
use sanfleet_sim::{Bus as SimBus, Link, ModelJournal};
use sanfleet_tests::{control::Programs, nats::Nats};
use tokio::time::timeout;

const BOUND: Duration = Duration::from_secs(20);

/// Two clients of one journal, and what has to stay alive for it.
struct Lab {
    one: Arc<dyn Journal>,
    other: Arc<dyn Journal>,
    _server: Option<(Nats, tempfile::TempDir)>,
}

fn model() -> Lab {
    let (journal, bus) = (ModelJournal::default(), SimBus::new());
    let client = |name: &str| -> Arc<dyn Journal> {
        let link = Link::new(name.parse().unwrap(), Arc::clone(&bus), Arc::default());
        Arc::new(journal.client(link))
    };
    Lab { one: client("c1"), other: client("c2"), _server: None }
}

async fn real() -> Lab {
    let folder = tempfile::tempdir().unwrap();
    let programs = Programs::from_environment().unwrap();
    let nats = Nats::start_open(&programs, folder.path()).await.unwrap();
    let options =
        BusOptions { url: vec![nats.url()], credentials: None, ca: None, replicas: std::num::NonZeroU8::MIN };
    let (one, other) = (client(&options, "c1").await, client(&options, "c2").await);
    Lab { one, other, _server: Some((nats, folder)) }
}

async fn client(options: &BusOptions, name: &str) -> Arc<dyn Journal> {
    let bus = Bus::connect(options, name).await.unwrap();
    Arc::new(NatsJournal::new(bus.jetstream))
}

fn run(n: u128) -> RunId {
    RunId::new(uuid::Uuid::from_u128(n))
}

fn record(id: &str) -> JournalRecord {
    let entry = Some(journal_record::Entry::Claimed(RunClaimed {}));
    JournalRecord { version: 1, id: id.into(), entry, ..Default::default() }
}

async fn append(journal: &Arc<dyn Journal>, n: u128, expected: u64, id: &str) -> Appended {
    let record = record(id);
    let appended = timeout(BOUND, journal.append(run(n), expected, &record)).await;
    appended.expect("an answer in time").unwrap()
}

async fn stored(journal: &Arc<dyn Journal>, n: u128, expected: u64, id: &str) -> u64 {
    match append(journal, n, expected, id).await {
        Appended::At(sequence) => sequence,
        Appended::Behind(entries) => panic!("{id} is behind {entries:?}"),
    }
}

async fn behind(journal: &Arc<dyn Journal>, n: u128, expected: u64, id: &str) -> Vec<String> {
    match append(journal, n, expected, id).await {
        Appended::At(sequence) => panic!("{id} was stored at {sequence}"),
        Appended::Behind(entries) => ids(entries),
    }
}

fn ids(entries: impl IntoIterator<Item = Entry>) -> Vec<String> {
    entries.into_iter().map(|entry| entry.record.id).collect()
}

/// What a follower sees, `|` for having caught up.
async fn seen(journal: &Arc<dyn Journal>, count: usize) -> Vec<String> {
    let seen = journal.follow().take(count).map(|seen| match seen {
        Seen::Entry(entry) => entry.record.id.clone(),
        Seen::CaughtUp => "|".to_owned(),
    });
    timeout(BOUND, seen.collect()).await.expect("followers see it in time")
}

async fn a_record_is_stored_only_after_the_one_that_it_was_expected_after(lab: &Lab) {
    let first = stored(&lab.one, 1, 0, "a").await;
    assert_eq!(behind(&lab.other, 1, 0, "b").await, ["a"]);
    let second = stored(&lab.other, 1, first, "b").await;
    assert!(second > first);
    assert_eq!(behind(&lab.one, 1, first, "c").await, ["b"]);
    assert_eq!(behind(&lab.one, 1, 0, "c").await, ["a", "b"]);
}

async fn of_two_who_append_at_the_same_time_one_is_behind_the_other(lab: &Lab) {
    let mut last = 0;
    for n in 0..20 {
        let (one, other) = (format!("one {n}"), format!("other {n}"));
        let both = tokio::join!(append(&lab.one, 1, last, &one), append(&lab.other, 1, last, &other));
        last = match both {
            (Appended::At(sequence), Appended::Behind(entries)) => {
                assert_eq!(ids(entries), [one]);
                sequence
            }
            (Appended::Behind(entries), Appended::At(sequence)) => {
                assert_eq!(ids(entries), [other]);
                sequence
            }
            both => panic!("{both:?}"),
        };
    }
}

async fn a_record_whose_storing_was_not_told_is_found_by_who_sends_it_again(lab: &Lab) {
    let first = stored(&lab.one, 1, 0, "a").await;
    stored(&lab.one, 1, first, "b").await;
    assert_eq!(behind(&lab.one, 1, first, "b").await, ["b"]);
}

async fn a_run_that_was_removed_is_read_by_nobody_and_whoever_goes_on_with_it_is_told(lab: &Lab) {
    let first = stored(&lab.one, 1, 0, "a1").await;
    stored(&lab.one, 2, 0, "a2").await;
    let last = stored(&lab.one, 1, first, "b1").await;
    for _ in 0..2 {
        timeout(BOUND, lab.other.remove(run(1))).await.expect("an answer in time").unwrap();
    }
    assert_eq!(ids(lab.one.read(run(1)).await.unwrap()), [""; 0]);
    assert_eq!(seen(&lab.one, 2).await, ["a2", "|"], "though its record was the newest");
    let record = record("c1");
    let late = timeout(BOUND, lab.one.append(run(1), last, &record)).await.expect("an answer in time");
    assert!(matches!(late, Err(JournalError::Forgotten { run: of }) if of == run(1)), "{late:?}");
}

async fn runs_do_not_stand_in_each_others_way(lab: &Lab) {
    let first = stored(&lab.one, 1, 0, "a1").await;
    let other = stored(&lab.other, 2, 0, "a2").await;
    assert!(other > first, "one sequence over all runs is what makes it a fence");
    stored(&lab.one, 1, first, "b1").await;
    stored(&lab.other, 2, other, "b2").await;
}

async fn a_follower_sees_all_in_order_and_knows_when_it_has_caught_up(lab: &Lab) {
    assert_eq!(seen(&lab.one, 1).await, ["|"], "of nothing one has seen all at once");
    let first = stored(&lab.one, 1, 0, "a1").await;
    stored(&lab.one, 2, 0, "a2").await;
    stored(&lab.one, 1, first, "b1").await;
    assert_eq!(seen(&lab.other, 4).await, ["a1", "a2", "b1", "|"]);
}

async fn a_follower_sees_what_is_written_later_by_whomever(lab: &Lab) {
    let first = stored(&lab.one, 1, 0, "a").await;
    let mut following = lab.other.follow();
    for _ in 0..2 {
        timeout(BOUND, following.next()).await.expect("the past in time");
    }
    let second = stored(&lab.one, 1, first, "b").await;
    stored(&lab.other, 1, second, "c").await;
    for (sequence, id) in [(Some(second), "b"), (None, "c")] {
        match timeout(BOUND, following.next()).await.expect("news in time") {
            Some(Seen::Entry(entry)) => {
                assert_eq!((entry.run, entry.record.id.as_str()), (run(1), id));
                assert!(sequence.is_none_or(|sequence| sequence == entry.sequence));
            }
            other => panic!("{other:?}"),
        }
    }
}

macro_rules! held_by_both {
    ($($sentence:ident,)*) => {
        mod the_model {
            $(#[tokio::test] async fn $sentence() { super::$sentence(&super::model()).await; })*
        }
        mod the_real_one {
            $(#[tokio::test] async fn $sentence() { super::$sentence(&super::real().await).await; })*
        }
    };
}

held_by_both! {
    a_record_is_stored_only_after_the_one_that_it_was_expected_after,
    of_two_who_append_at_the_same_time_one_is_behind_the_other,
    a_record_whose_storing_was_not_told_is_found_by_who_sends_it_again,
    runs_do_not_stand_in_each_others_way,
    a_run_that_was_removed_is_read_by_nobody_and_whoever_goes_on_with_it_is_told,
    a_follower_sees_all_in_order_and_knows_when_it_has_caught_up,
    a_follower_sees_what_is_written_later_by_whomever,
}
