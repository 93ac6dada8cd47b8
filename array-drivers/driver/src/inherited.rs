//! The socket that whoever started us left open, known only by its number.
//!
//! To take a number for a descriptor of one's own is unsafe in Rust, and the plain way to duplicate one by number
//! (`pidfd_getfd`) is forbidden by the usual sandboxes. But a number may be sent: what comes out of the other end of a socket pair
//! is a descriptor of ours, and the kernel has checked the number. The number itself stays open until the process ends.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{AsRawFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
};

use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, getsockname, sendmsg};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// The connected stream socket of this number. Refuses one that is no open socket. Call it first thing in a process, before
/// anything else can get that number.
pub fn inherited_socket(number: RawFd) -> io::Result<UnixStream> {
    getsockname::<UnixAddr>(number)?;
    let (near, far) = UnixStream::pair()?;
    let numbers = [number];
    let rights = [ControlMessage::ScmRights(&numbers)];
    sendmsg::<()>(near.as_raw_fd(), &[IoSlice::new(&[0])], &rights, MsgFlags::empty(), None)?;
    received(&far).map(UnixStream::from)
}

fn received(from: &UnixStream) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(from, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    control
        .drain()
        .find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        })
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn bytes_pass_through_a_socket_known_by_number() {
        let (mut near, far) = UnixStream::pair().unwrap();
        let mut socket = inherited_socket(far.as_raw_fd()).unwrap();
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
        assert!(inherited_socket(file.as_raw_fd()).is_err());
        assert!(inherited_socket(-1).is_err());
        assert!(inherited_socket(i32::MAX).is_err());
    }
}
