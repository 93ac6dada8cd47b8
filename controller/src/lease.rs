//! Whether this controller may still act on what it began.
//!
//! A controller says once a second that it is there, and the bus confirms it. Others take over its runs when they have not heard
//! it for [`SILENCE`]. So a controller whose newest confirmed sign was said a little less long ago must suppose that they have:
//! whatever it began before the gap it may not go on with, until its next journal record has shown that the run is still its own.
//!
//! Of a cluster most servers have to confirm. To hear itself would not do: so does one that is cut off with a server of its own.
//!
//! The journal and the agents' fence refuse an old owner by themselves. An array cannot; this is what holds there.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep};

/// How long a controller is silent before others take over its runs.
pub const SILENCE: Duration = Duration::from_secs(5);
/// How long a controller whose signs are not confirmed goes on acting: less, by more than two clocks differ over this time.
const SURE: Duration = Duration::from_millis(3_500);

/// How often a controller whose signs are not confirmed looks whether they are.
const LOOK: Duration = Duration::from_millis(100);

/// The standing of this controller. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lease(Arc<Mutex<Confirmed>>);

#[derive(Debug)]
struct Confirmed {
    /// When the newest sign that was confirmed was said.
    said: Instant,
    /// Rises with every gap that others may have used.
    term: u64,
    /// None where there are no others.
    sure: Option<Duration>,
}

/// Leave to act, for as long as there was no gap since it was given.
#[derive(Debug, Clone)]
pub struct Permit {
    lease: Lease,
    term: u64,
}

impl Lease {
    pub fn new() -> Self {
        Self::with(Some(SURE))
    }

    /// For an executor that has no others beside it.
    pub fn endless() -> Self {
        Self::with(None)
    }

    fn with(sure: Option<Duration>) -> Self {
        Self(Arc::new(Mutex::new(Confirmed { said: Instant::now(), term: 0, sure })))
    }

    /// Notes that the sign which was said then was confirmed.
    pub fn confirmed(&self, said: Instant) {
        let mut confirmed = self.locked();
        if confirmed.has_gap() {
            confirmed.term += 1;
        }
        confirmed.said = confirmed.said.max(said);
    }

    /// Whether the signs of this controller are confirmed, so that nobody supposes that it is gone.
    pub fn is_sure(&self) -> bool {
        !self.locked().has_gap()
    }

    /// Waits until they are: a permit that was given before would not hold.
    pub async fn restored(&self) {
        while !self.is_sure() {
            sleep(LOOK).await;
        }
    }

    fn locked(&self) -> MutexGuard<'_, Confirmed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Take it before the journal record that begins a step, so that the record proves it.
    pub fn permit(&self) -> Permit {
        let term = self.locked().term;
        Permit { lease: self.clone(), term }
    }
}

impl Default for Lease {
    fn default() -> Self {
        Self::new()
    }
}

impl Confirmed {
    fn has_gap(&self) -> bool {
        self.sure.is_some_and(|sure| self.said.elapsed() > sure)
    }
}

impl Permit {
    pub fn holds(&self) -> bool {
        let confirmed = self.lease.locked();
        confirmed.term == self.term && !confirmed.has_gap()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_permit_holds_while_the_signs_of_the_controller_are_confirmed() {
        let lease = Lease::new();
        let permit = lease.permit();
        for _ in 0..10 {
            advance(Duration::from_secs(1)).await;
            lease.confirmed(Instant::now());
        }
        assert!(permit.holds());
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_gap_only_a_new_permit_holds() {
        let lease = Lease::new();
        let permit = lease.permit();
        advance(SURE + Duration::from_millis(1)).await;
        assert!(!permit.holds(), "others may be at it");
        lease.confirmed(Instant::now());
        assert!(!permit.holds(), "they may have been at it in the gap");
        assert!(lease.permit().holds());
    }

    #[tokio::test(start_paused = true)]
    async fn a_sign_counts_from_when_it_was_said_and_not_from_when_it_was_confirmed() {
        let lease = Lease::new();
        let said = Instant::now();
        advance(Duration::from_secs(3)).await;
        lease.confirmed(said);
        assert!(lease.is_sure());
        advance(Duration::from_secs(1)).await;
        assert!(!lease.is_sure());
        lease.confirmed(said);
        assert!(!lease.is_sure(), "told late, it says nothing about now");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_the_end_of_a_gap_gets_a_permit_that_holds() {
        let lease = Lease::new();
        advance(SURE + Duration::from_millis(1)).await;
        let waits = lease.clone();
        let waiting = tokio::spawn(async move {
            waits.restored().await;
            waits.permit().holds()
        });
        sleep(Duration::from_secs(60)).await;
        assert!(!waiting.is_finished());
        lease.confirmed(Instant::now());
        assert!(waiting.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_before_others_may_take_over() {
        assert!(SURE + Duration::from_secs(1) < SILENCE);
        let alone = Lease::endless().permit();
        advance(SILENCE * 100).await;
        assert!(alone.holds());
    }
}
