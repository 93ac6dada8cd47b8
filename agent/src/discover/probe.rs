//! Asks devices what they hold, many at a time, without ever waiting for one that does not answer.
//!
//! A system call that hangs on a dead device cannot be taken back: its thread is left behind. While it hangs, its device is
//! not asked again, so that a dead device costs one thread and not one for each picture.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use sanfleet_protocol::{MountPoint, limits::full_text};

use super::{Content, ProbeLimits};
use crate::host::{DeviceNumber, Host, MountEntry, SysDevice};

/// A device for as long as it lives: a number that is used again comes with another sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceKey {
    number: DeviceNumber,
    sequence: u64,
}

impl DeviceKey {
    pub fn of(device: &SysDevice) -> Self {
        Self { number: device.number, sequence: device.disk_sequence }
    }
}

/// A device to be asked what it holds, and where that is mounted, to be asked how full it is.
#[derive(Debug, Clone)]
pub struct Question {
    device: SysDevice,
    mounted_at: Option<MountPoint>,
}

impl Question {
    pub fn new(device: SysDevice, mounts: &[MountEntry]) -> Self {
        let mounted = mounts.iter().filter(|entry| entry.device == device.number);
        let mounted_at = mounted.filter_map(|entry| entry.mount_point.to_str()?.parse().ok()).next();
        Self { device, mounted_at }
    }

    fn key(&self) -> DeviceKey {
        DeviceKey::of(&self.device)
    }
}

pub struct Prober {
    shared: Arc<Shared>,
    /// One round at a time.
    round: Mutex<()>,
}

struct Shared {
    host: Arc<dyn Host>,
    limits: ProbeLimits,
    late_answer: Arc<dyn Fn() + Send + Sync>,
    state: Mutex<State>,
    progress: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Question>,
    running: HashMap<DeviceKey, Probe>,
    answers: HashMap<DeviceKey, Content>,
}

/// A device that is being asked.
struct Probe {
    since: Instant,
    /// Its deadline has passed: nobody waits for it any more.
    given_up: bool,
}

impl Probe {
    fn asked_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }
}

impl Prober {
    pub fn new(host: Arc<dyn Host>, limits: ProbeLimits, late_answer: Arc<dyn Fn() + Send + Sync>) -> Self {
        let shared = Shared { host, limits, late_answer, state: Mutex::default(), progress: Condvar::new() };
        Self { shared: Arc::new(shared), round: Mutex::new(()) }
    }

    /// What each of the devices holds. Every one has an entry, those that do not answer too.
    pub fn probe(&self, questions: Vec<Question>) -> HashMap<DeviceKey, Content> {
        let _one_round = self.round.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.shared.lock();
        for question in questions {
            let key = question.key();
            match state.running.contains_key(&key) {
                true => drop(state.answers.insert(key, self.shared.silent())),
                false => state.queue.push_back(question),
            }
        }
        loop {
            // Once for all devices: they are many, and on some machines asking the time is not for nothing.
            let now = Instant::now();
            state.give_up_on_the_silent(now, &self.shared);
            self.hire(now, &mut state);
            let Some(pause) = state.pause(now, &self.shared.limits) else {
                return std::mem::take(&mut state.answers);
            };
            let woken = self.shared.progress.wait_timeout(state, pause);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Starts workers for what is queued, as many as the limits allow.
    fn hire(&self, now: Instant, state: &mut State) {
        /// A worker asks several devices one after the other; most answer at once.
        const DEVICES_A_WORKER: usize = 4;
        /// Where everything is slow, more workers make it slower still.
        const SLOW_FOR_EACH: usize = 3;
        let limits = &self.shared.limits;
        let most = limits.workers.max(1).saturating_mul(1 + SLOW_FOR_EACH);
        let wanted = state.queue.len().div_ceil(DEVICES_A_WORKER).min(limits.workers.max(1));
        let may_hire = |state: &State| {
            state.busy(now, limits.patience) < wanted && state.running.len() - state.left_behind() < most
        };
        while !state.queue.is_empty() && may_hire(state) {
            if state.left_behind() >= limits.left_behind {
                return state.refuse_queued("not asked: too many devices do not answer");
            }
            if let Err(error) = self.start_worker(state) {
                return state.refuse_queued(&format!("not asked: {error}"));
            }
        }
    }

    fn start_worker(&self, state: &mut State) -> std::io::Result<()> {
        /// A probe reads into buffers of its own; the default of 2 MiB would be reserved for each dead device.
        const STACK: usize = 256 * 1024;
        let Some(first) = state.next() else { return Ok(()) };
        let shared = Arc::clone(&self.shared);
        let key = first.key();
        let started = thread::Builder::new()
            .name("probe".to_owned())
            .stack_size(STACK)
            .spawn(move || work(&shared, first));
        if let Err(error) = started {
            state.running.remove(&key);
            state.answers.insert(key, Content::Unreadable(format!("not asked: {error}")));
            return Err(error);
        }
        Ok(())
    }
}

/// Asks devices until none is queued. A worker whose device was given up has been replaced and ends.
fn work(shared: &Shared, first: Question) {
    let mut next = Some(first);
    while let Some(question) = next {
        let content = ask(shared.host.as_ref(), &question);
        let mut state = shared.lock();
        let key = question.key();
        if state.running.remove(&key).is_none_or(|probe| probe.given_up) {
            drop(state);
            return (shared.late_answer)();
        }
        state.answers.insert(key, content);
        next = state.next();
        drop(state);
        shared.progress.notify_all();
    }
}

fn ask(host: &dyn Host, question: &Question) -> Content {
    // A mount that is gone by now has no usage, which is no reason not to say what the device holds.
    let usage = || question.mounted_at.as_ref().and_then(|at| host.usage(at).ok());
    match host.open(&question.device).and_then(|open| open.file_system()) {
        Ok(Some(found)) => Content::FileSystem(found, usage()),
        Ok(None) => Content::Nothing,
        Err(error) => Content::Unreadable(full_text(&error)),
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same words every time, so that a device that stays dead does not change the picture.
    fn silent(&self) -> Content {
        Content::Unreadable(format!("did not answer within {} ms", self.limits.deadline.as_millis()))
    }
}

impl State {
    fn next(&mut self) -> Option<Question> {
        let question = self.queue.pop_front()?;
        self.running.insert(question.key(), Probe { since: Instant::now(), given_up: false });
        Some(question)
    }

    fn give_up_on_the_silent(&mut self, now: Instant, shared: &Shared) {
        for (key, probe) in &mut self.running {
            if !probe.given_up && probe.asked_for(now) >= shared.limits.deadline {
                probe.given_up = true;
                self.answers.insert(*key, shared.silent());
            }
        }
    }

    fn refuse_queued(&mut self, why: &str) {
        for question in self.queue.drain(..) {
            self.answers.insert(question.key(), Content::Unreadable(why.to_owned()));
        }
    }

    /// Probes that may still be about to answer.
    fn busy(&self, now: Instant, patience: Duration) -> usize {
        self.running.values().filter(|probe| !probe.given_up && probe.asked_for(now) < patience).count()
    }

    fn left_behind(&self) -> usize {
        self.running.values().filter(|probe| probe.given_up).count()
    }

    /// How long to wait before looking again; `None` when there is nothing more to wait for.
    fn pause(&self, now: Instant, limits: &ProbeLimits) -> Option<Duration> {
        let until = |probe: &Probe| {
            let asked_for = probe.asked_for(now);
            let patience = limits.patience.checked_sub(asked_for).filter(|_| !self.queue.is_empty());
            patience.unwrap_or_else(|| limits.deadline.saturating_sub(asked_for))
        };
        // A pause of nothing would spin between two readings of the clock.
        let at_least = Duration::from_millis(1);
        self.running.values().filter(|probe| !probe.given_up).map(|probe| until(probe).max(at_least)).min()
    }
}

impl fmt::Debug for Prober {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prober").field("limits", &self.shared.limits).finish_non_exhaustive()
    }
}
