//! One simulated array: the real driver of it, in this process, behind a door at which every call crosses.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use sanfleet_controller::{
    arrays::{ArrayDefinition, Ways},
    catalog::{ArrayRecord, ArrayState, VolumeRecord},
    matching::VolumeRef,
};
use sanfleet_driver::{
    ArrayDriver, InitiatorType, JobOr, Provisioning, Volume,
    client::{Door, Doorway, Passage, Way},
};
use sanfleet_driver_sim::SimDriver;
use sanfleet_protocol::{ArrayId, Initiator, MountPoint, VolumeId};

use crate::{
    Fleet,
    host::Host,
    link::{Link, Seam, Side},
};

const VOLUME_BYTES: u64 = 1 << 20;
const POOL_BYTES: u64 = 1 << 30;
/// How long a driver may take is never seen here.
const TIMEOUT: Duration = Duration::from_secs(30);

pub struct Array {
    pub name: ArrayId,
    pub uri: String,
    pub fabric: PathBuf,
    data: PathBuf,
    sources: Mutex<Vec<Arc<Source>>>,
    /// The session that makes the next call turns out to have died.
    lose_next: AtomicBool,
    /// Somebody may have changed it since it was listed.
    changed: AtomicBool,
    listed: Mutex<Arc<ArrayState>>,
}

/// A volume that an application on a host writes to.
pub struct Source {
    pub array: ArrayId,
    pub host: Arc<Host>,
    pub at: MountPoint,
    pub volume: Volume,
    pub id: VolumeId,
    file: PathBuf,
}

impl Source {
    /// Its file system.
    pub const KIND: &str = "ext4";
}

/// What is on a volume: a file system, and whether whoever writes to it was held still.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    pub kind: String,
    pub uuid: String,
    pub word: String,
    /// How much the file system can hold.
    pub bytes: u64,
}

impl Content {
    /// The application was held still when this was written.
    pub const STILL: &str = "still";
    const MOVING: &str = "moving";

    pub fn read(file: &Path) -> Self {
        let mut head = String::new();
        let text = File::open(file).and_then(|file| file.take(128).read_to_string(&mut head));
        let line = text.ok().and_then(|_| head.lines().next()).unwrap_or_default();
        match *line.trim_matches('\0').split(' ').collect::<Vec<_>>() {
            [kind, uuid, word, bytes] => Self {
                kind: kind.into(),
                uuid: uuid.into(),
                word: word.into(),
                bytes: bytes.parse().unwrap_or_default(),
            },
            _ => Self::default(),
        }
    }

    pub fn write(&self, file: &Path) {
        let line = format!("{} {} {} {}\n", self.kind, self.uuid, self.word, self.bytes);
        let file = File::options().write(true).open(file).expect("the volume has its file");
        file.write_all_at(line.as_bytes(), 0).expect("a volume can be written");
    }
}

impl Array {
    pub fn new(name: &str, folder: &Path, seed: u64) -> Self {
        let place = |what: &str| folder.join(format!("{name}.{what}"));
        let (state, data, fabric) = (place("db"), place("data"), place("fabric"));
        let uri = format!(
            "sim://?statefile={}&data={}&fabric={}&pool_bytes={POOL_BYTES}&seed={seed}&clock=virtual",
            state.display(),
            data.display(),
            fabric.display(),
        );
        let (sources, listed, name) = (Mutex::default(), Mutex::default(), name.parse().unwrap());
        let (lose_next, changed) = (AtomicBool::new(false), AtomicBool::new(true));
        let array = Self { name, uri, fabric, data, sources, lose_next, changed, listed };
        // Made now, so that its folders are there.
        array.session();
        array
    }

    /// A session of our own, at which nobody interferes.
    pub fn session(&self) -> SimDriver {
        self.changed.store(true, Ordering::Relaxed);
        self.open()
    }

    fn open(&self) -> SimDriver {
        let mut driver = SimDriver::default();
        driver.plugin_register(&self.uri, None, TIMEOUT).expect("the simulated array opens");
        driver
    }

    /// Makes a volume with a file system on it, as an operator would.
    pub fn make(&self, name: &str) -> Volume {
        let mut driver = self.session();
        let pools = driver.pools(None).unwrap();
        let pool = pools.iter().find(|pool| pool.name == "Pool 3").expect("the simulated array has Pool 3");
        let made = driver.volume_create(pool, name, VOLUME_BYTES, Provisioning::DEFAULT).unwrap();
        let JobOr::Done(volume) = made else { panic!("this array does all at once") };
        let (kind, uuid, word) = (Source::KIND.into(), name.into(), Content::MOVING.into());
        Content { kind, uuid, word, bytes: VOLUME_BYTES }.write(&self.data.join(volume.id.as_str()));
        volume
    }

    /// Shows a volume to a host, as an operator would: through the group that it has, or else through one of this name.
    pub fn show(&self, host: &Host, volume: &Volume, group: &str) {
        let (mut driver, initiator) = (self.session(), host.initiator.to_string());
        let system = driver.systems().unwrap().remove(0);
        let groups = driver.access_groups(None).unwrap();
        let known = groups.into_iter().find(|known| known.init_ids.contains(&initiator));
        let group = known.unwrap_or_else(|| {
            driver.access_group_create(group, &initiator, InitiatorType::ISCSI, &system).unwrap()
        });
        driver.volume_mask(&group, volume).unwrap();
    }

    pub fn volume_named(&self, name: &str) -> Option<Volume> {
        self.open().volumes(None).unwrap().into_iter().find(|volume| volume.name == name)
    }

    /// Makes a volume with a file system, and shows it to the host, where somebody mounts it.
    pub fn add_source(&self, host: &Arc<Host>, at: &str) -> Arc<Source> {
        let volume = self.make(&format!("{}{}", host.id, at.replace('/', "-")));
        let id = volume.volume_id().expect("the simulated array's volumes have ids");
        let file = self.data.join(volume.id.as_str());
        self.show(host, &volume, &format!("by hand {}", host.initiator));
        host.mount_by_hand(&id, at);
        let (array, host, at) = (self.name.clone(), Arc::clone(host), at.parse().unwrap());
        let source = Arc::new(Source { array, host, at, volume, id, file });
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&source));
        source
    }

    /// How large the volume with this key is; 0 when it is gone.
    pub fn bytes(&self, volume: &str) -> u64 {
        self.data.join(volume).metadata().map_or(0, |file| file.len())
    }

    /// What is on the volume with this key.
    pub fn content(&self, volume: &str) -> Content {
        Content::read(&self.data.join(volume))
    }

    /// How it is before anybody has listed it.
    pub fn record(&self, now_unix_ms: i64) -> ArrayRecord {
        ArrayRecord::new(self.name.clone(), self.uri.clone(), "sim".to_owned(), now_unix_ms)
    }

    /// Its volumes and who sees them, as a controller that was told of every change would have listed them.
    pub fn listing(&self, now_unix_ms: i64) -> Arc<ArrayState> {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        if self.changed.swap(false, Ordering::Relaxed) {
            *listed = Arc::new(self.list(now_unix_ms));
        }
        Arc::clone(&listed)
    }

    fn list(&self, begun_unix_ms: i64) -> ArrayState {
        let mut driver = self.open();
        let volumes = driver.volumes(None).unwrap().into_iter().map(|volume| {
            let key = VolumeRef { array: self.name.clone(), volume: volume.id.clone() };
            let (id, size_bytes) = (volume.volume_id(), volume.size_bytes().unwrap_or_default());
            let (name, pool) = (volume.name, volume.pool_id.to_string());
            let (more_ids, masked_to) = (Vec::new(), BTreeMap::new());
            (volume.id, VolumeRecord { key, name, id, more_ids, size_bytes, pool, masked_to })
        });
        let mut state = ArrayState { volumes: volumes.collect(), begun_unix_ms, ..ArrayState::default() };
        for group in driver.access_groups(None).unwrap() {
            let initiators: Vec<Initiator> = group.init_ids.iter().map(|id| id.parse().unwrap()).collect();
            for volume in driver.volumes_accessible_by_access_group(&group).unwrap() {
                state.shown_through.entry(volume.id.clone()).or_default().insert(group.name.clone());
                let record = state.volumes.get_mut(&volume.id).expect("what is shown is listed");
                record.masked_to.extend(initiators.iter().map(|initiator| (initiator.clone(), None)));
            }
        }
        state
    }

    /// The next call finds its session dead.
    pub fn lose_sessions(&self) {
        self.lose_next.store(true, Ordering::Relaxed);
    }

    /// The applications write whenever they are not held still.
    fn let_applications_write(&self) {
        for source in self.sources.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let word = match source.host.sim.is_frozen(source.at.as_path()) {
                true => Content::STILL,
                false => Content::MOVING,
            };
            Content { word: word.into(), ..Content::read(&source.file) }.write(&source.file);
        }
    }
}

/// The doors of one controller to all arrays.
#[derive(Debug)]
pub struct Doors {
    pub link: Arc<Link>,
    pub fleet: std::sync::Weak<Fleet>,
}

impl Ways for Doors {
    fn to(&self, definition: &ArrayDefinition) -> Way {
        let fleet = self.fleet.upgrade().expect("the fleet outlives its controllers");
        let array = Arc::clone(fleet.array(&definition.name));
        Way::Direct(Doorway(Arc::new(ArrayDoor { link: Arc::clone(&self.link), array })))
    }
}

struct ArrayDoor {
    link: Arc<Link>,
    array: Arc<Array>,
}

impl Door for ArrayDoor {
    fn open(&self) -> io::Result<Box<dyn ArrayDriver + Send>> {
        Ok(Box::new(SimDriver::default()))
    }

    fn enter<'a>(&'a self, method: &'a str) -> BoxFuture<'a, Passage> {
        Box::pin(async move {
            let passage = self.link.cross(Seam::Array, method, Side::Before).await;
            if self.array.lose_next.swap(false, Ordering::Relaxed) {
                return Passage::Lost;
            }
            if method == "volume_replicate" {
                self.array.let_applications_write();
            }
            passage
        })
    }

    fn leave<'a>(&'a self, method: &'a str) -> BoxFuture<'a, Passage> {
        self.array.changed.store(true, Ordering::Relaxed);
        Box::pin(self.link.cross(Seam::Array, method, Side::After))
    }
}

impl std::fmt::Debug for ArrayDoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ArrayDoor({})", self.array.name)
    }
}
