//! One array, looked at again and again: at once after a change of our own or one that it tells of, else at its pace.
//!
//! Each array has a task of its own, so a slow one delays no other.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use tokio::time::{Instant, sleep_until};

use super::{
    pace::{Circumstances, Pace, Seen},
    signals::Signals,
};

/// At least this long between two looks because of changes that the array tells of: many of them are one look.
const SETTLE: Duration = Duration::from_secs(1);

/// What can be followed: an array, or a script in tests.
pub(super) trait Watched: Send + Sync {
    /// Lists it and tells the catalog.
    fn look(&self) -> impl Future<Output = Seen> + Send;

    /// Waits until something changed since the moment that `since` names, or for a while.
    fn wait_for_change(&self, since: Option<String>) -> BoxFuture<'_, Told>;
}

/// What came of waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// Something changed, or may have.
    Changed {
        now: String,
    },
    Nothing {
        now: String,
    },
    /// Ask again after the next look.
    Failed,
    /// This array never tells.
    Never,
}

/// Follows the array until it is gone. It was just looked at, with this result.
pub(super) async fn follow<W: Watched>(array: W, signals: Arc<Signals>, mut seen: Seen) {
    let mut pace = Pace::default();
    let mut ear = Ear::new(&array);
    while !signals.is_gone() {
        let looked = Instant::now();
        ear.listen();
        let mut now = Circumstances { in_use: signals.is_in_use(), tells: ear.hears() };
        let mut wait = pace.next(seen, now, chance());
        loop {
            signals.tell(wait, now.tells);
            tokio::select! {
                () = sleep_until(looked + wait) => break,
                () = signals.heard() => {
                    if signals.is_gone() || signals.is_asked() {
                        break;
                    }
                }
                changed = ear.hear() => {
                    if changed {
                        wait = wait.min(SETTLE);
                        continue;
                    }
                }
            }
            // A run began, or the array tells no longer: what is left of the wait may be too long.
            let then = Circumstances { in_use: signals.is_in_use(), tells: ear.hears() };
            if then != now && (then.in_use || !then.tells) {
                wait = wait.min(pace.next(seen, then, chance()));
            }
            now = then;
        }
        if !signals.is_gone() {
            // Whatever is said from here on is about a later moment than what is listed now.
            let asked = signals.asked();
            seen = array.look().await;
            signals.say_seen(asked);
        }
    }
}

/// The waiting for what the array tells. It goes on while the array is listed, so nothing that happens then is missed.
struct Ear<'a, W> {
    array: &'a W,
    waiting: Option<BoxFuture<'a, Told>>,
    since: Option<String>,
    state: Hearing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hearing {
    /// Not known yet, or it failed.
    Unsure,
    Hears,
    Deaf,
}

impl<'a, W: Watched> Ear<'a, W> {
    fn new(array: &'a W) -> Self {
        Self { array, waiting: None, since: None, state: Hearing::Unsure }
    }

    fn hears(&self) -> bool {
        self.state == Hearing::Hears
    }

    /// Begins to wait where that has not begun or has failed.
    fn listen(&mut self) {
        if self.waiting.is_none() && self.state != Hearing::Deaf {
            self.waiting = Some(self.array.wait_for_change(self.since.clone()));
        }
    }

    /// Waits for the next word, and goes on waiting behind the scenes. True when there is something to look at.
    async fn hear(&mut self) -> bool {
        let Some(waiting) = &mut self.waiting else { return std::future::pending().await };
        let told = waiting.await;
        self.waiting = None;
        match told {
            Told::Changed { now } | Told::Nothing { now } if self.since.is_none() => {
                // What changed between the look before and this first word is not told: look.
                self.hear_on(now);
                true
            }
            Told::Changed { now } => {
                self.hear_on(now);
                true
            }
            Told::Nothing { now } => {
                self.hear_on(now);
                false
            }
            Told::Failed => {
                self.since = None;
                self.state = Hearing::Unsure;
                false
            }
            Told::Never => {
                self.state = Hearing::Deaf;
                false
            }
        }
    }

    fn hear_on(&mut self, now: String) {
        self.since = Some(now);
        self.state = Hearing::Hears;
        self.listen();
    }
}

/// From 0 to 1. Without randomness everybody has the same pace, which is no harm.
fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
