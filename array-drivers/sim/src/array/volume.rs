//! Rows of volumes.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use sanfleet_driver::{AdminState, ErrorNumber, JobOr, PoolId, SystemId, Volume, VolumeKey};

use super::{
    Array, BLOCK,
    job::{self, Made},
    listing,
};
use crate::{
    clock,
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
}

/// The columns that [`read`] expects.
pub(super) const COLUMNS: &str = "volume.id, volume.name, volume.pool, volume.blocks";

pub(super) fn read(row: &Row) -> rusqlite::Result<VolumeRow> {
    let blocks: i64 = row.get(3)?;
    let blocks = u64::try_from(blocks).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(3, blocks))?;
    Ok(VolumeRow { id: row.get(0)?, name: row.get(1)?, pool: row.get(2)?, blocks })
}

/// The volume with this id, if it is listed.
pub(super) fn find(state: &Connection, key: &VolumeKey) -> Result<VolumeRow> {
    let not_found = || SimError::refused(ErrorNumber::NotFoundVolume, format!("no volume {key}"));
    let row = identity::volume_row(key.as_str()).ok_or_else(not_found)?;
    let query = format!("SELECT {COLUMNS} FROM volume WHERE id = ?1 AND ready AND listed_at <= ?2");
    let found = state.prepare_cached(&query)?.query_row(params![row, clock::now(state)?], read).optional()?;
    found.ok_or_else(not_found)
}

/// All that are listed at a moment, in milliseconds since the epoch.
pub(super) fn listed(state: &Connection, at: i64) -> Result<Vec<VolumeRow>> {
    let query = format!("SELECT {COLUMNS} FROM volume WHERE ready AND listed_at <= ?1 ORDER BY id");
    let mut statement = state.prepare_cached(&query)?;
    Ok(statement.query_map([at], read)?.collect::<rusqlite::Result<_>>()?)
}

/// Records a volume that is still to be filled: its name is taken and its space is accounted for.
pub(super) fn reserve(change: &Transaction, pool: i64, name: &str, blocks: u64) -> Result<VolumeRow> {
    check_name(change, name)?;
    listing::require_free(change, pool, blocks.saturating_mul(BLOCK))?;
    let blocks_column = i64::try_from(blocks).unwrap_or(i64::MAX);
    change
        .prepare_cached("INSERT INTO volume (name, pool, blocks) VALUES (?1, ?2, ?3)")?
        .execute(params![name, pool, blocks_column])?;
    Ok(VolumeRow { id: change.last_insert_rowid(), name: name.to_owned(), pool, blocks })
}

fn check_name(change: &Transaction, name: &str) -> Result<()> {
    check_form(name)?;
    let taken = change.prepare_cached("SELECT 1 FROM volume WHERE name = ?1")?.exists([name])?;
    match taken {
        true => Err(SimError::refused(ErrorNumber::NameConflict, format!("there is a volume named {name}"))),
        false => Ok(()),
    }
}

/// What any name must be.
pub(super) fn check_form(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
        let message = format!("a name has 1 to {LONGEST_NAME} bytes and no control characters");
        return Err(SimError::refused(ErrorNumber::InvalidArgument, message));
    }
    Ok(())
}

pub(super) fn forget(change: &Transaction, row: i64) -> Result<()> {
    change.prepare_cached("DELETE FROM volume WHERE id = ?1")?.execute([row])?;
    Ok(())
}

impl Array {
    pub fn volume(&self, key: &VolumeKey) -> Result<Volume> {
        self.record(&find(&self.state, key)?)
    }

    /// Marks a filled volume as ready: it is listed now, or when its job is done.
    pub(super) fn finish(&self, change: &Transaction, made: &VolumeRow) -> Result<JobOr<Volume>> {
        let job = job::start(change, self.job, Some(Made::Volume(made.id)))?;
        let listed_at = job.as_ref().map_or(0, |job| job.listed_at);
        change
            .prepare_cached("UPDATE volume SET ready = 1, listed_at = ?2 WHERE id = ?1")?
            .execute(params![made.id, listed_at])?;
        match job {
            Some(job) => Ok(JobOr::Job(job.id)),
            None => self.record(made).map(JobOr::Done),
        }
    }

    /// Takes back a volume that could not be filled.
    pub(super) fn abandon(&self, made: &VolumeRow) -> Result<()> {
        let change = self.begin()?;
        forget(&change, made.id)?;
        change.commit()?;
        self.files.remove(made.id)
    }

    pub(super) fn record(&self, row: &VolumeRow) -> Result<Volume> {
        Ok(Volume {
            id: identity::volume(row.id),
            name: row.name.clone(),
            vpd83: identity::volume_id(&self.id, row.id)?.lsm_vpd83().unwrap_or_default(),
            block_size: Some(BLOCK),
            num_of_blocks: Some(row.blocks),
            admin_state: AdminState::ENABLED,
            system_id: SystemId::new(identity::SYSTEM),
            pool_id: PoolId::new(identity::pool(row.pool).as_str()),
            plugin_data: None,
        })
    }
}
