//! The calling side: one session with one driver.
//!
//! A driver is not to be trusted with our time: every call has a deadline that we enforce ourselves, since the protocol's own is
//! only told to the driver. After a timeout, an end of the stream or nonsense nobody knows what the next bytes would mean, so the
//! session is dead and its process is killed and reaped. The session repeats nothing: what a lost call did, only the array knows.

mod error;
mod follow;
mod message;
mod process;

use std::{ffi::OsString, io, path::Path, time::Duration};

pub use error::{ClientError, LostReason};
#[cfg(feature = "fuzzing")]
pub(crate) use message::parse_reply;
use process::DriverProcess;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

use crate::{
    capability::Capabilities,
    error::LsmError,
    frame::{FrameBuffer, MAX_FRAME, encode_frame},
    method::{self, Call, PluginInfo, PluginRegister, PluginUnregister},
    model::{System, Volume, VolumeKey},
    search::Search,
};

const READ_SIZE: usize = 64 << 10;
/// How long a driver may take to end after its farewell, and a dying one to be reaped.
const END: Duration = Duration::from_secs(1);

/// How a session behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Longest time that one call may take. The driver is told too.
    pub deadline: Duration,
    /// Longest reply that is read, in bytes.
    pub max_frame: usize,
    /// Added to the driver's environment. Nothing secret: other processes can read it.
    pub environment: Vec<(OsString, OsString)>,
}

impl Default for Options {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(30), max_frame: MAX_FRAME, environment: Vec::new() }
    }
}

/// A registered session. One call at a time; a call that is dropped half way takes the session with it.
#[derive(Debug)]
pub struct Session {
    stream: UnixStream,
    buffer: FrameBuffer,
    process: Option<DriverProcess>,
    deadline: Duration,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ready,
    /// A call is out. Seen at the start of another one, the first was dropped.
    Calling,
    Dead,
}

impl Session {
    /// Starts the driver's program and registers with it. It dies when the session is dropped, or ends by itself when we do,
    /// for its socket then closes.
    pub async fn connect_executable(
        path: &Path,
        uri: &str,
        password: Option<&str>,
        options: Options,
    ) -> Result<Self, ClientError> {
        let (process, stream) = DriverProcess::start(path, &options.environment)
            .map_err(|source| ClientError::Start { path: path.to_owned(), source })?;
        Self::new(stream, Some(process), &options).register(uri, password).await
    }

    /// Connects to the socket of a driver that lsmd serves, and registers with it.
    pub async fn connect_socket(
        path: &Path,
        uri: &str,
        password: Option<&str>,
        options: Options,
    ) -> Result<Self, ClientError> {
        let stream = timeout(options.deadline, UnixStream::connect(path))
            .await
            .unwrap_or_else(|late| Err(late.into()))
            .map_err(|source| ClientError::Start { path: path.to_owned(), source })?;
        Self::new(stream, None, &options).register(uri, password).await
    }

    fn new(stream: UnixStream, process: Option<DriverProcess>, options: &Options) -> Self {
        let buffer = FrameBuffer::new(options.max_frame);
        Self { stream, buffer, process, deadline: options.deadline, state: State::Ready }
    }

    async fn register(mut self, uri: &str, password: Option<&str>) -> Result<Self, ClientError> {
        let (uri, password, timeout) =
            (uri.to_owned(), password.map(str::to_owned), milliseconds(self.deadline));
        let call = PluginRegister { uri, password, timeout };
        match self.call(call).await {
            Ok(()) => Ok(self),
            Err(error) => {
                self.die().await;
                Err(error)
            }
        }
    }

    /// Says good-bye and waits for the driver's end, which is short or enforced.
    pub async fn close(mut self) -> Result<(), ClientError> {
        let farewell = self.call(PluginUnregister {}).await;
        if let Some(process) = &mut self.process {
            process.end_within(END).await;
        }
        farewell
    }

    /// True when no call can succeed any more: open another session.
    pub fn is_dead(&self) -> bool {
        self.state == State::Dead
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

    /// The volume as it is now, or none when the array has it no longer.
    pub async fn volume(&mut self, key: &VolumeKey) -> Result<Option<Volume>, ClientError> {
        let found = self.volumes(Some(&Search::new("id", key.as_str()))).await?;
        // Some plug-ins answer a search they do not know with everything.
        Ok(found.into_iter().find(|volume| volume.id == *key))
    }

    pub(crate) async fn call<C: Call>(&mut self, call: C) -> Result<C::Reply, ClientError> {
        self.call_within(call, self.deadline).await
    }

    async fn call_within<C: Call>(&mut self, call: C, limit: Duration) -> Result<C::Reply, ClientError> {
        let method = C::METHOD;
        let lost = |reason| ClientError::Lost { method, reason };
        match self.state {
            State::Ready => self.state = State::Calling,
            State::Calling => {
                self.die().await;
                return Err(lost(LostReason::CallDropped));
            }
            State::Dead => return Err(lost(LostReason::AlreadyDead)),
        }
        match timeout(limit, self.exchange(&call)).await {
            Ok(Ok(outcome)) => {
                self.state = State::Ready;
                outcome.map_err(ClientError::Array)
            }
            Ok(Err(error)) => Err(self.after_death(error).await),
            Err(_) => {
                self.die().await;
                Err(ClientError::Timeout { method, after: limit })
            }
        }
    }

    /// One request and its reply. The outer error breaks the session, the inner one is the array's answer.
    async fn exchange<C: Call>(&mut self, call: &C) -> Result<Result<C::Reply, LsmError>, ClientError> {
        let method = C::METHOD;
        let request = message::request(call).map_err(|error| ClientError::protocol(method, error))?;
        let frame = encode_frame(&request).map_err(|error| ClientError::protocol(method, error))?;
        self.stream.write_all(&frame).await.map_err(|error| lost(method, error))?;
        let body = self.receive(method).await?;
        message::parse_reply(&body).map_err(|error| ClientError::protocol(method, error))
    }

    async fn receive(&mut self, method: &'static str) -> Result<Vec<u8>, ClientError> {
        let mut piece = vec![0; READ_SIZE];
        loop {
            if let Some(body) =
                self.buffer.next_frame().map_err(|error| ClientError::protocol(method, error))?
            {
                return match self.buffer.is_empty() {
                    true => Ok(body),
                    false => Err(ClientError::protocol(method, "more came than the reply")),
                };
            }
            match self.stream.read(&mut piece).await {
                Ok(0) => {
                    return Err(ClientError::Lost { method, reason: LostReason::Closed { status: None } });
                }
                Ok(count) => self.buffer.push(piece.get(..count).unwrap_or_default()),
                Err(error) => return Err(lost(method, error)),
            }
        }
    }

    /// Ends the session, and adds to the error how the process ended by itself if it did.
    async fn after_death(&mut self, error: ClientError) -> ClientError {
        self.state = State::Dead;
        let status = match &mut self.process {
            Some(process) => process.end_within(END).await,
            None => None,
        };
        match error {
            ClientError::Lost { method, reason: LostReason::Closed { .. } } => {
                ClientError::Lost { method, reason: LostReason::Closed { status } }
            }
            other => other,
        }
    }

    async fn die(&mut self) {
        self.state = State::Dead;
        if let Some(process) = &mut self.process {
            process.kill().await;
        }
    }
}

fn milliseconds(limit: Duration) -> u32 {
    u32::try_from(limit.as_millis()).unwrap_or(u32::MAX)
}

/// A peer that ends with our bytes unread resets the connection, one that is gone breaks the pipe: both have closed it.
fn lost(method: &'static str, error: io::Error) -> ClientError {
    let reason = match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => LostReason::Closed { status: None },
        _ => LostReason::Io(error),
    };
    ClientError::Lost { method, reason }
}

#[cfg(test)]
mod tests;
