//! One array, over a pool of sessions with its driver.

use std::{ffi::OsString, fmt, path::PathBuf, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use sanfleet_driver::client::{
    ClientError, Leave, Options, Session, Way,
    pool::{Lease, Pool, PoolOptions, PoolStatus},
};
use sanfleet_protocol::{ArrayId, Password};
use tokio::sync::Mutex;

use super::{ArrayDefinition, ArrayError};
use crate::lease::Permit;

/// How long one call may take when nobody is held still for it, and how long one waits for a session.
pub const CALL: Duration = Duration::from_secs(30);

/// How the driver of an array is reached.
pub trait Ways: fmt::Debug + Send + Sync {
    fn to(&self, definition: &ArrayDefinition) -> Way;
}

/// Drivers that are programs, or behind libStorageMgmt's daemon.
#[derive(Debug)]
pub struct Installed {
    /// Holds the executables `<kind>_lsmplugin`.
    pub folder: PathBuf,
    /// Holds the sockets `<kind>` of libStorageMgmt's daemon, for kinds that have no executable.
    pub sockets: PathBuf,
}

impl Ways for Installed {
    fn to(&self, definition: &ArrayDefinition) -> Way {
        let program = self.folder.join(format!("{}_lsmplugin", definition.kind));
        Way::Installed { program, sockets: self.sockets.clone() }
    }
}

/// How drivers are reached, and what they must not find in their environment.
#[derive(Debug, Clone)]
pub(super) struct Drivers {
    pub ways: Arc<dyn Ways>,
    pub environment: Vec<(OsString, OsString)>,
}

/// An array to call. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ArrayHandle {
    definition: Arc<ArrayDefinition>,
    pool: Pool,
    /// A session that is kept for the calls of this handle.
    held: Option<Arc<Mutex<Lease>>>,
    /// Leave to call it; what only looks needs none.
    permit: Option<Permit>,
}

impl Drivers {
    /// A handle with a pool of its own. Nothing is started before it is used.
    pub fn handle(&self, definition: ArrayDefinition, password: Option<Password>) -> ArrayHandle {
        let way = self.ways.to(&definition);
        let session = Options { deadline: CALL, environment: self.environment.clone(), ..Options::default() };
        let options = PoolOptions { session, ..PoolOptions::default() };
        let pool = Pool::new(way, definition.uri.clone(), password, options);
        ArrayHandle { definition: Arc::new(definition), pool, held: None, permit: None }
    }
}

impl ArrayHandle {
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

    /// The same array, for calls that are made only while this permit holds.
    pub fn permitted(self, permit: Permit) -> Self {
        Self { permit: Some(permit), ..self }
    }

    /// Makes one call, or several that belong together, in one session.
    pub(super) async fn call<T>(
        &self,
        what: &'static str,
        call: impl for<'s> FnOnce(&'s mut Session) -> BoxFuture<'s, Result<T, ClientError>>,
    ) -> Result<T, ArrayError> {
        if let Some(held) = &self.held {
            // If it has died the call fails at once: an application may be held still, and another session takes time.
            let mut lease = held.lock().await;
            lease.only_with(self.leave());
            return call(&mut lease).await.map_err(self.failed(what));
        }
        let mut lease = self.pool.checkout(CALL).await.map_err(self.failed(what))?;
        lease.only_with(self.leave());
        call(&mut lease).await.map_err(self.failed(what))
    }

    /// Looked at before each call, not once for all that belong together: between two of them another may have taken over.
    fn leave(&self) -> Option<Leave> {
        let permit = self.permit.clone()?;
        Some(Leave::new(move || permit.holds()))
    }

    fn failed(&self, what: &'static str) -> impl FnOnce(ClientError) -> ArrayError {
        let array = self.name().clone();
        move |source| match source {
            ClientError::Withheld { .. } => ArrayError::NotOurs { array },
            source => ArrayError::Driver { array, what, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixListener, thread};

    use sanfleet_driver::{
        ArrayDriver, LsmError, PluginInfo, Pool as StoragePool, Search, array_driver, serve,
    };

    use super::*;

    struct Empty;

    #[array_driver]
    impl ArrayDriver for Empty {
        fn plugin_info(&self) -> PluginInfo {
            PluginInfo { description: "nothing in it".into(), version: "1".into() }
        }

        fn plugin_register(&mut self, _: &str, _: Option<&str>, _: Duration) -> Result<(), LsmError> {
            Ok(())
        }

        fn pools(&mut self, _: Option<&Search>) -> Result<Vec<StoragePool>, LsmError> {
            Ok(Vec::new())
        }
    }

    /// Serves an array behind a socket of this name, as libStorageMgmt's daemon does.
    fn serve_empty(socket: PathBuf) {
        let listener = UnixListener::bind(socket).unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                serve(&mut Empty, stream.unwrap()).unwrap();
            }
        });
    }

    #[tokio::test]
    async fn an_array_without_a_driver_of_ours_is_reached_through_the_daemon_once_that_serves_it() {
        let folder = tempfile::tempdir().unwrap();
        let (drivers, sockets) = (folder.path().join("drivers"), folder.path().join("ipc"));
        std::fs::create_dir(&sockets).unwrap();
        let ways = Arc::new(Installed { folder: drivers, sockets: sockets.clone() });
        let drivers = Drivers { ways, environment: Vec::new() };
        let array = drivers.handle(ArrayDefinition::parse("lab", "theirs://host/").unwrap(), None);
        let pools = async || array.call("listing pools", |session| Box::pin(session.pools(None))).await;

        let error = pools().await.unwrap_err();
        let ArrayError::Driver { source: ClientError::Start { path, .. }, .. } = error else {
            panic!("{error:?}")
        };
        assert!(path.ends_with("drivers/theirs_lsmplugin"));
        serve_empty(sockets.join("theirs"));
        assert_eq!(pools().await.unwrap(), []);
    }
}
