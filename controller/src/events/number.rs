//! Numbers without a gap: each event takes the number after the newest one about its object, and the stream refuses it when
//! another controller was quicker.

use std::{collections::HashMap, time::Duration};

use tokio::time::sleep;

use super::{
    Outgoing,
    log::{Appended, Kept, Log, Place, Silent},
};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Stores one event and gives the place of the newest one about its object. `known` is where that was when last seen.
///
/// An event that is stored already takes no number. Waits for as long as the stream cannot be reached.
pub async fn store(log: &dyn Log, event: &Outgoing, known: Option<Place>) -> Place {
    let (mut newest, mut pause) = (known, FIRST_PAUSE);
    loop {
        match store_once(log, event, newest).await {
            Ok(Tried::Stored(place)) => return place,
            Ok(Tried::Moved(place)) => newest = Some(place),
            Err(error) => {
                tracing::warn!(kind = %event.kind, error = &error as &dyn std::error::Error, "event not stored, trying again");
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

enum Tried {
    Stored(Place),
    /// This is the newest one now.
    Moved(Place),
}

async fn store_once(log: &dyn Log, event: &Outgoing, known: Option<Place>) -> Result<Tried, Silent> {
    let newest = match known {
        Some(place) => place,
        None => match log.newest(&event.about).await? {
            Some(kept) if kept.id == event.id => return Ok(Tried::Stored(kept.place)),
            kept => kept.map(|kept| kept.place).unwrap_or_default(),
        },
    };
    let number = newest.number.saturating_add(1);
    match log.append(event, number, newest.sequence).await? {
        Appended::At(sequence) => Ok(Tried::Stored(Place { sequence, number })),
        Appended::Duplicate => Ok(Tried::Stored(newest)),
        Appended::Moved => look_back(log, event, newest).await,
    }
}

/// Sees what others stored after the event that was thought to be the newest; maybe this very one.
async fn look_back(log: &dyn Log, event: &Outgoing, thought: Place) -> Result<Tried, Silent> {
    let since = read_after(log, &event.about, thought.sequence).await?;
    let own = since.iter().any(|kept| kept.id == event.id);
    match since.last() {
        Some(newest) if own => Ok(Tried::Stored(newest.place)),
        Some(newest) => Ok(Tried::Moved(newest.place)),
        // The stream keeps nothing about the object any more. Its numbers go on as long as somebody remembers them.
        None => Ok(Tried::Moved(Place { sequence: 0, ..thought })),
    }
}

async fn read_after(log: &dyn Log, about: &str, mut sequence: u64) -> Result<Vec<Kept>, Silent> {
    let mut all = Vec::new();
    while let Some(kept) = log.next(about, sequence).await? {
        sequence = kept.place.sequence;
        all.push(kept);
    }
    Ok(all)
}

/// All stored events about an object after this sequence of the stream. Waits for as long as the stream cannot be reached.
pub async fn stored_after(log: &dyn Log, about: &str, sequence: u64) -> Vec<Kept> {
    let mut pause = FIRST_PAUSE;
    loop {
        match read_after(log, about, sequence).await {
            Ok(all) => return all,
            Err(error) => {
                tracing::warn!(
                    about,
                    error = &error as &dyn std::error::Error,
                    "stored events cannot be read"
                );
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Where the newest event about each of many objects is. The oldest are forgotten, a half at a time: what is not known is
/// read back.
#[derive(Debug, Default)]
pub struct Places {
    young: HashMap<String, Place>,
    old: HashMap<String, Place>,
}

impl Places {
    /// Objects in each half.
    const HALF: usize = 32 * 1024;

    pub fn get(&self, about: &str) -> Option<Place> {
        self.young.get(about).or_else(|| self.old.get(about)).copied()
    }

    pub fn put(&mut self, about: String, place: Place) {
        if self.young.len() >= Self::HALF && !self.young.contains_key(&about) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(about, place);
    }
}

#[cfg(test)]
mod tests;
