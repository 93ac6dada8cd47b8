//! Learns from the kernel that devices or mounts have changed. Says nothing of what: the answer is to look again.
//!
//! Uevents come straight from the kernel, so that no udevd has to run. Losing some is harmless: a full socket buffer is a
//! change like any other.

use std::{
    fs::File,
    io,
    os::fd::OwnedFd,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, eventfd, poll},
    io::{Errno, write},
};

use crate::host::{Changed, HostError};

/// Most uevents taken from the socket before the change is passed on; the rest wake the watcher again at once.
const DRAIN: usize = 4096;

/// A thread that owns the kernel's sources of news (udev's socket may not leave its thread) and counts what it hears.
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

        let (started, opened) = mpsc::channel();
        let (thread_news, thread_stop) = (Arc::clone(&news), Arc::clone(&stop));
        let thread = thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || run(&mounts, &thread_stop, &thread_news, &started))
            .map_err(|error| HostError::os("thread that watches for changes", error))?;
        let watch = Self { news, stop, thread: Some(thread) };
        let opened = opened.recv().unwrap_or_else(|_| Err(io::Error::other("the watching thread ended")));
        opened.map_err(|error| HostError::os("uevents of the kernel", error))?;
        Ok(watch)
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

fn run(mounts: &File, stop: &OwnedFd, news: &News, started: &mpsc::Sender<io::Result<()>>) {
    let uevents = udev::MonitorBuilder::new_kernel()
        .and_then(|monitor| monitor.match_subsystem("block"))
        .and_then(udev::MonitorBuilder::listen);
    let uevents = match uevents {
        Ok(uevents) => uevents,
        Err(error) => {
            let _ = started.send(Err(error));
            return;
        }
    };
    let _ = started.send(Ok(()));
    loop {
        match next(&uevents, mounts, stop) {
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

fn next(uevents: &udev::MonitorSocket, mounts: &File, stop: &OwnedFd) -> Result<Heard, Errno> {
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
    // An error on the socket means that uevents were lost; reading clears it.
    let lost = device.contains(PollFlags::ERR);
    let received = if device.is_empty() { 0 } else { uevents.iter().take(DRAIN).count() };
    let changed = lost || received > 0 || !mount.is_empty();
    Ok(if changed { Heard::Change } else { Heard::Nothing })
}
