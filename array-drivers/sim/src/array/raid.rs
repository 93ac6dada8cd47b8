//! Volumes made of whole disks, and how every volume and pool is laid out.
//!
//! Such a volume gets a private pool, exactly as large as itself, that goes with it and frees the disks. Where disks are larger than
//! any file can be, the file system says so and the answer is NOT_ENOUGH_SPACE.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sanfleet_driver::{
    Disk, DiskId, ElementType, ErrorNumber, MemberType, Pool, PoolMemberInfo, RaidCreateCapabilities,
    RaidInfo, RaidType, System, UnsupportedActions, Volume, VolumeKey,
};
use sanfleet_failpoint::reach;

use super::{
    Array, BLOCK, listing,
    seed::{self, column},
    volume::{self, VolumeRow},
};
use crate::{
    error::{Result, SimError},
    identity,
};

const RAID_TYPES: [RaidType; 7] = [
    RaidType::RAID0,
    RaidType::RAID1,
    RaidType::RAID5,
    RaidType::RAID6,
    RaidType::RAID10,
    RaidType::RAID50,
    RaidType::RAID60,
];
const STRIP_SIZES: [u64; 8] =
    [8 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20];

/// Disks of pools whose only volume has gone are free again.
pub(super) fn free_disks(change: &Transaction) -> Result<()> {
    let left =
        "SELECT id FROM pool WHERE private AND NOT EXISTS (SELECT 1 FROM volume WHERE volume.pool = pool.id)";
    change.prepare_cached(&format!("UPDATE disk SET pool = NULL WHERE pool IN ({left})"))?.execute([])?;
    change.prepare_cached(&format!("DELETE FROM pool WHERE id IN ({left})"))?.execute([])?;
    Ok(())
}

/// Bytes a strip and number of disks, as a volume of the pool lies on them.
struct Layout {
    raid: RaidType,
    strip: u64,
    disks: u64,
}

/// A piece of a pool lies as that pool does.
fn layout(state: &Connection, pool: i64) -> Result<Layout> {
    let query = "SELECT whole.raid, whole.strip_bytes, (SELECT count(*) FROM disk WHERE disk.pool = whole.id) \
                 FROM pool JOIN pool AS whole ON whole.id = coalesce(pool.parent, pool.id) WHERE pool.id = ?1";
    Ok(state.prepare_cached(query)?.query_row([pool], |row| {
        let raid = RaidType(row.get(0)?);
        Ok(Layout { raid, strip: listing::count(row, 1)?, disks: listing::count(row, 2)? })
    })?)
}

/// How many disks' worth of data so many disks hold.
fn data_disks(raid: RaidType, disks: u64) -> u64 {
    match raid {
        RaidType::RAID1 => 1,
        RaidType::RAID5 => disks.saturating_sub(1),
        RaidType::RAID6 | RaidType::RAID50 => disks.saturating_sub(2),
        RaidType::RAID60 => disks.saturating_sub(4),
        RaidType::RAID10 => disks / 2,
        _ => disks,
    }
}

impl Array {
    pub fn volume_raid_info(&self, key: &VolumeKey) -> Result<RaidInfo> {
        let Layout { raid, strip, disks } = layout(&self.state, volume::find(&self.state, key)?.pool)?;
        Ok(RaidInfo {
            raid_type: raid,
            strip_size: column(strip),
            disk_count: column(disks),
            min_io_size: column(strip),
            opt_io_size: column(strip.saturating_mul(data_disks(raid, disks))),
        })
    }

    pub fn pool_member_info(&self, pool: &Pool) -> Result<PoolMemberInfo> {
        let row = listing::pool_row(&self.state, &pool.id)?;
        let (parent, raid): (Option<i64>, i64) = self
            .state
            .prepare_cached("SELECT parent, raid FROM pool WHERE id = ?1")?
            .query_row([row], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (member_type, members) = match parent {
            Some(parent) => (MemberType::POOL, vec![identity::pool(parent).as_str().to_owned()]),
            None => (MemberType::DISK, self.disks_of(row)?),
        };
        Ok(PoolMemberInfo { raid_type: RaidType(raid), member_type, members })
    }

    pub fn volume_raid_create_cap_get(&self, system: &System) -> Result<RaidCreateCapabilities> {
        listing::check_system(system)?;
        Ok(RaidCreateCapabilities {
            raid_types: RAID_TYPES.to_vec(),
            strip_sizes: STRIP_SIZES.map(column).to_vec(),
        })
    }

    /// An empty sparse file is made in no time, so disks, pool, volume and file are one change.
    pub fn volume_raid_create(
        &self,
        name: &str,
        raid: RaidType,
        disks: &[Disk],
        strip: u64,
    ) -> Result<Volume> {
        check_shape(raid, disks, strip)?;
        reach("sim.volume_raid_create.before");
        let change = self.begin()?;
        let rows = disks.iter().map(|disk| free_disk(&change, &disk.id)).collect::<Result<Vec<_>>>()?;
        let smallest = rows.iter().map(|disk| disk.blocks).min().unwrap_or_default();
        let blocks =
            smallest.saturating_mul(data_disks(raid, rows.len() as u64)).min(column(u64::MAX) as u64 / BLOCK);
        let strip = seed::strip(raid, if strip == 0 { seed::STRIP_BYTES } else { strip });
        let pool = insert_pool(&change, name, raid, strip, blocks.saturating_mul(BLOCK))?;
        for disk in &rows {
            change.prepare_cached("UPDATE disk SET pool = ?2 WHERE id = ?1")?.execute([disk.row, pool])?;
        }
        let made = volume::reserve(&change, pool, name, blocks)?;
        self.fill_raid(change, made.clone()).inspect_err(|_| {
            // The row was never there; the next opening would remove the file too.
            let _ = self.files.remove(made.id);
        })
    }

    fn fill_raid(&self, change: Transaction, made: VolumeRow) -> Result<Volume> {
        let file = self.files.create(made.id)?;
        self.files.set_size(made.id, &file, made.bytes())?;
        reach("sim.volume_raid_create.after_file");
        volume::make_ready(&change, made.id, 0)?;
        let volume = self.record(made)?;
        change.commit()?;
        reach("sim.volume_raid_create.after_commit");
        Ok(volume)
    }
}

fn check_shape(raid: RaidType, disks: &[Disk], strip: u64) -> Result<()> {
    let refuse = |message: String| Err(SimError::refused(ErrorNumber::InvalidArgument, message));
    if !RAID_TYPES.contains(&raid) {
        return refuse(format!("no RAID volume of type {}", raid.name().unwrap_or("UNKNOWN")));
    }
    if strip != 0 && !STRIP_SIZES.contains(&strip) {
        return refuse(format!("no strips of {strip} bytes"));
    }
    if !raid.takes_disks(disks.len()) {
        return refuse(format!("{} is not made of {} disks", raid.name().unwrap_or_default(), disks.len()));
    }
    let distinct: BTreeSet<&DiskId> = disks.iter().map(|disk| &disk.id).collect();
    match distinct.len() == disks.len() {
        true => Ok(()),
        false => refuse("a disk is given twice".into()),
    }
}

struct FreeDisk {
    row: i64,
    blocks: u64,
}

fn free_disk(change: &Transaction, id: &DiskId) -> Result<FreeDisk> {
    let not_found = || SimError::refused(ErrorNumber::NotFoundDisk, format!("no disk {id}"));
    let row = identity::disk_row(id).ok_or_else(not_found)?;
    let found: Option<(u64, Option<i64>)> = change
        .prepare_cached("SELECT blocks, pool FROM disk WHERE id = ?1")?
        .query_row([row], |row| Ok((listing::count(row, 0)?, row.get(1)?)))
        .optional()?;
    match found.ok_or_else(not_found)? {
        (blocks, None) => Ok(FreeDisk { row, blocks }),
        (_, Some(pool)) => {
            let message = format!("disk {id} is in pool {}", identity::pool(pool));
            Err(SimError::refused(ErrorNumber::DiskNotFree, message))
        }
    }
}

fn insert_pool(change: &Transaction, volume: &str, raid: RaidType, strip: u64, bytes: u64) -> Result<i64> {
    let unsupported = UnsupportedActions::VOLUME_GROW | UnsupportedActions::VOLUME_SHRINK;
    let insert = "INSERT INTO pool (name, total_bytes, raid, strip_bytes, element_type, unsupported, private) \
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1)";
    change.prepare_cached(insert)?.execute(params![
        format!("Pool of {volume}"),
        column(bytes),
        raid.0,
        column(strip),
        column(ElementType::VOLUME.0),
        column(unsupported.0),
    ])?;
    Ok(change.last_insert_rowid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parity_and_mirrors_hold_no_data() {
        for (raid, disks, data) in [
            (RaidType::RAID0, 3, 3),
            (RaidType::RAID1, 2, 1),
            (RaidType::RAID5, 3, 2),
            (RaidType::RAID6, 4, 2),
            (RaidType::RAID10, 6, 3),
            (RaidType::RAID50, 6, 4),
            (RaidType::RAID60, 8, 4),
        ] {
            assert_eq!(data_disks(raid, disks), data, "{raid:?}");
        }
    }
}
