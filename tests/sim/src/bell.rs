//! Waiting for what somebody else changes. Those who wait are woken in the order in which they came, so that a seed is a run.

use std::pin::pin;

use tokio::sync::Notify;

#[derive(Debug, Default)]
pub struct Bell(Notify);

impl Bell {
    pub fn ring(&self) {
        self.0.notify_waiters();
    }

    /// Looks again with every ring, until there is what is looked for.
    pub async fn until<T>(&self, find: impl Fn() -> Option<T>) -> T {
        loop {
            let mut rung = pin!(self.0.notified());
            rung.as_mut().enable();
            if let Some(found) = find() {
                return found;
            }
            rung.await;
        }
    }
}
