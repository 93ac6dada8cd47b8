//! Serving one driver to one client, until either is done.
//!
//! A wrong request gets an error and the session goes on; only a stream that has lost its frames ends it, for where the next
//! request begins is then unknown. One call at a time: the next request is read when the last one is answered.

use std::io::{self, IoSlice, Read, Write};

mod dispatch;

#[cfg(feature = "direct")]
pub(crate) use dispatch::Standing;
pub(crate) use dispatch::{Dispatcher, Incoming};

use crate::{
    error::{ErrorNumber, LsmError},
    frame::{FrameBuffer, FrameError, MAX_FRAME, header_of},
    message::{self, Request},
    method::{ArrayDriver, Call, PluginUnregister},
};

const READ_SIZE: usize = 64 << 10;

/// How a session came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The client said good-bye.
    Unregistered,
    /// The client went between two requests; the driver was unregistered for it.
    Closed,
}

/// What breaks a session.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot talk to the client")]
    Io(#[source] io::Error),
    #[error("the client sent what is no frame")]
    Frame(#[source] FrameError),
    #[error("the client went in the middle of a request")]
    Cut,
}

/// Answers the calls that come over `stream` with `driver`, until the client says good-bye or goes.
pub fn serve(driver: &mut dyn ArrayDriver, stream: impl Read + Write) -> Result<Ended, ServeError> {
    let dispatcher = Dispatcher::new(driver);
    let (buffer, piece) = (FrameBuffer::new(MAX_FRAME), vec![0; READ_SIZE].into());
    let mut session = Session { dispatcher, stream, buffer, piece };
    let ended = session.run();
    if !matches!(ended, Ok(Ended::Unregistered)) {
        session.dispatcher.client_has_gone();
    }
    ended
}

struct Session<'a, S> {
    dispatcher: Dispatcher<'a>,
    stream: S,
    buffer: FrameBuffer,
    /// What one read brought.
    piece: Box<[u8]>,
}

impl<S: Read + Write> Session<'_, S> {
    fn run(&mut self) -> Result<Ended, ServeError> {
        while let Some(body) = self.receive()? {
            if answer(&mut self.dispatcher, &mut self.stream, &body)? == Next::End {
                return Ok(Ended::Unregistered);
            }
        }
        Ok(Ended::Closed)
    }

    /// The next request's body; none when the client has gone.
    fn receive(&mut self) -> Result<Option<Vec<u8>>, ServeError> {
        loop {
            match self.buffer.next_frame() {
                Ok(Some(body)) => return Ok(Some(body)),
                Ok(None) => {}
                Err(error) => return Err(self.lost_its_frames(error)),
            }
            match self.stream.read(&mut self.piece) {
                Ok(0) if self.buffer.is_empty() => return Ok(None),
                Ok(0) => return Err(ServeError::Cut),
                Ok(count) => self.buffer.push(self.piece.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A client killed with replies unread resets the connection: it has gone, like any other.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset && self.buffer.is_empty() => {
                    return Ok(None);
                }
                Err(error) => return Err(ServeError::Io(error)),
            }
        }
    }

    fn lost_its_frames(&mut self, error: FrameError) -> ServeError {
        let reply = LsmError::new(ErrorNumber::ParseError, error.to_string());
        // The client may have gone; the frame error is what matters.
        let _ = send(&mut self.dispatcher, &mut self.stream, "", &message::failure(&reply));
        ServeError::Frame(error)
    }
}

/// What comes after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Call,
    /// The client said good-bye.
    End,
}

/// Makes the call that a request's body asks for, and writes the reply as a frame.
pub(crate) fn answer(
    dispatcher: &mut Dispatcher,
    stream: &mut impl Write,
    body: &[u8],
) -> Result<Next, ServeError> {
    let request = Request::parse(body);
    // A request that names no method has a reply too.
    let method = request.as_ref().map(|request| request.method.clone()).unwrap_or_default();
    let outcome = request.and_then(|request| dispatcher.dispatch(&request));
    send(dispatcher, stream, &method, &outcome.unwrap_or_else(|error| message::failure(&error)))?;
    Ok(if method == PluginUnregister::METHOD { Next::End } else { Next::Call })
}

fn send(
    dispatcher: &mut Dispatcher,
    stream: &mut impl Write,
    method: &str,
    body: &[u8],
) -> Result<(), ServeError> {
    let header = header_of(body).map_err(ServeError::Frame)?;
    if dispatcher.before_reply(method, stream).map_err(ServeError::Io)? {
        write_both(stream, &header, body).map_err(ServeError::Io)?;
    }
    Ok(())
}

/// In one piece where the stream takes it, without a copy of what may be long.
fn write_both(stream: &mut impl Write, header: &[u8], body: &[u8]) -> io::Result<()> {
    let mut both = [IoSlice::new(header), IoSlice::new(body)];
    let mut left = both.as_mut_slice();
    while !left.is_empty() {
        match stream.write_vectored(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => IoSlice::advance_slices(&mut left, count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
