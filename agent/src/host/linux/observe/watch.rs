//! Learns from the kernel that devices or mounts have changed. Says nothing of what: the answer is to look again.
//!
//! Uevents come straight from the kernel's own socket, so that no udevd has to run, and none is taken apart: a thousand units that
//! come at once are a hundred thousand of them. Losing some is harmless: a full socket buffer is a change like any other.

use std::{
    fs::File,
    os::fd::OwnedFd,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, eventfd, poll},
    io::{Errno, write},
    net::{
        AddressFamily, RecvFlags, SocketFlags, SocketType, bind, netlink, netlink::SocketAddrNetlink, recv,
        socket_with,
    },
};

use crate::host::{Changed, HostError};

/// Most uevents taken from the socket before the change is passed on; the rest wake the watcher again at once.
const DRAIN: usize = 4096;
/// As large as the kernel makes one (`UEVENT_BUFFER_SIZE`, and the header that the socket adds).
const UEVENT_BYTES: usize = 4096;
/// The kernel's own multicast group; udevd's is the next one.
const FROM_KERNEL: u32 = 1;
/// What a uevent of a disk or a partition says of itself, among other words that each end in a zero.
const OF_BLOCK_DEVICES: &[u8] = b"SUBSYSTEM=block";

/// A thread that owns the kernel's sources of news and counts what it hears.
#[derive(Debug)]
pub struct Watch {
    news: Arc<News>,
    stop: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct News {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    pending: bool,
    /// Why nothing will be heard any more.
    broken: Option<Errno>,
}

impl Watch {
    /// Returns once both sources are open: every change from then on is heard.
    pub fn start(mountinfo: &Path) -> Result<Self, HostError> {
        let mounts =
            File::open(mountinfo).map_err(|error| HostError::os(mountinfo.display().to_string(), error))?;
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| HostError::os("eventfd", error))?;
        let (news, stop) = (Arc::new(News::default()), Arc::new(stop));

        let uevents = uevents().map_err(|error| HostError::os("uevents of the kernel", error))?;
        let (thread_news, thread_stop) = (Arc::clone(&news), Arc::clone(&stop));
        let thread = thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || run(&uevents, &mounts, &thread_stop, &thread_news))
            .map_err(|error| HostError::os("thread that watches for changes", error))?;
        Ok(Self { news, stop, thread: Some(thread) })
    }

    /// Blocks until something has changed since the last call, at most this long.
    pub fn wait(&self, at_most: Duration) -> Result<Option<Changed>, HostError> {
        let (mut state, _) = self
            .news
            .changed
            .wait_timeout_while(self.news.lock(), at_most, |state| !state.pending && state.broken.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut state.pending) {
            return Ok(Some(Changed));
        }
        match state.broken {
            Some(error) => Err(HostError::os("news of the kernel", error)),
            None => Ok(None),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // An eventfd takes a one unless its counter is full, and then the thread is awake anyway.
        let _ = write(&*self.stop, &1u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl News {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}

/// A socket on which the kernel tells of every device that comes, goes or changes.
fn uevents() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(netlink::KOBJECT_UEVENT))?;
    bind(&socket, &SocketAddrNetlink::new(0, FROM_KERNEL))?;
    Ok(socket)
}

fn run(uevents: &OwnedFd, mounts: &File, stop: &OwnedFd, news: &News) {
    loop {
        match next(uevents, mounts, stop) {
            Ok(Heard::Change) => news.tell(|state| state.pending = true),
            Ok(Heard::Nothing) => {}
            Ok(Heard::Stop) => return,
            Err(error) => return news.tell(|state| state.broken = Some(error)),
        }
    }
}

enum Heard {
    Change,
    /// A uevent of something that is no block device.
    Nothing,
    Stop,
}

fn next(uevents: &OwnedFd, mounts: &File, stop: &OwnedFd) -> Result<Heard, Errno> {
    let mut sources = [
        PollFd::new(stop, PollFlags::IN),
        PollFd::new(uevents, PollFlags::IN),
        // proc(5): a change of the mount table is an exceptional condition of the open file.
        PollFd::new(mounts, PollFlags::PRI | PollFlags::ERR),
    ];
    match poll(&mut sources, None) {
        Err(Errno::INTR) => return Ok(Heard::Nothing),
        other => other?,
    };
    let [stopped, device, mount] = sources.map(|source| source.revents());
    if !stopped.is_empty() {
        return Ok(Heard::Stop);
    }
    let heard = !device.is_empty() && tells_of_block_devices(uevents)?;
    Ok(if heard || !mount.is_empty() { Heard::Change } else { Heard::Nothing })
}

/// Empties the socket. Uevents that were lost may have been of anything.
fn tells_of_block_devices(uevents: &OwnedFd) -> Result<bool, Errno> {
    let (mut heard, mut buffer) = (false, [0; UEVENT_BYTES]);
    for _ in 0..DRAIN {
        match recv(uevents, &mut buffer, RecvFlags::empty()) {
            Ok((bytes, _)) => heard |= is_of_block_device(buffer.get(..bytes).unwrap_or_default()),
            Err(Errno::NOBUFS) => heard = true,
            Err(Errno::AGAIN | Errno::INTR) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(heard)
}

fn is_of_block_device(uevent: &[u8]) -> bool {
    uevent.split(|byte| *byte == 0).any(|word| word == OF_BLOCK_DEVICES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_uevent_of_a_block_device_is_news() {
        assert!(is_of_block_device(b"add@/devices/x/block/sda\0ACTION=add\0SUBSYSTEM=block\0DEVNAME=sda\0"));
        for other in [&b"add@/devices/x\0ACTION=add\0SUBSYSTEM=bdi\0"[..], b"SUBSYSTEM=blocks\0", b""] {
            assert!(!is_of_block_device(other));
        }
    }
}
