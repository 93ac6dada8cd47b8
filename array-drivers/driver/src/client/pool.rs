//! The sessions with one array: opened when they are needed, kept for a while, never more than a few.
//!
//! A session serves one caller at a time; callers wait in the order in which they came, each no longer than it says. A driver that
//! cannot be started is tried again after a pause that grows. After several failures in a row that are the driver's own (no start,
//! no answer in time, a lost connection, nonsense; never a refusal of the array's) the array's breaker opens: calls then fail at
//! once, until after a pause a single one is let through to see.
//!
//! The pool repeats no call: what a lost one did, only the array knows.

mod breaker;
mod latency;
mod lease;
mod monitor;
mod sessions;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

pub use breaker::BreakerState;
pub use latency::Figures;
pub use lease::Lease;
pub use monitor::{LastFailure, Monitor};
use sanfleet_protocol::Password;
use sessions::Sessions;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::{ClientError, Options, Session, Way};
use crate::method::{Call, PluginRegister};

/// How a pool behaves.
#[derive(Debug, Clone)]
pub struct PoolOptions {
    pub session: Options,
    /// How many sessions there are at most.
    pub size: usize,
    /// How long a session that nobody uses is kept.
    pub idle: Duration,
    /// How many failures in a row open the breaker.
    pub failures: u32,
    /// How long the breaker stays open first; doubled each time that the array is still no better, up to `longest_pause`.
    pub pause: Duration,
    pub longest_pause: Duration,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            session: Options::default(),
            size: 4,
            idle: Duration::from_secs(60),
            failures: 5,
            pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
        }
    }
}

/// The sessions with one array. Nothing is started before it is needed; cheap to clone.
#[derive(Debug, Clone)]
pub struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    way: Way,
    uri: String,
    password: Option<Password>,
    options: PoolOptions,
    /// One for each session that may be out.
    permits: Arc<Semaphore>,
    sessions: Mutex<Sessions>,
    monitor: Arc<Monitor>,
}

/// What an operator may want to know of a pool.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolStatus {
    pub breaker: BreakerState,
    /// Failures of the driver in a row.
    pub failures: u32,
    pub idle: usize,
    pub in_use: usize,
    pub size: usize,
    pub last_failure: Option<LastFailure>,
    pub calls: Figures,
    pub calls_by_method: BTreeMap<&'static str, Figures>,
}

impl Pool {
    pub fn new(way: Way, uri: impl Into<String>, password: Option<Password>, options: PoolOptions) -> Self {
        Self(Arc::new(Shared {
            permits: Arc::new(Semaphore::new(options.size.max(1))),
            sessions: Mutex::default(),
            monitor: Arc::new(Monitor::new(&options)),
            way,
            uri: uri.into(),
            password,
            options,
        }))
    }

    /// A session for one call, or for several that belong together; back in the pool when the lease is dropped. `limit` is for the
    /// waiting and the starting; the calls have their own deadline.
    pub async fn checkout(&self, limit: Duration) -> Result<Lease, ClientError> {
        let end = Instant::now() + limit;
        let shared = &self.0;
        // Whoever would only wait to be refused is refused now.
        shared.monitor.may_pass()?;
        let busy = || ClientError::Busy { limit: shared.options.size, after: limit };
        let waiting = timeout_at(end, Arc::clone(&shared.permits).acquire_owned()).await;
        let permit = waiting.map_err(|_| busy())?.map_err(|_| busy())?;
        let pass = shared.monitor.pass()?;
        let idle = shared.sessions().take();
        let session = match idle {
            Some(session) => session,
            None => shared.start(end, limit).await?,
        };
        Ok(Lease::new(session, Arc::clone(shared), pass, permit))
    }

    /// A session that is open and has just answered, held for the call to come: whoever must not wait then asks for it before.
    pub async fn ready(&self, limit: Duration) -> Result<Lease, ClientError> {
        let end = Instant::now() + limit;
        let mut lease = self.checkout(limit).await?;
        let answered = lease.within(end.saturating_duration_since(Instant::now())).plugin_info().await;
        match answered {
            Err(ClientError::Lost { .. }) => {}
            other => return other.map(|_| lease),
        }
        // One that was lost while nobody used it; the next one is new or has been used more lately.
        drop(lease);
        let mut lease = self.checkout(end.saturating_duration_since(Instant::now())).await?;
        lease.plugin_info().await?;
        Ok(lease)
    }

    pub fn status(&self) -> PoolStatus {
        let size = self.0.options.size.max(1);
        let seen = self.0.monitor.summary();
        PoolStatus {
            idle: self.0.sessions().idle(),
            in_use: size.saturating_sub(self.0.permits.available_permits()),
            size,
            breaker: seen.breaker,
            failures: seen.failures,
            last_failure: seen.last_failure,
            calls: seen.calls,
            calls_by_method: seen.calls_by_method,
        }
    }
}

impl Shared {
    /// Opens a session, after the pause that an earlier failure asks for.
    async fn start(&self, end: Instant, limit: Duration) -> Result<Session, ClientError> {
        self.monitor.start_may_wait(end).await?;
        let late = ClientError::Timeout { method: PluginRegister::METHOD, after: limit };
        let started = timeout_at(end, self.open()).await.unwrap_or(Err(late));
        self.monitor.started(started.as_ref().err());
        started
    }

    async fn open(&self) -> Result<Session, ClientError> {
        let password = self.password.as_ref().map(Password::expose);
        let options = self.options.session.clone();
        let mut session = Session::connect(&self.way, &self.uri, password, options).await?;
        // Having been asked, a driver that has extensions shows its records as they are, and not as older clients bear them.
        match session.extensions().await {
            Ok(_) | Err(ClientError::Array(_)) => {}
            Err(error) => return Err(error),
        }
        session.monitor = Some(Arc::clone(&self.monitor));
        Ok(session)
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
