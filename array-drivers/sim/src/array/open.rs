//! Opening the array, made if it is not there, and repaired if a process died in it.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params};
use sanfleet_driver::ErrorNumber;

use super::{Array, Fate, Terms, huge, seed};
use crate::{
    clock,
    error::{Result, SimError},
    fabric::Fabric,
    files::VolumeFiles,
    options::Options,
    profile::Profile,
    trees::Trees,
};

const SCHEMA: [&str; 3] =
    [include_str!("schema.sql"), include_str!("trouble.sql"), include_str!("file_system.sql")];
const CHANGES: &str = include_str!("change.sql");
const SCHEMA_VERSION: i64 = 3;
/// KiB of the state file that a session keeps in memory.
const CACHE_KIB: i64 = 1024;
/// How many statements stay prepared.
const STATEMENTS: usize = 32;

impl Array {
    /// Opens the array; `timeout` is how long a change waits for other processes.
    pub fn open(options: &Options, timeout: Duration) -> Result<Self> {
        let (array, _turn) = Self::enter(options, timeout)?;
        array.repair()?;
        array.warm_up()?;
        Ok(array)
    }

    /// Opens the array and repairs nothing: to see how it was left.
    pub fn open_as_left(options: &Options, timeout: Duration) -> Result<Self> {
        Self::enter(options, timeout).map(|(array, _turn)| array)
    }

    /// The array, made if it is not there, and the turn: one process opens at a time, for switching a new file to WAL waits for
    /// nobody.
    fn enter(options: &Options, timeout: Duration) -> Result<(Self, File)> {
        let files = VolumeFiles::open(&options.data)?;
        let turn = File::open(files.folder()).and_then(|folder| folder.lock().map(|()| folder));
        let turn = turn.map_err(SimError::file("lock the folder", files.folder()))?;

        let state = connect(&options.state_file, timeout)?;
        let change = Transaction::new_unchecked(&state, TransactionBehavior::Immediate)?;
        make_if_new(&change, options, &options.state_file)?;
        remembered(&change, "data", Some(files.folder()))?;
        let fabric = options.fabric.as_deref().map(Fabric::open).transpose()?;
        let fabric = match remembered(&change, "fabric", fabric.as_ref().map(Fabric::folder))? {
            Some(folder) => Some(Fabric::open(Path::new(&folder))?),
            None => None,
        };
        let id = meta(&change, "id")?.unwrap_or_default();
        if options.virtual_clock {
            clock::stop(&change)?;
        }
        change.commit()?;
        if let Some(fabric) = &fabric {
            require_one_file_system(files.folder(), fabric.folder())?;
        }
        let trees = Trees::new(files.folder());
        let job = Terms { length: options.job, fate: Fate::Succeeds };
        Ok((Self { state, files, trees, fabric, id, job, lag: Duration::ZERO, timeout }, turn))
    }

    /// Pays now for what the first change would pay otherwise: the write-ahead log is made, and emptied if it is long. A change
    /// then costs one append and one sync.
    fn warm_up(&self) -> Result<()> {
        let change = self.begin()?;
        change.execute(
            "INSERT INTO meta VALUES ('sessions', 1) ON CONFLICT (key) DO UPDATE SET value = value + 1",
            [],
        )?;
        change.commit()?;
        self.state.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        Ok(())
    }
}

fn connect(path: &Path, timeout: Duration) -> Result<Connection> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(SimError::file("make the folder", folder))?;
    }
    let state = Connection::open(path)?;
    state.busy_timeout(timeout)?;
    // The first to look into the file.
    state.pragma_update(None, "journal_mode", "WAL").map_err(|error| foreign_file(error, path))?;
    // A commit that has been answered survives a power cut.
    state.pragma_update(None, "synchronous", "FULL")?;
    state.pragma_update(None, "foreign_keys", true)?;
    state.pragma_update(None, "cache_size", -CACHE_KIB)?;
    state.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(state)
}

/// A file that is somebody else's is left as it is.
fn foreign_file(error: rusqlite::Error, path: &Path) -> SimError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => move_or_delete("is no state file", path),
        _ => error.into(),
    }
}

fn move_or_delete(why: &str, path: &Path) -> SimError {
    let message = format!("{} {why}: move or delete {0}", path.display());
    SimError::refused(ErrorNumber::InvalidArgument, message)
}

fn make_if_new(change: &Transaction, options: &Options, path: &Path) -> Result<()> {
    let version: i64 = change.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 = change.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (version, tables) {
        (SCHEMA_VERSION, _) => return Ok(()),
        (0, 0) => {}
        _ => return Err(move_or_delete("has the state of another version", path)),
    }
    SCHEMA.iter().try_for_each(|part| change.execute_batch(part))?;
    seed::plant(change, options)?;
    if options.profile == Profile::Huge {
        huge::fill(change, options.pool_bytes)?;
    }
    // What the array begins with is no change.
    change.execute_batch(CHANGES)?;
    change.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    Ok(())
}

pub(super) fn meta(state: &Connection, key: &str) -> Result<Option<String>> {
    let found = state.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0));
    Ok(found.optional()?)
}

/// The folder that the array remembers under `key`. The first one given is remembered; another one later is refused, for the
/// array's files would be in two places.
fn remembered(change: &Transaction, key: &'static str, given: Option<&Path>) -> Result<Option<String>> {
    let known = meta(change, key)?;
    let Some(given) = given else { return Ok(known) };
    let given = given.to_str().ok_or_else(|| {
        SimError::refused(ErrorNumber::InvalidArgument, format!("the path of {key} is not UTF-8"))
    })?;
    match known {
        Some(known) if known != given => {
            let message = format!("this array has its {key} at {known}, not at {given}");
            Err(SimError::refused(ErrorNumber::InvalidArgument, message))
        }
        Some(known) => Ok(Some(known)),
        None => {
            change.execute("INSERT INTO meta VALUES (?1, ?2)", params![key, given])?;
            Ok(Some(given.to_owned()))
        }
    }
}

/// A hard link does not cross file systems.
fn require_one_file_system(data: &Path, fabric: &Path) -> Result<()> {
    let device = |path: &Path| {
        fs::metadata(path).map(|metadata| metadata.dev()).map_err(SimError::file("look at", path))
    };
    if device(data)? == device(fabric)? {
        return Ok(());
    }
    let message = format!("{} and {} must be on one file system", data.display(), fabric.display());
    Err(SimError::refused(ErrorNumber::InvalidArgument, message))
}
