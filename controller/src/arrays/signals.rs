//! What those who use an array tell the one who looks at it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

/// Of one array. What was said while nobody listened is heard by the next who does.
#[derive(Debug, Default)]
pub struct Signals {
    wake: Notify,
    again: AtomicBool,
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
        self.again.store(true, Ordering::SeqCst);
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

    /// True once after [`look_again`](Self::look_again).
    pub(super) fn take_again(&self) -> bool {
        self.again.swap(false, Ordering::SeqCst)
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
