//! Stores what was told: the events about one object one after the other, those about different ones side by side.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{select, sync::mpsc};

use super::{
    Outgoing, Stand, Teller,
    log::{Log, Place},
    number::{self, Places},
};

/// Events that are taken in before some are stored: so many objects are served side by side at most.
const TAKEN_IN: usize = 1024;

/// Publishes until all senders are gone and all is stored.
pub struct Publisher {
    receiver: mpsc::Receiver<Outgoing>,
    log: Arc<dyn Log>,
    stand: Stand,
    lanes: Lanes,
    places: Places,
}

/// An object's turn is over: the place of its newest event, if that is known.
type Done = (String, Option<Place>);

impl Publisher {
    pub(super) fn new(receiver: mpsc::Receiver<Outgoing>, log: Arc<dyn Log>, stand: Stand) -> Self {
        Self { receiver, log, stand, lanes: Lanes::default(), places: Places::default() }
    }

    pub async fn run(mut self) {
        let mut under_way = FuturesUnordered::new();
        let mut open = true;
        while open || !under_way.is_empty() {
            let next = select! {
                Some((about, place)) = under_way.next(), if !under_way.is_empty() => self.done(about, place),
                event = self.receiver.recv(), if open && self.lanes.taken_in < TAKEN_IN => {
                    open = event.is_some();
                    event.and_then(|event| self.lanes.enter(event))
                }
            };
            under_way.extend(next.map(|event| self.store(event)));
        }
    }

    /// Notes where an object stands, and gives its next event.
    fn done(&mut self, about: String, place: Option<Place>) -> Option<Outgoing> {
        let next = self.lanes.leave(&about);
        if let Some(place) = place {
            self.places.put(about, place);
        }
        next
    }

    fn store(&self, event: Outgoing) -> BoxFuture<'static, Done> {
        let (log, stand, known) = (Arc::clone(&self.log), self.stand.clone(), self.places.get(&event.about));
        Box::pin(async move {
            if event.teller == Teller::First && !stand.is_first().await {
                return (event.about, None);
            }
            let place = number::store(log.as_ref(), &event, known).await;
            (event.about, Some(place))
        })
    }
}

/// What waits behind the event of each object that is under way.
#[derive(Debug, Default)]
struct Lanes {
    behind: HashMap<String, VecDeque<Outgoing>>,
    taken_in: usize,
}

impl Lanes {
    /// Gives the event back when nothing about its object is under way.
    fn enter(&mut self, event: Outgoing) -> Option<Outgoing> {
        self.taken_in += 1;
        match self.behind.get_mut(&event.about) {
            Some(behind) => {
                behind.push_back(event);
                None
            }
            None => {
                self.behind.insert(event.about.clone(), VecDeque::new());
                Some(event)
            }
        }
    }

    /// The event of an object that was under way is done: gives the one that waited behind it.
    fn leave(&mut self, about: &str) -> Option<Outgoing> {
        self.taken_in = self.taken_in.saturating_sub(1);
        let next = self.behind.get_mut(about).and_then(VecDeque::pop_front);
        if next.is_none() {
            self.behind.remove(about);
        }
        next
    }
}
