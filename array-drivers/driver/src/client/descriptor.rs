//! A connection that whoever started us left open, known by its number.

use std::{
    io::{self, Read, Write},
    net::Shutdown,
    os::{fd::RawFd, unix::net::UnixStream},
    thread,
};

use crate::inherited::InheritedSocket;

const PIECE: usize = 64 << 10;

/// A stream that carries what goes over the socket that we were started with as descriptor `number`.
///
/// A descriptor known by number only cannot be owned in safe Rust, so two threads carry the bytes; they end with either side.
pub fn inherited_stream(number: RawFd) -> io::Result<UnixStream> {
    let (near, far) = UnixStream::pair()?;
    let (from_peer, to_peer) = (InheritedSocket::new(number)?, InheritedSocket::new(number)?);
    let back = far.try_clone()?;
    thread::Builder::new().name("from descriptor".into()).spawn(move || carry(from_peer, back))?;
    thread::Builder::new().name("to descriptor".into()).spawn(move || carry(far, to_peer))?;
    Ok(near)
}

/// Copies until the source ends; then the other side sees the end too, where it can be told.
fn carry(mut from: impl Read, mut to: impl Write + Ends) {
    let mut piece = vec![0; PIECE];
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

impl Ends for UnixStream {
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
        let (mut peer, ours) = UnixStream::pair().unwrap();
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
