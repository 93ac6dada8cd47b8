//! How a webhook's deliveries went, as far as this controller made them.

use std::sync::{Mutex, PoisonError};

#[derive(Debug, Default)]
pub struct Health(Mutex<Figures>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    pub delivered: u64,
    pub failed: u64,
    /// 0 for never.
    pub delivered_at_unix_ms: i64,
    pub failed_at_unix_ms: i64,
    /// Why the newest try that failed did.
    pub error: String,
    /// Whether the newest try of all failed.
    pub failing: bool,
}

impl Health {
    pub fn delivered(&self, now_unix_ms: i64) {
        self.change(|figures| {
            figures.delivered = figures.delivered.saturating_add(1);
            figures.delivered_at_unix_ms = now_unix_ms;
            figures.failing = false;
        });
    }

    pub fn failed(&self, error: String, now_unix_ms: i64) {
        self.change(|figures| {
            figures.failed = figures.failed.saturating_add(1);
            figures.failed_at_unix_ms = now_unix_ms;
            figures.error = error;
            figures.failing = true;
        });
    }

    pub fn figures(&self) -> Figures {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Figures)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
