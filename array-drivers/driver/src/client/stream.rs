//! Sessions over a connection that somebody else made, and what a plug-in says of itself without a session.

use std::{
    io::{self, Read, Write},
    net::Shutdown,
    os::{fd::RawFd, unix::net::UnixStream as StdUnixStream},
    path::Path,
    thread,
};

use tokio::{net::UnixStream, time::timeout};

use super::{ClientError, Options, READ_SIZE, Session, process::DriverProcess};
use crate::{inherited::InheritedSocket, method::PluginInfo};

impl Session {
    /// Registers over a connected stream. Whoever is at the other end is not our process: it is never killed.
    pub async fn connect_stream(
        stream: StdUnixStream,
        uri: &str,
        password: Option<&str>,
        options: Options,
    ) -> Result<Self, ClientError> {
        let stream = adopt(stream).map_err(|source| ClientError::Start { path: "socket".into(), source })?;
        Self::new(stream, None, &options).register(uri, password).await
    }

    /// Asks the plug-in behind a socket what it is. It is told nothing of an array.
    pub async fn introduce_socket(path: &Path, options: &Options) -> Result<PluginInfo, ClientError> {
        let stream = timeout(options.deadline, UnixStream::connect(path))
            .await
            .unwrap_or_else(|late| Err(late.into()))
            .map_err(|source| ClientError::Start { path: path.to_owned(), source })?;
        Self::new(stream, None, options).plugin_info().await
    }

    /// Starts a plug-in's program only to ask it what it is.
    pub async fn introduce_executable(path: &Path, options: &Options) -> Result<PluginInfo, ClientError> {
        let (process, stream) = DriverProcess::start(path, &options.environment)
            .map_err(|source| ClientError::Start { path: path.to_owned(), source })?;
        Self::new(stream, Some(process), options).plugin_info().await
    }
}

fn adopt(stream: StdUnixStream) -> io::Result<UnixStream> {
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

/// A stream that carries what goes over the socket that we were started with as descriptor `number`.
///
/// A descriptor known by number only cannot be owned in safe Rust, so two threads carry the bytes; they end with either side.
pub fn inherited_stream(number: RawFd) -> io::Result<StdUnixStream> {
    let (near, far) = StdUnixStream::pair()?;
    let (from_peer, to_peer) = (InheritedSocket::new(number)?, InheritedSocket::new(number)?);
    let back = far.try_clone()?;
    thread::Builder::new().name("from descriptor".into()).spawn(move || carry(from_peer, back))?;
    thread::Builder::new().name("to descriptor".into()).spawn(move || carry(far, to_peer))?;
    Ok(near)
}

/// Copies until the source ends; then the other side sees the end too, where it can be told.
fn carry(mut from: impl Read, mut to: impl Write + Ends) {
    let mut piece = vec![0; READ_SIZE];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        if to.write_all(piece.get(..count).unwrap_or_default()).is_err() {
            break;
        }
    }
    to.end();
}

trait Ends {
    fn end(&self);
}

impl Ends for StdUnixStream {
    fn end(&self) {
        // It may have ended already.
        let _ = self.shutdown(Shutdown::Both);
    }
}

impl Ends for InheritedSocket {
    /// The peer sees the end of its session with the end of this process.
    fn end(&self) {}
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn bytes_go_both_ways_over_a_descriptor_and_its_end_is_seen() {
        let (mut peer, ours) = StdUnixStream::pair().unwrap();
        let mut stream = inherited_stream(ours.as_raw_fd()).unwrap();
        let mut read = [0; 4];
        stream.write_all(b"ping").unwrap();
        peer.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"ping");
        peer.write_all(b"pong").unwrap();
        stream.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"pong");
        drop(peer);
        assert_eq!(stream.read(&mut read).unwrap(), 0);
    }

    #[test]
    fn what_is_no_socket_carries_nothing() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(inherited_stream(file.as_raw_fd()).is_err());
    }
}
