//! One array, over a pool of sessions with its driver.

use std::{path::Path, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use sanfleet_driver::client::{
    ClientError, Options, Session, Way,
    pool::{Lease, Pool, PoolOptions, PoolStatus},
};
use sanfleet_protocol::ArrayId;
use tokio::sync::Mutex;

use super::{ArrayDefinition, ArrayError};

/// How long one call may take when nobody is held still for it, and how long one waits for a session.
pub const CALL: Duration = Duration::from_secs(30);

/// An array to call. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ArrayHandle {
    definition: Arc<ArrayDefinition>,
    pool: Pool,
    /// A session that is kept for the calls of this handle.
    held: Option<Arc<Mutex<Lease>>>,
}

impl ArrayHandle {
    /// `driver_dir` holds the executables `<kind>_lsmplugin`. Nothing is started before it is used.
    pub(super) fn new(definition: ArrayDefinition, driver_dir: &Path) -> Self {
        let executable = driver_dir.join(format!("{}_lsmplugin", definition.kind));
        let session = Options { deadline: CALL, ..Options::default() };
        let options = PoolOptions { session, ..PoolOptions::default() };
        let pool = Pool::new(Way::Program(executable), definition.uri.clone(), None, options);
        Self { definition: Arc::new(definition), pool, held: None }
    }

    pub fn name(&self) -> &ArrayId {
        &self.definition.name
    }

    pub fn definition(&self) -> &ArrayDefinition {
        &self.definition
    }

    /// Sessions, latencies, failures and the breaker.
    pub fn status(&self) -> PoolStatus {
        self.pool.status()
    }

    /// The same array with an open session of its own, that has answered just now: its calls wait for nobody.
    pub async fn ready(&self) -> Result<Self, ArrayError> {
        let lease = self.pool.ready(CALL).await.map_err(self.failed("opening a session"))?;
        Ok(Self { held: Some(Arc::new(Mutex::new(lease))), ..self.clone() })
    }

    /// Makes one call, or several that belong together, in one session.
    pub(super) async fn call<T>(
        &self,
        what: &'static str,
        call: impl for<'s> FnOnce(&'s mut Session) -> BoxFuture<'s, Result<T, ClientError>>,
    ) -> Result<T, ArrayError> {
        if let Some(held) = &self.held {
            // If it has died the call fails at once: an application may be held still, and another session takes time.
            return call(&mut *held.lock().await).await.map_err(self.failed(what));
        }
        let mut lease = self.pool.checkout(CALL).await.map_err(self.failed(what))?;
        call(&mut lease).await.map_err(self.failed(what))
    }

    fn failed(&self, what: &'static str) -> impl FnOnce(ClientError) -> ArrayError {
        let array = self.name().clone();
        move |source| ArrayError::Driver { array, what, source }
    }
}
