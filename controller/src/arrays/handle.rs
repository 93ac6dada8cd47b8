//! One array, over one driver process that is started when it is needed and again when it was lost.

use std::{ffi::OsString, path::PathBuf, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use sanfleet_driver::client::{ClientError, Options, Session};
use sanfleet_protocol::{ArrayId, Password};
use tokio::{
    sync::{Mutex, MutexGuard},
    time::Instant,
};

use super::{ArrayDefinition, ArrayError, Drivers, figures::Calls};

/// How long one call may take when nobody is held still for it.
pub const CALL: Duration = Duration::from_secs(30);
/// After a start that failed the next one waits this long, doubled up to the maximum.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The driver process of an array, or how to start it.
#[derive(Debug)]
pub struct Connection {
    definition: ArrayDefinition,
    executable: PathBuf,
    environment: Vec<(OsString, OsString)>,
    password: Option<Password>,
    calls: Arc<Calls>,
    session: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    session: Option<Session>,
    pause: Duration,
    not_before: Option<Instant>,
}

impl Connection {
    pub fn new(
        definition: ArrayDefinition,
        password: Option<Password>,
        drivers: &Drivers,
        calls: Arc<Calls>,
    ) -> Self {
        let executable = drivers.folder.join(format!("{}_lsmplugin", definition.kind));
        let environment = drivers.environment.clone();
        Self { definition, executable, environment, password, calls, session: Mutex::default() }
    }

    async fn ready(&self) -> Result<MutexGuard<'_, State>, ClientError> {
        let mut state = self.session.lock().await;
        if state.session.as_ref().is_some_and(Session::is_dead) {
            state.session = None;
        }
        if state.session.is_none() {
            if let Some(at) = state.not_before {
                tokio::time::sleep_until(at).await;
            }
            let environment = self.environment.clone();
            let options = Options { deadline: CALL, environment, ..Options::default() };
            let password = self.password.as_ref().map(Password::expose);
            let uri = &self.definition.uri;
            match Session::connect_executable(&self.executable, uri, password, options).await {
                Ok(session) => {
                    (state.pause, state.not_before) = (Duration::ZERO, None);
                    state.session = Some(session);
                }
                Err(error) => {
                    state.pause = (state.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                    state.not_before = Some(Instant::now() + state.pause);
                    return Err(error);
                }
            }
        }
        Ok(state)
    }
}

/// An array to call. Calls of one handle follow one another; the driver protocol has no other way.
#[derive(Debug, Clone)]
pub struct ArrayHandle(Arc<Connection>);

impl ArrayHandle {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self(connection)
    }

    pub fn name(&self) -> &ArrayId {
        &self.0.definition.name
    }

    pub fn definition(&self) -> &ArrayDefinition {
        &self.0.definition
    }

    /// Makes one call, or several that belong together, in one session.
    pub(super) async fn call<T>(
        &self,
        what: &'static str,
        call: impl for<'s> FnOnce(&'s mut Session) -> BoxFuture<'s, Result<T, ClientError>>,
    ) -> Result<T, ArrayError> {
        let failed = |source| ArrayError::Driver { array: self.name().clone(), what, source };
        let begun = Instant::now();
        let mut state = match self.0.ready().await {
            Ok(state) => state,
            Err(error) => {
                let result: Result<T, _> = Err(error);
                self.0.calls.note(begun.elapsed(), &result);
                return result.map_err(failed);
            }
        };
        let session = state.session.as_mut().ok_or_else(|| ArrayError::NotVerified {
            array: self.name().clone(),
            what: "its driver did not start".to_owned(),
        })?;
        let begun = Instant::now();
        let result = call(session).await;
        self.0.calls.note(begun.elapsed(), &result);
        result.map_err(failed)
    }
}
