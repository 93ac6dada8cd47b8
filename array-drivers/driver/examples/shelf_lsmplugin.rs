//! The smallest whole driver: a folder is an array, the files in it are its volumes.
//!
//! It belongs to `docs/driver-guide.md`. A file's name is the volume's identity, a dot, and the volume's name. Nothing shows these
//! volumes to a host, so there are no access groups.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use rustix::fs::statvfs;
use sanfleet_driver::{
    AdminState, ArrayDriver, ElementType, ErrorNumber, JobId, JobOr, LsmError, PluginInfo, Pool, PoolId,
    PoolStatus, Provisioning, Search, System, SystemId, SystemMode, SystemStatus, UnsupportedActions, Uri,
    Volume, VolumeKey, array_driver, run_plugin,
};

const DESCRIPTION: &str = "A folder whose files are volumes";
const VERSION: &str = env!("CARGO_PKG_VERSION");
const SYSTEM: &str = "shelf";
const POOL: &str = "folder";
const BLOCK: u64 = 512;
/// Letters of an identity, and of a name that leaves room for one in a file's.
const IDENTITY: usize = 16;
const LONGEST_NAME: usize = 200;

fn main() -> ExitCode {
    run_plugin(|| Box::new(Shelf::default()), DESCRIPTION, VERSION)
}

type Answer<T> = Result<T, LsmError>;

/// One session. A session sees one array; what must outlive it belongs on the array.
#[derive(Debug, Default)]
struct Shelf {
    /// Empty before the session is registered.
    folder: PathBuf,
}

#[array_driver]
impl ArrayDriver for Shelf {
    fn plugin_info(&self) -> PluginInfo {
        PluginInfo { description: DESCRIPTION.into(), version: VERSION.into() }
    }

    fn plugin_register(&mut self, uri: &str, _password: Option<&str>, _timeout: Duration) -> Answer<()> {
        let uri: Uri = uri.parse().map_err(|error| wrong(format!("{error}")))?;
        match Path::new(&uri.path).is_dir() {
            true => self.folder = uri.path.into(),
            false => return Err(wrong(format!("{:?} is no folder", uri.path))),
        }
        Ok(())
    }

    fn systems(&mut self) -> Answer<Vec<System>> {
        Ok(vec![System {
            id: SystemId::new(SYSTEM),
            name: self.folder.display().to_string(),
            status: SystemStatus::OK,
            status_info: String::new(),
            plugin_data: None,
            fw_version: VERSION.into(),
            mode: SystemMode::NO_SUPPORT,
            read_cache_pct: -2,
        }])
    }

    fn pools(&mut self, _search: Option<&Search>) -> Answer<Vec<Pool>> {
        let space = statvfs(&self.folder).map_err(|error| failed("look at the folder", &error.into()))?;
        Ok(vec![Pool {
            id: PoolId::new(POOL),
            name: POOL.into(),
            element_type: ElementType::VOLUME | ElementType::VOLUME_THIN,
            unsupported_actions: UnsupportedActions::VOLUME_GROW | UnsupportedActions::VOLUME_SHRINK,
            total_space: space.f_blocks.checked_mul(space.f_frsize),
            free_space: space.f_bavail.checked_mul(space.f_frsize),
            status: PoolStatus::OK,
            status_info: String::new(),
            system_id: SystemId::new(SYSTEM),
            plugin_data: None,
        }])
    }

    fn volumes(&mut self, _search: Option<&Search>) -> Answer<Vec<Volume>> {
        let entries = fs::read_dir(&self.folder).map_err(|error| failed("read the folder", &error))?;
        Ok(entries.flatten().filter_map(|entry| volume(&entry)).collect())
    }

    fn volume_create(
        &mut self,
        pool: &Pool,
        name: &str,
        bytes: u64,
        _: Provisioning,
    ) -> Answer<JobOr<Volume>> {
        if pool.id.as_str() != POOL {
            return Err(LsmError::new(ErrorNumber::NotFoundPool, format!("no pool {}", pool.id)));
        }
        check_name(name)?;
        if bytes > self.pools(None)?.first().and_then(|pool| pool.free_space).unwrap_or_default() {
            return Err(LsmError::new(
                ErrorNumber::NotEnoughSpace,
                "the folder has not that much free space",
            ));
        }
        let _turn = self.turn().map_err(|error| failed("lock the folder", &error))?;
        if self.volumes(None)?.iter().any(|volume| volume.name == name) {
            return Err(LsmError::new(ErrorNumber::NameConflict, format!("there is a volume named {name}")));
        }
        let id = new_identity().map_err(|error| failed("find an identity", &error))?;
        self.make(&id, name, bytes.max(1).next_multiple_of(BLOCK))
            .map_err(|error| failed("make the file", &error))?;
        let made = self.volumes(None)?.into_iter().find(|volume| volume.vpd83 == id);
        made.map(JobOr::Done).ok_or_else(|| LsmError::new(ErrorNumber::PluginBug, "the new file is gone"))
    }

    fn volume_delete(&mut self, volume: &Volume) -> Answer<Option<JobId>> {
        let gone = || LsmError::new(ErrorNumber::NotFoundVolume, format!("no volume {}", volume.id));
        // Only the id of what a client hands over is to be believed.
        let known = self.volumes(None)?.into_iter().find(|known| known.id == volume.id).ok_or_else(gone)?;
        fs::remove_file(self.file(&known.vpd83, &known.name)).map_err(|error| match error.kind() {
            // Another session was quicker.
            io::ErrorKind::NotFound => gone(),
            _ => failed("remove the file", &error),
        })?;
        Ok(None)
    }
}

impl Shelf {
    fn file(&self, id: &str, name: &str) -> PathBuf {
        self.folder.join(format!("{id}.{name}"))
    }

    /// One session at a time makes volumes: it has the lock until this is dropped.
    fn turn(&self) -> io::Result<File> {
        let folder = File::open(&self.folder)?;
        folder.lock().map(|()| folder)
    }

    fn make(&self, id: &str, name: &str, bytes: u64) -> io::Result<()> {
        let path = self.file(id, name);
        File::create_new(&path)?.set_len(bytes).inspect_err(|_| {
            // What is told is the first error.
            let _ = fs::remove_file(&path);
        })
    }
}

/// None for a file that is no volume.
fn volume(entry: &fs::DirEntry) -> Option<Volume> {
    let bytes = entry.metadata().ok().filter(fs::Metadata::is_file)?.len();
    let file_name = entry.file_name().into_string().ok()?;
    let (id, name) = file_name.split_once('.').filter(|(id, _)| id.len() == IDENTITY)?;
    Some(Volume {
        id: VolumeKey::new(id),
        name: name.to_owned(),
        vpd83: id.to_owned(),
        block_size: Some(BLOCK),
        num_of_blocks: Some(bytes / BLOCK),
        admin_state: AdminState::ENABLED,
        system_id: SystemId::new(SYSTEM),
        pool_id: PoolId::new(POOL),
        plugin_data: None,
    })
}

fn check_name(name: &str) -> Answer<()> {
    let fits = !name.is_empty() && name.len() <= LONGEST_NAME;
    match fits && !name.contains(|letter: char| letter == '/' || letter.is_control()) {
        true => Ok(()),
        false => {
            Err(wrong(format!("a name has 1 to {LONGEST_NAME} bytes, no slash and no control characters")))
        }
    }
}

/// A locally assigned NAA (SPC-5 §7.7.6.6) that nobody had before: a half byte of type, and chance.
fn new_identity() -> io::Result<String> {
    let mut chance = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut chance)?;
    Ok(format!("30{:014x}", u64::from_ne_bytes(chance) >> 8))
}

fn wrong(message: impl Into<String>) -> LsmError {
    LsmError::new(ErrorNumber::InvalidArgument, message)
}

fn failed(what: &str, error: &io::Error) -> LsmError {
    let number = match error.kind() {
        io::ErrorKind::StorageFull => ErrorNumber::NotEnoughSpace,
        io::ErrorKind::PermissionDenied => ErrorNumber::PermissionDenied,
        _ => ErrorNumber::PluginBug,
    };
    LsmError::new(number, format!("cannot {what}: {error}"))
}
