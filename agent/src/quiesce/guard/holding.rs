//! What a guard holds: a hook, a session with the database, file systems; begun in this order and let go of in the reverse one.
//!
//! File systems are frozen in the order in which they were given: the one that was mounted last comes first. To freeze one is to
//! write it back, and what it is stored on has to take that: its device may be a file on another one of them, or lie on such a file.
//! That other one was mounted before it, and is so frozen after it. Thawing writes too, and goes the other way.

use std::{
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustix::{
    fs::{FlockOperation, flock},
    mm::MlockAllFlags,
};
use sanfleet_protocol::{MountPoint, RunId};
use tokio::task::JoinHandle;

use crate::{
    config::Hook,
    host::linux::act,
    quiesce::{
        expedite::Switch,
        freeze,
        hook::{Running, When},
        mysql::Session,
        postgresql,
        word::{Directory, Failure, FailureKind, How, Place, Prepare},
    },
};

/// A mount point, opened before anything is held.
struct Opened {
    at: MountPoint,
    directory: OwnedFd,
    /// By us, and so ours to thaw.
    frozen: AtomicBool,
}

pub struct Holding {
    run: RunId,
    places: Arc<[Opened]>,
    /// No further place is to be frozen.
    letting_go: Arc<AtomicBool>,
    application: Application,
    /// What answered; empty when nobody is asked.
    name: String,
    limit: Duration,
    expedite: Arc<Switch>,
    /// A freeze that is under way: the kernel waits for writers.
    freezing: Option<JoinHandle<Result<(), Failure>>>,
}

/// What is held besides the file systems.
enum Application {
    /// Not even they.
    Untouched,
    Plain,
    Database(Box<Session>),
    Hook(Box<Hooked>),
}

struct Hooked {
    hook: Hook,
    before: Option<Running>,
    /// `before` was begun: whatever became of it, the hook has to be ended.
    owed: bool,
}

impl Holding {
    /// Everything that can be done before anyone is blocked.
    pub async fn prepare(prepare: Prepare) -> Result<Self, Failure> {
        let Prepare { run, places, how, dead_man_ms } = prepare;
        let limit = Duration::from_millis(dead_man_ms);
        let devices: Vec<u64> = places.iter().map(|place| place.directory.device).collect();
        let places: Arc<[Opened]> = places.into_iter().map(Opened::new).collect::<Result<_, _>>()?;
        let is_waited_for = !matches!(how, How::Hook(_));
        let (application, name) = match how {
            How::None => (Application::Untouched, String::new()),
            How::Freeze => (Application::Plain, String::new()),
            How::Mysql(database) => {
                let session = Session::prepare(database, &devices, limit).await?;
                let name = session.server().to_string();
                (Application::Database(Box::new(session)), name)
            }
            How::Postgresql(database) => {
                (Application::Plain, postgresql::checkpoint(&database, &devices).await?)
            }
            How::Hook(hook) => {
                let name = format!("hook {}", hook.name);
                (Application::Hook(Box::new(Hooked { hook, before: None, owed: false })), name)
            }
        };
        let expedite = Arc::new(Switch::open());
        let letting_go = Arc::default();
        let holding = Self { run, places, letting_go, application, name, limit, expedite, freezing: None };
        holding.write_back().await?;
        rustix::mm::mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE)
            .map_err(|e| Failure::system("lock the guard's memory", e))?;
        // Programs that it starts have what it has: a hook's are none that everybody should give way to.
        if is_waited_for {
            go_first();
        }
        Ok(holding)
    }

    pub fn application(&self) -> &str {
        &self.name
    }

    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// What is written back now need not be written while everybody waits. It also starts the thread that freezes.
    async fn write_back(&self) -> Result<(), Failure> {
        let places = Arc::clone(&self.places);
        let written = tokio::task::spawn_blocking(move || {
            let unwritten = places.iter().map(|one| (&one.at, rustix::fs::syncfs(&one.directory)));
            unwritten.into_iter().find_map(|(at, done)| Some((at.clone(), done.err()?)))
        });
        match written.await {
            Ok(None) => Ok(()),
            Ok(Some((at, error))) => Err(Failure::system(&format!("write back {at}"), error)),
            Err(_) => Err(Failure::new(FailureKind::System, "the thread that writes back was lost")),
        }
    }

    /// May be dropped half-way; [`Self::let_go`] then finds what was begun.
    pub async fn block(&mut self) -> Result<(), Failure> {
        match &mut self.application {
            Application::Untouched => return Ok(()),
            Application::Plain => {}
            Application::Database(session) => session.block().await?,
            Application::Hook(hooked) => {
                hooked.begin(self.run).await?;
                go_first();
            }
        }
        let (places, letting_go) = (Arc::clone(&self.places), Arc::clone(&self.letting_go));
        let expedite = Arc::clone(&self.expedite);
        let freezing = self.freezing.insert(tokio::task::spawn_blocking(move || {
            let _hurried = expedite.turn_on();
            places.iter().take_while(|_| !letting_go.load(Ordering::Acquire)).try_for_each(Opened::freeze)
        }));
        let frozen = freezing.await;
        self.freezing = None;
        match frozen {
            Ok(done) => done,
            Err(_) => Err(Failure::new(FailureKind::System, "the thread that freezes was lost")),
        }
    }

    /// Always all of it: thaw, unlock, end the hook. Fine when nothing is held. Tells why the application may not go on as before;
    /// empty when all went well.
    pub async fn let_go(&mut self) -> String {
        if let Application::Hook(hooked) = &mut self.application {
            hooked.stop().await;
        }
        self.letting_go.store(true, Ordering::Release);
        if let Some(freezing) = self.freezing.take() {
            // The kernel still waits to freeze. Nothing need wait for that but the thaw of that one file system; and the writers for
            // whom the kernel waits may themselves wait for one that is frozen.
            self.thaw();
            self.unblock().await;
            let _ = freezing.await;
        }
        self.thaw();
        self.unblock().await;
        let trouble = match &mut self.application {
            Application::Hook(hooked) => hooked.end(self.run).await,
            _ => String::new(),
        };
        // The next quiesce need not wait until this process is gone.
        for place in self.places.iter() {
            let _ = flock(&place.directory, FlockOperation::Unlock);
        }
        trouble
    }

    fn thaw(&self) {
        self.places.iter().rev().for_each(Opened::thaw);
    }

    async fn unblock(&mut self) {
        if let Application::Database(session) = &mut self.application {
            session.unblock().await;
        }
    }
}

impl Hooked {
    async fn begin(&mut self, run: RunId) -> Result<(), Failure> {
        self.owed = true;
        let before = self.before.insert(Running::start(&self.hook, When::Before, run)?);
        before.end().await?;
        self.before = None;
        Ok(())
    }

    async fn stop(&mut self) {
        if let Some(mut before) = self.before.take() {
            before.kill().await;
        }
    }

    /// Returns why it could not; empty when it could, or need not.
    async fn end(&mut self, run: RunId) -> String {
        if !std::mem::take(&mut self.owed) {
            return String::new();
        }
        go_with_the_others();
        let ended = match Running::start(&self.hook, When::After, run) {
            Ok(mut after) => after.end().await,
            Err(failure) => Err(failure),
        };
        ended.err().map(|failure| failure.message).unwrap_or_default()
    }
}

impl Opened {
    fn new(place: Place) -> Result<Self, Failure> {
        let Place { mount_point: at, directory: expected } = place;
        let invalid = |why: String| Failure::new(FailureKind::Invalid, why);
        let directory = act::open_directory(&at).map_err(|e| invalid(e.to_string()))?;
        let found = Directory::of(&directory).map_err(|e| Failure::system("look at the mount point", e))?;
        if found != expected {
            return Err(invalid(format!("{at} is not what it was when the agent looked at it")));
        }
        // Of two guards the older one may not have let go yet: its thaw must not end our freeze.
        flock(&directory, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            Failure::new(FailureKind::Busy, format!("{at} is being held still by another process"))
        })?;
        Ok(Self { at, directory, frozen: AtomicBool::new(false) })
    }

    fn freeze(&self) -> Result<(), Failure> {
        freeze::freeze(&self.directory).map_err(|refused| refused.failure(&self.at))?;
        self.frozen.store(true, Ordering::Release);
        Ok(())
    }

    fn thaw(&self) {
        if !self.frozen.swap(false, Ordering::AcqRel) {
            return;
        }
        // Tried again, because nothing worse can happen than that it stays frozen.
        for _ in 0..3 {
            if freeze::thaw(&self.directory).is_ok() {
                break;
            }
        }
    }
}

/// Everybody waits for this process; on a busy machine it shall not wait for everybody, nor be killed when memory runs out. Not being
/// allowed to ask for that is no reason to stop.
fn go_first() {
    let _ = rustix::process::setpriority_process(None, -20);
    let _ = std::fs::write("/proc/self/oom_score_adj", "-1000");
}

/// Takes that back.
fn go_with_the_others() {
    let _ = rustix::process::setpriority_process(None, 0);
    let _ = std::fs::write("/proc/self/oom_score_adj", "0");
}
