//! Rows of volumes.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use sanfleet_driver::{AdminState, ErrorNumber, JobOr, Search, SystemId, Volume, VolumeKey};

use super::{Array, BLOCK, job, now, raid, seed::column, wanted::Wanted};
use crate::{
    error::{Result, SimError},
    identity,
};

const LONGEST_NAME: usize = 255;

/// One volume, as the state file has it.
#[derive(Debug, Clone)]
pub(super) struct VolumeRow {
    pub id: i64,
    pub name: String,
    pub pool: i64,
    pub blocks: u64,
    pub enabled: bool,
}

impl VolumeRow {
    pub fn bytes(&self) -> u64 {
        self.blocks.saturating_mul(BLOCK)
    }
}

/// The columns that [`read`] expects.
pub(super) const COLUMNS: &str = "volume.id, volume.name, volume.pool, volume.blocks, volume.enabled";

pub(super) fn read(row: &Row) -> rusqlite::Result<VolumeRow> {
    let blocks: i64 = row.get(3)?;
    let blocks = u64::try_from(blocks).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(3, blocks))?;
    Ok(VolumeRow { id: row.get(0)?, name: row.get(1)?, pool: row.get(2)?, blocks, enabled: row.get(4)? })
}

/// The volume with this id, if it is listed.
pub(super) fn find(state: &Connection, key: &VolumeKey) -> Result<VolumeRow> {
    let not_found = || SimError::refused(ErrorNumber::NotFoundVolume, format!("no volume {key}"));
    let row = identity::volume_row(key.as_str()).ok_or_else(not_found)?;
    let query = format!("SELECT {COLUMNS} FROM volume WHERE id = ?1 AND ready AND listed_at <= ?2");
    let found = state.prepare_cached(&query)?.query_row(params![row, now()], read).optional()?;
    found.ok_or_else(not_found)
}

/// Records a volume that is still to be filled: its name is taken and its space is accounted for.
pub(super) fn reserve(change: &Transaction, pool: i64, name: &str, blocks: u64) -> Result<VolumeRow> {
    check_name(change, name)?;
    let size = blocks.saturating_mul(BLOCK);
    let free = super::listing::free_bytes(change, pool)?;
    if size > free {
        let message = format!("{size} bytes wanted, {free} bytes free");
        return Err(SimError::refused(ErrorNumber::NotEnoughSpace, message));
    }
    change
        .prepare_cached("INSERT INTO volume (name, pool, blocks) VALUES (?1, ?2, ?3)")?
        .execute(params![name, pool, column(blocks)])?;
    Ok(VolumeRow { id: change.last_insert_rowid(), name: name.to_owned(), pool, blocks, enabled: true })
}

pub(super) fn check_name(change: &Transaction, name: &str) -> Result<()> {
    if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
        let message = format!("a name has 1 to {LONGEST_NAME} bytes and no control characters");
        return Err(SimError::refused(ErrorNumber::InvalidArgument, message));
    }
    let taken = change.prepare_cached("SELECT 1 FROM volume WHERE name = ?1")?.exists([name])?;
    match taken {
        true => Err(SimError::refused(ErrorNumber::NameConflict, format!("there is a volume named {name}"))),
        false => Ok(()),
    }
}

pub(super) fn make_ready(change: &Transaction, row: i64, listed_at: i64) -> Result<()> {
    let mut update = change.prepare_cached("UPDATE volume SET ready = 1, listed_at = ?2 WHERE id = ?1")?;
    update.execute(params![row, listed_at])?;
    Ok(())
}

/// With it goes its tie to a source, and what was made for it alone.
pub(super) fn forget(change: &Transaction, row: i64) -> Result<()> {
    change.prepare_cached("DELETE FROM replica WHERE volume = ?1")?.execute([row])?;
    change.prepare_cached("DELETE FROM volume WHERE id = ?1")?.execute([row])?;
    raid::free_disks(change)
}

impl Array {
    /// All that are listed, or those of them that the search is for.
    pub fn volumes(&self, search: Option<&Search>) -> Result<Vec<Volume>> {
        let wanted = Wanted::of(search, "volume", identity::volume_row);
        let condition = wanted.condition();
        let query = format!(
            "SELECT {COLUMNS} FROM volume WHERE {condition} AND ready AND listed_at <= {} ORDER BY id",
            now()
        );
        let mut statement = self.state.prepare(&query)?;
        let mut rows = statement.query(wanted.values())?;
        let mut volumes = Vec::new();
        while let Some(row) = rows.next()? {
            volumes.push(self.record(read(row)?)?);
        }
        Ok(volumes)
    }

    pub fn volume(&self, key: &VolumeKey) -> Result<Volume> {
        self.record(find(&self.state, key)?)
    }

    /// Marks a filled volume as ready: it is listed now, or when its job is done.
    pub(super) fn finish(&self, change: &Transaction, made: &VolumeRow) -> Result<JobOr<Volume>> {
        let job = job::start(change, self.job, Some(made.id))?;
        make_ready(change, made.id, job.as_ref().map_or(0, |job| job.done_at))?;
        match job {
            Some(job) => Ok(JobOr::Job(job.id)),
            None => self.record(made.clone()).map(JobOr::Done),
        }
    }

    /// Takes back a volume that could not be filled.
    pub(super) fn abandon(&self, made: &VolumeRow) -> Result<()> {
        let change = self.begin()?;
        forget(&change, made.id)?;
        change.commit()?;
        self.files.remove(made.id)
    }

    pub(super) fn record(&self, row: VolumeRow) -> Result<Volume> {
        Ok(Volume {
            id: identity::volume(row.id),
            name: row.name,
            vpd83: identity::volume_id(&self.id, row.id)?.lsm_vpd83().unwrap_or_default(),
            block_size: Some(BLOCK),
            num_of_blocks: Some(row.blocks),
            admin_state: if row.enabled { AdminState::ENABLED } else { AdminState::DISABLED },
            system_id: SystemId::new(identity::SYSTEM),
            pool_id: identity::pool(row.pool),
            plugin_data: None,
        })
    }
}
