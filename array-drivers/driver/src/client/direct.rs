//! A driver in our own process, behind the same bytes: requests and replies are written, framed, read and dispatched by the code
//! that does it on a socket. There is no thread and no sleep, so that it works where time stands still.
//!
//! For tests alone: what a driver's process of its own protects from, this does not.

use std::{fmt, io, sync::Arc};

use futures::future::BoxFuture;

use crate::{
    error::LsmError,
    frame::{FrameBuffer, encode_frame},
    message::{Request, failure},
    method::ArrayDriver,
    serve::{Dispatcher, Next, Standing, answer},
};

/// What becomes of a call on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passage {
    Open,
    /// The session dies here.
    Lost,
    /// The array says no.
    Refused(LsmError),
}

/// What is between the sessions with an array and its driver: it makes the drivers, and has its say in every call. It may wait.
pub trait Door: fmt::Debug + Send + Sync {
    /// A driver for a new session.
    fn open(&self) -> io::Result<Box<dyn ArrayDriver + Send>>;

    /// Asked before the driver sees a call. What is lost here has had no effect.
    fn enter<'a>(&'a self, method: &'a str) -> BoxFuture<'a, Passage>;

    /// Asked when the driver has done it, and nobody knows yet.
    fn leave<'a>(&'a self, method: &'a str) -> BoxFuture<'a, Passage>;
}

/// A way through a door; the same as another through the same door.
#[derive(Debug, Clone)]
pub struct Doorway(pub Arc<dyn Door>);

impl PartialEq for Doorway {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Doorway {}

/// One session's line to its own driver.
pub(super) struct DirectLine {
    door: Arc<dyn Door>,
    /// None when the session has ended.
    driver: Option<Box<dyn ArrayDriver + Send>>,
    standing: Standing,
    /// The reply that nobody has read yet.
    reply: Vec<u8>,
}

impl DirectLine {
    pub fn open(Doorway(door): &Doorway) -> io::Result<Self> {
        let driver = Some(door.open()?);
        Ok(Self { door: Arc::clone(door), driver, standing: Standing::default(), reply: Vec::new() })
    }

    pub async fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        let body = body_of(frame)?;
        let method = Request::parse(&body).map(|request| request.method).unwrap_or_default();
        let door = Arc::clone(&self.door);
        match door.enter(&method).await {
            Passage::Open => self.answer(&body)?,
            Passage::Lost => return Err(self.die()),
            Passage::Refused(error) => return self.refuse(&error),
        }
        match door.leave(&method).await {
            Passage::Open => Ok(()),
            Passage::Lost => Err(self.die()),
            Passage::Refused(error) => self.refuse(&error),
        }
    }

    fn refuse(&mut self, error: &LsmError) -> io::Result<()> {
        self.reply = encode_frame(&failure(error)).map_err(io::Error::other)?;
        Ok(())
    }

    fn answer(&mut self, body: &[u8]) -> io::Result<()> {
        let driver = self.driver.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut dispatcher = Dispatcher::resume(driver.as_mut(), std::mem::take(&mut self.standing));
        let next = answer(&mut dispatcher, &mut self.reply, body);
        self.standing = dispatcher.into_standing();
        match next.map_err(io::Error::other)? {
            Next::Call => {}
            Next::End => self.driver = None,
        }
        Ok(())
    }

    pub fn receive(&mut self, buffer: &mut Vec<u8>) -> usize {
        let count = self.reply.len();
        buffer.append(&mut self.reply);
        count
    }

    pub fn is_quiet(&self) -> bool {
        self.driver.is_some() && self.reply.is_empty()
    }

    /// As when the driver's process is killed.
    fn die(&mut self) -> io::Error {
        self.reply.clear();
        self.driver = None;
        io::ErrorKind::BrokenPipe.into()
    }
}

fn body_of(frame: &[u8]) -> io::Result<Vec<u8>> {
    let mut buffer = FrameBuffer::new(frame.len());
    buffer.push(frame);
    buffer.next_frame().map_err(io::Error::other)?.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

impl Drop for DirectLine {
    fn drop(&mut self) {
        if let Some(driver) = &mut self.driver {
            Dispatcher::new(driver.as_mut()).client_has_gone();
        }
    }
}

impl fmt::Debug for DirectLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectLine").field("door", &self.door).finish_non_exhaustive()
    }
}
