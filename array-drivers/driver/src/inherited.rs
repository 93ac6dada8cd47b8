//! The socket that whoever started us left open, known only by its number.
//!
//! Owning a descriptor by number is unsafe in Rust, and the one safe way to duplicate it (`pidfd_getfd`) is forbidden by the
//! usual sandboxes. So nothing is owned: each call names the number, and the kernel refuses it when it is no socket.

use std::{
    io::{self, Read, Write},
    os::fd::RawFd,
};

use nix::sys::socket::{MsgFlags, getsockname, recv, send};

/// A connected stream socket, by number. It is never closed before the process ends.
#[derive(Debug)]
pub(crate) struct InheritedSocket(RawFd);

impl InheritedSocket {
    /// Refuses a number that is no open socket. Call it first thing in a process, before anything else can get that number.
    pub fn new(number: RawFd) -> io::Result<Self> {
        getsockname::<nix::sys::socket::UnixAddr>(number)?;
        Ok(Self(number))
    }
}

impl Read for InheritedSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(recv(self.0, buffer, MsgFlags::empty())?)
    }
}

impl Write for InheritedSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(self.0, bytes, MsgFlags::MSG_NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::{fd::AsRawFd, unix::net::UnixStream};

    use super::*;

    #[test]
    fn bytes_pass_through_a_socket_known_by_number() {
        let (mut near, far) = UnixStream::pair().unwrap();
        let mut socket = InheritedSocket::new(far.as_raw_fd()).unwrap();
        near.write_all(b"ping").unwrap();
        let mut read = [0; 4];
        socket.read_exact(&mut read).unwrap();
        socket.write_all(b"pong").unwrap();
        near.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"pong");
    }

    #[test]
    fn a_number_that_is_no_socket_is_refused() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(InheritedSocket::new(file.as_raw_fd()).is_err());
        assert!(InheritedSocket::new(-1).is_err());
        assert!(InheritedSocket::new(i32::MAX).is_err());
    }
}
