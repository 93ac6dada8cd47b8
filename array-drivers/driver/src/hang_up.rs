//! A driver does not outlive its client, not even when it is stuck in a call to its array.
//!
//! Between calls a session sees for itself that its client has gone. A call that is under way may still end, for a change that is
//! cut short is worth less than one that is whole; after a while the process ends all the same. The parent's death would be the
//! wrong sign: under libStorageMgmt's daemon the parent is not the client, and the kernel takes the end of the *thread* that
//! started us for the parent's.

use std::{io, os::unix::net::UnixStream, process, thread, time::Duration};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};

/// How long a call may go on when nobody is left to hear its result.
const GRACE: Duration = Duration::from_secs(5);
/// The watching thread calls two functions.
const STACK: usize = 64 << 10;

/// Ends the process with `code` some time after the other end of `socket` has closed, unless it has ended by then.
pub(crate) fn end_after_hang_up(socket: &UnixStream, code: i32) -> io::Result<()> {
    let socket = socket.try_clone()?;
    let watch = move || {
        if hung_up(&socket).is_ok() {
            thread::sleep(GRACE);
            process::exit(code);
        }
    };
    thread::Builder::new().name("hang-up".into()).stack_size(STACK).spawn(watch).map(drop)
}

/// Comes back when the other end has closed altogether: one that only sends no more still listens.
fn hung_up(socket: &UnixStream) -> rustix::io::Result<()> {
    loop {
        // Nothing is asked for: a hang-up is always told.
        match poll(&mut [PollFd::new(socket, PollFlags::empty())], None) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, net::Shutdown};

    use super::*;

    #[test]
    fn a_client_that_sends_no_more_has_not_hung_up_and_one_that_closed_has() {
        let (mut near, far) = UnixStream::pair().unwrap();
        let watcher = thread::spawn(move || hung_up(&far));
        near.write_all(b"unread").unwrap();
        near.shutdown(Shutdown::Write).unwrap();
        for _ in 0..1000 {
            assert!(!watcher.is_finished());
            thread::yield_now();
        }
        drop(near);
        watcher.join().unwrap().unwrap();
    }
}
