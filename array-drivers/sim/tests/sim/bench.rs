//! A simulated array in a folder of its own, reached through its real executable.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use sanfleet_driver::{
    AccessGroup, ErrorNumber, InitiatorType, JobOr, Pool, Provisioning, ReplicateType, Volume,
    client::{ClientError, Options, Session},
};

pub const HOST_A: &str = "iqn.2026-01.example:a";
pub const HOST_B: &str = "iqn.2026-01.example:b";
pub const LONG: Duration = Duration::from_secs(20);

pub struct Bench {
    root: PathBuf,
    _folder: Option<tempfile::TempDir>,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { root: folder.path().to_owned(), _folder: Some(folder) }
    }

    /// In a folder that somebody else removes.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned(), _folder: None }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The array's URI, with more parameters if wanted (`&key=value`).
    pub fn uri(&self, more: &str) -> String {
        let root = self.root.display();
        format!("sim://?statefile={root}/state.db&data={root}/data&fabric={root}/fabric{more}")
    }

    pub async fn open(&self) -> Session {
        self.open_with("", Vec::new()).await.unwrap()
    }

    pub async fn open_with(
        &self,
        more: &str,
        environment: Vec<(OsString, OsString)>,
    ) -> Result<Session, ClientError> {
        let options = Options { deadline: LONG, environment, ..Options::default() };
        let program = Path::new(env!("CARGO_BIN_EXE_sim_lsmplugin"));
        Session::connect_executable(program, &self.uri(more), None, options).await
    }

    /// The names of the files that the array holds.
    pub fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path("data"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// What every initiator sees: folder below the fabric to the file (by inode) behind it. Half-built folders show too.
    pub fn shown(&self) -> BTreeMap<String, u64> {
        use std::os::unix::fs::MetadataExt;
        let mut shown = BTreeMap::new();
        for initiator in fs::read_dir(self.path("fabric")).into_iter().flatten() {
            for lun in fs::read_dir(initiator.unwrap().path()).unwrap() {
                let lun = lun.unwrap().path();
                let name = lun.strip_prefix(self.path("fabric")).unwrap().to_str().unwrap().to_owned();
                shown.insert(name, fs::metadata(lun.join("disk")).map_or(0, |disk| disk.ino()));
            }
        }
        shown
    }

    /// Holds the array at rest against its own rules.
    pub fn assert_sound(&self) {
        let broken: Vec<String> =
            sanfleet_driver_sim::check(&self.uri("")).unwrap().iter().map(ToString::to_string).collect();
        assert!(broken.is_empty(), "{broken:#?}");
    }

    pub fn file_of(&self, volume: &Volume) -> PathBuf {
        self.path("data").join(volume.id.as_str())
    }

    pub fn inode(&self, volume: &Volume) -> u64 {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(self.file_of(volume)).unwrap().ino()
    }
}

pub async fn pool(session: &mut Session) -> Pool {
    session.pools(None).await.unwrap().into_iter().find(|pool| pool.name == "lsm_test_aggr").unwrap()
}

pub async fn volume(session: &mut Session, name: &str, bytes: u64) -> Volume {
    let pool = pool(session).await;
    let outcome = session.volume_create(&pool, name, bytes, Provisioning::DEFAULT).await.unwrap();
    session.finish(outcome, LONG).await.unwrap()
}

pub async fn delete(session: &mut Session, volume: &Volume) {
    let job = session.volume_delete(volume).await.unwrap();
    session.finish(job, LONG).await.unwrap();
}

pub async fn clone(session: &mut Session, source: &Volume, name: &str) -> Volume {
    let outcome = session.volume_replicate(None, ReplicateType::CLONE, source, name).await.unwrap();
    session.finish(outcome, LONG).await.unwrap()
}

pub async fn group(session: &mut Session, name: &str, initiator: &str) -> AccessGroup {
    let system = session.systems().await.unwrap().remove(0);
    session.access_group_create(name, initiator, InitiatorType::ISCSI, &system).await.unwrap()
}

/// The number of the array's refusal.
pub fn refusal<T: std::fmt::Debug>(outcome: Result<T, ClientError>) -> ErrorNumber {
    match outcome {
        Err(ClientError::Array(error)) => error.number,
        other => panic!("not refused: {other:?}"),
    }
}

pub fn done<T: std::fmt::Debug>(outcome: JobOr<T>) -> T {
    match outcome {
        JobOr::Done(item) => item,
        JobOr::Job(job) => panic!("not done but {job}"),
    }
}
