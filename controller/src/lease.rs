//! Whether this controller may still act on what it began.
//!
//! A controller says once a second that it is there, and hears itself. Others take over its runs when they have not heard it
//! for [`SILENCE`]. So a controller that has not heard itself for a little less must suppose that they have: whatever it
//! began before the gap it may not go on with, until its next journal record has shown that the run is still its own.
//!
//! The journal and the agents' fence refuse an old owner by themselves. An array cannot; this is what holds there.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep};

/// How long a controller is silent before others take over its runs.
pub const SILENCE: Duration = Duration::from_secs(5);
/// How long a controller that does not hear itself goes on acting: less, by more than two clocks differ over this time.
const SURE: Duration = Duration::from_millis(3_500);

/// How often a controller that does not hear itself looks whether it does.
const LOOK: Duration = Duration::from_millis(100);

/// The standing of this controller. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lease(Arc<Mutex<Heard>>);

#[derive(Debug)]
struct Heard {
    at: Instant,
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
        Self(Arc::new(Mutex::new(Heard { at: Instant::now(), term: 0, sure })))
    }

    /// Notes that this controller heard itself over the bus.
    pub fn heard(&self) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.has_gap() {
            heard.term += 1;
        }
        heard.at = Instant::now();
    }

    /// Waits until this controller hears itself: a permit that was given before would not hold.
    pub async fn restored(&self) {
        while self.0.lock().unwrap_or_else(PoisonError::into_inner).has_gap() {
            sleep(LOOK).await;
        }
    }

    /// Take it before the journal record that begins a step, so that the record proves it.
    pub fn permit(&self) -> Permit {
        let term = self.0.lock().unwrap_or_else(PoisonError::into_inner).term;
        Permit { lease: self.clone(), term }
    }
}

impl Default for Lease {
    fn default() -> Self {
        Self::new()
    }
}

impl Heard {
    fn has_gap(&self) -> bool {
        self.sure.is_some_and(|sure| self.at.elapsed() > sure)
    }
}

impl Permit {
    pub fn holds(&self) -> bool {
        let heard = self.lease.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.term == self.term && !heard.has_gap()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_permit_holds_while_the_controller_hears_itself() {
        let lease = Lease::new();
        let permit = lease.permit();
        for _ in 0..10 {
            advance(Duration::from_secs(1)).await;
            lease.heard();
        }
        assert!(permit.holds());
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_gap_only_a_new_permit_holds() {
        let lease = Lease::new();
        let permit = lease.permit();
        advance(SURE + Duration::from_millis(1)).await;
        assert!(!permit.holds(), "others may be at it");
        lease.heard();
        assert!(!permit.holds(), "they may have been at it in the gap");
        assert!(lease.permit().holds());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_the_end_of_a_gap_gets_a_permit_that_holds() {
        let lease = Lease::new();
        advance(SURE + Duration::from_millis(1)).await;
        let hears = lease.clone();
        let waiting = tokio::spawn(async move {
            hears.restored().await;
            hears.permit().holds()
        });
        sleep(Duration::from_secs(60)).await;
        assert!(!waiting.is_finished());
        lease.heard();
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
