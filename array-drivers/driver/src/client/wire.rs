//! One call's bytes there and back.
//!
//! A reply is bounded by its frame: one whose header promises more than the limit is refused before its bytes are read, so a peer
//! that never stops sending is left as soon as its header is seen. How many records a frame holds is not bounded
//! further: what is parsed takes a small multiple of its bytes, so the frame bounds both.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

#[cfg(feature = "direct")]
use super::direct::DirectLine;

use super::{ClientError, LostReason, message};
use crate::{
    error::LsmError,
    frame::{FrameBuffer, encode_frame},
    method::Call,
};

/// What the bytes go over.
#[derive(Debug)]
pub(super) enum Line {
    Socket(UnixStream),
    #[cfg(feature = "direct")]
    Direct(DirectLine),
}

/// The line, and what has come over it that is no whole reply yet.
#[derive(Debug)]
pub(super) struct Wire {
    line: Line,
    buffer: FrameBuffer,
}

impl Wire {
    /// Takes replies of at most `max_frame` bytes.
    pub fn new(line: Line, max_frame: usize) -> Self {
        Self { line, buffer: FrameBuffer::new(max_frame) }
    }

    /// One request and its reply. The outer error breaks the session, the inner one is the array's answer.
    pub async fn exchange<C: Call>(&mut self, call: &C) -> Result<Result<C::Reply, LsmError>, ClientError> {
        let method = C::METHOD;
        let request = message::request(call).map_err(|error| ClientError::protocol(method, error))?;
        let frame = encode_frame(&request).map_err(|error| ClientError::protocol(method, error))?;
        self.line.send(&frame).await.map_err(|error| lost(method, error))?;
        let body = self.receive(method).await?;
        message::parse_reply(&body).map_err(|error| ClientError::protocol(method, error))
    }

    /// False when the peer has gone, or speaks without being asked.
    pub fn is_quiet(&self) -> bool {
        self.line.is_quiet()
    }

    async fn receive(&mut self, method: &'static str) -> Result<Vec<u8>, ClientError> {
        loop {
            if let Some(body) =
                self.buffer.next_frame().map_err(|error| ClientError::protocol(method, error))?
            {
                return match self.buffer.is_empty() {
                    true => Ok(body),
                    false => Err(ClientError::protocol(method, "more came than the reply")),
                };
            }
            match self.line.receive(self.buffer.room()).await {
                Ok(0) => return Err(ClientError::Lost { method, reason: LostReason::Closed { end: None } }),
                Ok(_) => {}
                Err(error) => return Err(lost(method, error)),
            }
        }
    }
}

impl Line {
    async fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        match self {
            Self::Socket(stream) => stream.write_all(frame).await,
            #[cfg(feature = "direct")]
            Self::Direct(line) => line.send(frame).await,
        }
    }

    /// Appends what has come; returns how much, 0 when the peer has closed.
    async fn receive(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Socket(stream) => stream.read_buf(buffer).await,
            #[cfg(feature = "direct")]
            Self::Direct(line) => Ok(line.receive(buffer)),
        }
    }

    fn is_quiet(&self) -> bool {
        match self {
            Self::Socket(stream) => {
                let silent = |error: io::Error| error.kind() == io::ErrorKind::WouldBlock;
                stream.try_read(&mut [0]).is_err_and(silent)
            }
            #[cfg(feature = "direct")]
            Self::Direct(line) => line.is_quiet(),
        }
    }
}

/// A peer that ends with our bytes unread resets the connection, one that is gone breaks the pipe: both have closed it.
fn lost(method: &'static str, error: io::Error) -> ClientError {
    let reason = match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => LostReason::Closed { end: None },
        _ => LostReason::Io(error),
    };
    ClientError::Lost { method, reason }
}
