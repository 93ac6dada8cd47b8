//! The suite can fail: drivers that are wrong on purpose, each in one way, and the checks that notice.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    os::unix::net::UnixListener,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use sanfleet_conformance::{Door, Options, Outcome, Report, Target, run};
use sanfleet_driver::{
    AdminState, ArrayDriver, ElementType, ErrorNumber, JobId, JobOr, LsmError, PluginInfo, Pool, PoolId,
    PoolStatus, Provisioning, Search, System, SystemId, SystemMode, SystemStatus, UnsupportedActions, Volume,
    VolumeKey, array_driver, serve,
};
type Answer<T> = Result<T, LsmError>;

/// What is wrong with the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Nothing,
    /// It claims to delete and says that it cannot.
    ClaimsWhatItDoesNotDo,
    /// Its volumes have no identity.
    NoVpd83,
    /// A volume has another id each time that it is listed.
    IdsChange,
    /// A name may be given twice.
    NamesTwice,
    /// What is deleted stays.
    NothingGoes,
    /// Each session has volumes of its own.
    ForgetsWithTheSession,
    /// A volume that is not there is deleted all the same.
    DeletesNothing,
    /// Searches find everything.
    SearchesNot,
    /// Volumes are smaller than what was asked for.
    TooSmall,
    /// Its volumes have a field that no client knows.
    OddRecords,
}

#[derive(Debug, Default)]
struct Shelf {
    volumes: Vec<Volume>,
    made: u64,
    listed: u64,
}

struct Wrong {
    fault: Fault,
    shelf: Arc<Mutex<Shelf>>,
    registered: bool,
}

const POOL: u64 = 1 << 40;

impl Wrong {
    fn open(&self) -> Answer<MutexGuard<'_, Shelf>> {
        match self.registered {
            true => Ok(self.shelf.lock().unwrap()),
            false => Err(LsmError::new(ErrorNumber::InvalidArgument, "not registered")),
        }
    }
}

fn no<T>(number: ErrorNumber) -> Answer<T> {
    Err(LsmError::new(number, "no"))
}

#[array_driver]
impl ArrayDriver for Wrong {
    fn plugin_info(&self) -> PluginInfo {
        PluginInfo { description: "wrong on purpose".into(), version: "1".into() }
    }

    fn plugin_register(&mut self, uri: &str, _: Option<&str>, _: Duration) -> Answer<()> {
        if !uri.contains("://") {
            return no(ErrorNumber::InvalidArgument);
        }
        self.registered = true;
        Ok(())
    }

    fn systems(&mut self) -> Answer<Vec<System>> {
        drop(self.open()?);
        Ok(vec![System {
            id: SystemId::new("s"),
            name: "s".into(),
            status: SystemStatus::OK,
            status_info: String::new(),
            plugin_data: None,
            fw_version: String::new(),
            mode: SystemMode::NO_SUPPORT,
            read_cache_pct: -2,
        }])
    }

    fn pools(&mut self, _: Option<&Search>) -> Answer<Vec<Pool>> {
        let taken: u64 = self.open()?.volumes.iter().filter_map(Volume::size_bytes).sum();
        Ok(vec![Pool {
            id: PoolId::new("p"),
            name: "p".into(),
            element_type: ElementType::VOLUME,
            unsupported_actions: UnsupportedActions::NONE,
            total_space: Some(POOL),
            free_space: Some(POOL - taken),
            status: PoolStatus::OK,
            status_info: String::new(),
            system_id: SystemId::new("s"),
            plugin_data: None,
        }])
    }

    fn volumes(&mut self, _: Option<&Search>) -> Answer<Vec<Volume>> {
        let mut shelf = self.open()?;
        shelf.listed += 1;
        let mut volumes = shelf.volumes.clone();
        if self.fault == Fault::IdsChange {
            for volume in &mut volumes {
                volume.id = VolumeKey::new(format!("{}-{}", volume.id, shelf.listed));
            }
        }
        Ok(volumes)
    }

    fn volume_create(
        &mut self,
        pool: &Pool,
        name: &str,
        size: u64,
        _: Provisioning,
    ) -> Answer<JobOr<Volume>> {
        let mut shelf = self.open()?;
        if pool.id.as_str() != "p" {
            return no(ErrorNumber::NotFoundPool);
        }
        if name.is_empty() || size == 0 {
            return no(ErrorNumber::InvalidArgument);
        }
        if self.fault != Fault::NamesTwice && shelf.volumes.iter().any(|volume| volume.name == name) {
            return no(ErrorNumber::NameConflict);
        }
        let taken: u64 = shelf.volumes.iter().filter_map(Volume::size_bytes).sum();
        if size > POOL - taken {
            return no(ErrorNumber::NotEnoughSpace);
        }
        shelf.made += 1;
        let blocks = size.div_ceil(512);
        let volume = Volume {
            id: VolumeKey::new(format!("v{}", shelf.made)),
            name: name.into(),
            vpd83: match self.fault {
                Fault::NoVpd83 => String::new(),
                _ => format!("60014050000000000000000{:09x}", shelf.made),
            },
            block_size: Some(512),
            num_of_blocks: Some(if self.fault == Fault::TooSmall { blocks - 1 } else { blocks }),
            admin_state: AdminState::ENABLED,
            system_id: SystemId::new("s"),
            pool_id: PoolId::new("p"),
            plugin_data: None,
        };
        shelf.volumes.push(volume.clone());
        Ok(JobOr::Done(volume))
    }

    fn volume_delete(&mut self, volume: &Volume) -> Answer<Option<JobId>> {
        let mut shelf = self.open()?;
        match shelf.volumes.iter().position(|listed| listed.id == volume.id) {
            _ if self.fault == Fault::ClaimsWhatItDoesNotDo => Err(LsmError::no_support()),
            None if self.fault == Fault::DeletesNothing => Ok(None),
            None => no(ErrorNumber::NotFoundVolume),
            Some(_) if self.fault == Fault::NothingGoes => Ok(None),
            Some(at) => {
                shelf.volumes.remove(at);
                Ok(None)
            }
        }
    }

    fn job_status(&mut self, _: &JobId) -> Answer<sanfleet_driver::JobStatus> {
        drop(self.open()?);
        no(ErrorNumber::NotFoundJob)
    }

    fn job_free(&mut self, _: &JobId) -> Answer<()> {
        no(ErrorNumber::NotFoundJob)
    }
}

/// Serves everybody who comes to the socket, as libStorageMgmt's daemon does.
fn serve_at(path: &Path, fault: Fault) {
    let listener = UnixListener::bind(path).unwrap();
    let shelf = Arc::<Mutex<Shelf>>::default();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let shelf = match fault {
                Fault::ForgetsWithTheSession => Arc::default(),
                _ => Arc::clone(&shelf),
            };
            thread::spawn(move || {
                let mut driver = Wrong { fault, shelf, registered: false };
                // A check that sends nonsense ends its own session.
                let _ = match fault {
                    Fault::SearchesNot => serve(&mut driver, Unsearched { stream, sent: Vec::new() }),
                    Fault::OddRecords => serve(&mut driver, Odd(stream)),
                    _ => serve(&mut driver, stream),
                };
            });
        }
    });
}

/// Takes the search out of every request, as a C plug-in does with one that it does not know.
struct Unsearched {
    stream: std::os::unix::net::UnixStream,
    sent: Vec<u8>,
}

impl std::io::Read for Unsearched {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.sent.is_empty() {
            let count = self.stream.read(buffer)?;
            let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
            let deaf = ["id", "system_id", "pool_id"].iter().fold(text, |text, key| {
                // Of the same length, so that the frame stays one.
                text.replace(&format!("\"search_key\":\"{key}\""), &format!("\"search_kez\":\"{key}\""))
            });
            self.sent = deaf.into_bytes();
            if self.sent.len() != count {
                return Ok(count);
            }
        }
        let count = self.sent.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.sent[..count]);
        self.sent.drain(..count);
        Ok(count)
    }
}

impl std::io::Write for Unsearched {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}

/// Gives the volumes' plug-in data another name, on which libStorageMgmt's Python client raises.
struct Odd(std::os::unix::net::UnixStream);

impl std::io::Read for Odd {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl std::io::Write for Odd {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // Of the same length, so that the frame stays one.
        let odd = String::from_utf8_lossy(bytes).replace("\"plugin_data\"", "\"plugin_date\"");
        self.0.write_all(odd.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

async fn report(fault: Fault) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("wrong");
    serve_at(&socket, fault);
    let target = Target { uri: "wrong://".into(), password: None, door: Door::Socket(socket) };
    let options = Options {
        changes: true,
        many: 60,
        size: 1 << 20,
        deadline: Duration::from_secs(10),
        settle: Duration::from_millis(20),
        ..Options::default()
    };
    run(&target, &options, |_| {}).await.unwrap()
}

/// The sentences of the checks that failed.
async fn failed(fault: Fault) -> BTreeSet<String> {
    let report = report(fault).await;
    let failed = report.checks.iter().filter(|line| matches!(line.outcome, Outcome::Failed(_)));
    failed.map(|line| format!("{}: {}", line.group, line.sentence)).collect()
}

#[tokio::test]
async fn a_driver_with_nothing_wrong_passes() {
    let report = report(Fault::Nothing).await;
    let failed: Vec<_> = report
        .checks
        .iter()
        .filter(|line| matches!(line.outcome, Outcome::Failed(_)))
        .map(ToString::to_string)
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(report.passed() > 40, "{}", report.summary());
}

/// Whichever other checks stumble over a fault as well, these must.
async fn noticed(fault: Fault, by: &[&str]) {
    let failed = failed(fault).await;
    for check in by {
        assert!(failed.contains(*check), "{fault:?} is not noticed by {check:?}, but by {failed:#?}");
    }
}

#[tokio::test]
async fn a_driver_that_claims_what_it_does_not_do_is_noticed() {
    noticed(
        Fault::ClaimsWhatItDoesNotDo,
        &[
            "capability: what is claimed is supported",
            "volume: a deleted volume is no longer listed",
            "run: all that the run made is gone again",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_volume_without_an_identity_is_noticed() {
    noticed(Fault::NoVpd83, &["volume: a new volume has an identity that hosts can tell"]).await;
}

#[tokio::test]
async fn a_record_that_a_strict_reader_refuses_is_noticed() {
    noticed(
        Fault::OddRecords,
        &["wire: every reply of the run can be read by the strict Python and C readers"],
    )
    .await;
}

#[tokio::test]
async fn ids_that_change_are_noticed() {
    noticed(
        Fault::IdsChange,
        &[
            "volume: a new volume is listed just as it was told",
            "restart: a new session sees the volumes of an old one",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_name_given_twice_is_noticed() {
    noticed(
        Fault::NamesTwice,
        &[
            "volume: a name that is taken is refused",
            "idempotence: making a volume again makes no second one",
            "concurrency: of those who make one name one wins",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_volume_that_does_not_go_is_noticed() {
    noticed(
        Fault::NothingGoes,
        &["volume: a deleted volume is no longer listed", "run: all that the run made is gone again"],
    )
    .await;
}

#[tokio::test]
async fn a_driver_that_keeps_its_volumes_in_its_process_is_noticed() {
    noticed(Fault::ForgetsWithTheSession, &["restart: a new session sees the volumes of an old one"]).await;
}

#[tokio::test]
async fn success_with_what_is_not_there_is_noticed() {
    noticed(
        Fault::DeletesNothing,
        &[
            "capability: a call on what is not there says what is missing",
            "idempotence: deleting a volume again deletes no other",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_search_that_finds_everything_is_noticed() {
    noticed(Fault::SearchesNot, &["many: all of many volumes are listed once and found one by one"]).await;
}

#[tokio::test]
async fn a_volume_smaller_than_asked_for_is_noticed() {
    noticed(Fault::TooSmall, &["volume: a new volume has the name and the size that were asked for"]).await;
}

#[tokio::test]
async fn without_leave_nothing_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("wrong");
    serve_at(&socket, Fault::ClaimsWhatItDoesNotDo);
    let target = Target { uri: "wrong://".into(), password: None, door: Door::Socket(socket) };
    let report = run(&target, &Options::default(), |_| {}).await.unwrap();
    assert_eq!(report.failed(), 0);
    let changing = report.checks.iter().find(|line| line.group == "volume").unwrap();
    assert!(matches!(&changing.outcome, Outcome::Skipped { why } if why.contains("not allowed")));
}

#[tokio::test]
async fn a_driver_that_cannot_be_reached_is_no_report() {
    let target =
        Target { uri: "x://".into(), password: None, door: Door::Program("/nowhere/x_lsmplugin".into()) };
    let broken = run(&target, &Options::default(), |_| {}).await.unwrap_err();
    assert!(broken.to_string().starts_with("nothing could be tested"), "{broken}");
}
