//! What those who use an array tell the one who looks at it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, watch};

/// Of one array. What was said while nobody listened is heard by the next who does.
#[derive(Debug, Default)]
pub struct Signals {
    wake: Notify,
    /// How many times another look was asked for, and how many of these a look that is over came after.
    asked: AtomicU64,
    seen: watch::Sender<u64>,
    gone: AtomicBool,
    users: AtomicUsize,
    /// What the looker tells in return: how long it waits now, and whether the array tells of changes.
    interval_ms: AtomicU64,
    tells: AtomicBool,
}

/// A run works on the array as long as this is there.
#[derive(Debug)]
pub struct InUse(Arc<Signals>);

impl Signals {
    pub fn look_again(&self) {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.wake.notify_one();
    }

    pub(super) fn say_gone(&self) {
        self.gone.store(true, Ordering::SeqCst);
        self.wake.notify_one();
    }

    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::SeqCst)
    }

    pub(super) fn begin_use(self: &Arc<Self>) -> InUse {
        self.users.fetch_add(1, Ordering::SeqCst);
        // A run has begun: the pace quickens now, not at the end of a long wait.
        self.wake.notify_one();
        InUse(Arc::clone(self))
    }

    pub fn is_in_use(&self) -> bool {
        self.users.load(Ordering::SeqCst) > 0
    }

    /// Waits for anything to be said.
    pub(super) async fn heard(&self) {
        self.wake.notified().await;
    }

    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    /// True from [`look_again`](Self::look_again) to the end of a look that began after it.
    pub(super) fn is_asked(&self) -> bool {
        self.asked() > *self.seen.borrow()
    }

    /// A look is over that began when so many had been asked for.
    pub(super) fn say_seen(&self, asked: u64) {
        self.seen.send_replace(asked);
    }

    /// Waits until all that was asked to be looked at has been; at once when nothing was.
    pub async fn settled(&self) {
        let asked = self.asked();
        let mut seen = self.seen.subscribe();
        // It cannot end: the sender is ours.
        let _ = seen.wait_for(|seen| *seen >= asked).await;
    }

    pub(super) fn tell(&self, interval: Duration, tells: bool) {
        let millis = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        self.interval_ms.store(millis, Ordering::Relaxed);
        self.tells.store(tells, Ordering::Relaxed);
    }

    /// How long the array is left alone now while nothing is known to change. Zero before the first look.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms.load(Ordering::Relaxed))
    }

    /// Whether the array tells of changes by itself.
    pub fn tells_changes(&self) -> bool {
        self.tells.load(Ordering::Relaxed)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.users.fetch_sub(1, Ordering::SeqCst);
    }
}
