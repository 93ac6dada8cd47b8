//! The calling side: one session with one driver, and a [`pool`] of them for an array.
//!
//! A driver is not to be trusted with our time: every call has a deadline that we enforce ourselves, since the protocol's own is
//! only told to the driver. After a timeout, an end of the stream or nonsense nobody knows what the next bytes would mean, so the
//! session is dead and its process is killed; nobody waits until it is reaped. The session repeats nothing: what a lost call did, only
//! the array knows.

mod connect;
#[cfg(feature = "direct")]
mod direct;
mod error;
mod finish;
mod last_words;
mod limits;
mod message;
mod plugins;
pub mod pool;
mod process;
mod wire;

use std::{
    ffi::OsString,
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

pub use connect::{SOCKET_FOLDER, Way, socket_folder};
#[cfg(feature = "direct")]
pub use direct::{Door, Doorway, Passage};
pub use error::{ClientError, LostReason};
pub use finish::{JobProduct, Work};
pub use limits::Limits;
#[cfg(feature = "fuzzing")]
pub(crate) use message::parse_reply;
pub use plugins::{Plugin, available_plugins, installed_plugins, introduce};
use process::DriverProcess;
pub use process::ProcessEnd;
use tokio::time::{Instant, timeout_at};
use wire::Wire;

pub use crate::inherited::inherited_socket as inherited_stream;
use crate::{
    capability::Capabilities,
    frame::MAX_FRAME,
    method::{self, Call, PluginInfo, PluginUnregister},
    model::{System, Volume, VolumeKey},
    search::Search,
};

/// How long a driver may take to end after its farewell, or to tell how it ended after it closed its socket.
const END: Duration = Duration::from_secs(1);
/// What of that there is when the call's own time is up.
const LEAST_END: Duration = Duration::from_millis(300);

/// How a session behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Longest time that one call may take. The driver is told too.
    pub deadline: Duration,
    /// Longest reply that is read, in bytes.
    pub max_frame: usize,
    /// Added to the driver's environment. Nothing secret: other processes can read it.
    pub environment: Vec<(OsString, OsString)>,
    /// What a process that we start may take of the host.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            max_frame: MAX_FRAME,
            environment: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// A registered session. One call at a time; a call that is dropped half way takes the session with it.
#[derive(Debug)]
pub struct Session {
    /// None when the session is dead.
    wire: Option<Wire>,
    process: Option<DriverProcess>,
    deadline: Duration,
    /// Set while calls of a sequence share one deadline.
    end: Option<Instant>,
    /// A call is out. Seen at the start of another one, the first was dropped.
    calling: bool,
    /// Told how every call went.
    monitor: Option<Arc<pool::Monitor>>,
    /// Asked before every call; without it all are made.
    leave: Option<Leave>,
}

/// Leave to make calls, which may end between two of them.
#[derive(Clone)]
pub struct Leave(Arc<dyn Fn() -> bool + Send + Sync>);

impl Leave {
    pub fn new(holds: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(holds))
    }

    fn holds(&self) -> bool {
        (self.0)()
    }
}

impl fmt::Debug for Leave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Leave({})", self.holds())
    }
}

impl Session {
    /// Says good-bye and waits for the driver's end, which is short or enforced.
    pub async fn close(mut self) -> Result<(), ClientError> {
        // How a session ends tells nothing of how calls go.
        self.monitor = None;
        let farewell = self.call(PluginUnregister {}).await;
        if let Some(process) = self.process.take() {
            process.end_by(Instant::now() + END).await;
        }
        farewell
    }

    /// True when no call can succeed any more: open another session.
    pub fn is_dead(&self) -> bool {
        self.wire.is_none()
    }

    /// True when a call may be made now and, as far as can be told without asking, the driver is there.
    fn is_idle(&self) -> bool {
        !self.calling && self.wire.as_ref().is_some_and(Wire::is_quiet)
    }

    /// The driver's process, if it is ours.
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().and_then(DriverProcess::id)
    }

    pub async fn plugin_info(&mut self) -> Result<PluginInfo, ClientError> {
        let (description, version) = self.call(method::GetPluginInfo {}).await?;
        Ok(PluginInfo { description, version })
    }

    /// Tells the driver another time limit. Our own deadline stays.
    pub async fn time_out_set(&mut self, limit: Duration) -> Result<(), ClientError> {
        self.call(method::TimeOutSet { ms: milliseconds(limit) }).await
    }

    pub async fn time_out_get(&mut self) -> Result<Duration, ClientError> {
        Ok(Duration::from_millis(self.call(method::TimeOutGet {}).await?.into()))
    }

    pub async fn systems(&mut self) -> Result<Vec<System>, ClientError> {
        self.call(method::Systems {}).await
    }

    pub async fn capabilities(&mut self, system: &System) -> Result<Capabilities, ClientError> {
        self.call(method::GetCapabilities { system: system.clone() }).await
    }

    /// The names of the extensions that the driver has, after which its records may hold what only they explain. A driver that
    /// knows of none says NO_SUPPORT.
    pub async fn extensions(&mut self) -> Result<Vec<String>, ClientError> {
        self.call(method::Extensions {}).await
    }

    /// From now on calls are made only while there is leave to; a session that goes back to its pool needs none any more.
    pub fn only_with(&mut self, leave: Option<Leave>) {
        self.leave = leave;
    }

    /// The volume as it is now, or none when the array has it no longer.
    pub async fn volume(&mut self, key: &VolumeKey) -> Result<Option<Volume>, ClientError> {
        let found = self.volumes(Some(&Search::new("id", key.as_str()))).await?;
        // Some plug-ins answer a search they do not know with everything.
        Ok(found.into_iter().find(|volume| volume.id == *key))
    }

    /// The session with one deadline for all calls that are made through what this returns.
    pub fn within(&mut self, limit: Duration) -> Within<'_> {
        let end = Instant::now() + limit;
        // A sequence within a sequence ends with the outer one at the latest.
        let outer = self.end.replace(self.end.map_or(end, |outer| outer.min(end)));
        Within { session: self, outer }
    }

    pub(crate) async fn call<C: Call>(&mut self, call: C) -> Result<C::Reply, ClientError> {
        let method = C::METHOD;
        if self.calling {
            self.die();
            self.calling = false;
            return Err(ClientError::Lost { method, reason: LostReason::CallDropped });
        }
        let begun = Instant::now();
        let limit = self.left(begun);
        if limit.is_zero() {
            return Err(ClientError::Timeout { method, after: limit });
        }
        if self.leave.as_ref().is_some_and(|leave| !leave.holds()) {
            return Err(ClientError::Withheld { method });
        }
        self.calling = true;
        let outcome = self.call_within(call, limit).await;
        self.calling = false;
        if let Some(monitor) = &self.monitor {
            monitor.called(method, begun.elapsed(), outcome.as_ref().err());
        }
        outcome
    }

    /// How long a call that begins now may take.
    fn left(&self, now: Instant) -> Duration {
        let end = self.end.map(|end| end.saturating_duration_since(now));
        end.map_or(self.deadline, |left| left.min(self.deadline))
    }

    async fn call_within<C: Call>(&mut self, call: C, limit: Duration) -> Result<C::Reply, ClientError> {
        let method = C::METHOD;
        let Some(wire) = &mut self.wire else {
            return Err(ClientError::Lost { method, reason: LostReason::AlreadyDead });
        };
        let process = self.process.as_ref();
        let answered = async {
            tokio::select! {
                biased;
                outcome = wire.exchange(&call) => outcome,
                // What the process left running may hold the socket open without ever answering.
                () = ended(process) => {
                    Err(ClientError::Lost { method, reason: LostReason::Closed { end: None } })
                }
            }
        };
        let end = Instant::now() + limit;
        match timeout_at(end, answered).await {
            Ok(Ok(outcome)) => outcome.map_err(ClientError::Array),
            Ok(Err(ClientError::Lost { reason: LostReason::Closed { .. }, .. })) => {
                let end = self.ended_by(end).await.map(Box::new);
                Err(ClientError::Lost { method, reason: LostReason::Closed { end } })
            }
            Ok(Err(error)) => {
                self.die();
                Err(error)
            }
            Err(_) => {
                self.die();
                Err(ClientError::Timeout { method, after: limit })
            }
        }
    }

    /// Ends the session that the driver has closed; how its process ended, if it did so by itself while `call` had time left, or
    /// shortly after.
    async fn ended_by(&mut self, call: Instant) -> Option<ProcessEnd> {
        self.wire = None;
        let now = Instant::now();
        self.process.take()?.end_by(call.clamp(now + LEAST_END, now + END)).await
    }

    /// A session that is none, to stand where one was.
    fn gone() -> Self {
        let deadline = Duration::ZERO;
        Self { wire: None, process: None, deadline, end: None, calling: false, monitor: None, leave: None }
    }

    /// Ends the session. Whoever waits for an answer does not wait for the driver's end too.
    fn die(&mut self) {
        self.wire = None;
        if let Some(process) = self.process.take() {
            process.bury();
        }
    }
}

async fn ended(process: Option<&DriverProcess>) {
    match process {
        Some(process) => process.ended().await,
        None => std::future::pending().await,
    }
}

/// A session whose calls share one deadline; made by [`Session::within`].
#[derive(Debug)]
pub struct Within<'a> {
    session: &'a mut Session,
    outer: Option<Instant>,
}

impl Deref for Within<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session
    }
}

impl DerefMut for Within<'_> {
    fn deref_mut(&mut self) -> &mut Session {
        self.session
    }
}

impl Drop for Within<'_> {
    fn drop(&mut self) {
        self.session.end = self.outer;
    }
}

fn milliseconds(limit: Duration) -> u32 {
    u32::try_from(limit.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
