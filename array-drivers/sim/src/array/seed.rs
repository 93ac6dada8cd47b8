//! What a new array holds: twenty disks of four kinds and the pools that libStorageMgmt's simulator has, under the same names.
//!
//! Ten disks are left free for RAID volumes. A pool offers less than its disks could hold: `pool_bytes` is what its owner may use of
//! them, so that an array can be made as small as a test wants it. Six disks claim 1 EiB each, the largest that exists in the
//! protocol's tests; they are all in a pool, so nobody makes a file of that size.

use rusqlite::{Transaction, params};
use sanfleet_driver::{DiskType, ElementType, LinkType, RaidType, Rpm, UnsupportedActions};

use super::BLOCK;
use crate::{error::Result, options::Options};

/// Bytes on one disk before the next disk's turn, where nobody chose.
pub(super) const STRIP_BYTES: u64 = 128 << 10;

struct DiskModel {
    count: u32,
    kind: DiskType,
    bytes: u64,
    rpm: Rpm,
    link: LinkType,
}

const DISKS: [DiskModel; 4] = [
    DiskModel { count: 2, kind: DiskType::SATA, bytes: 2 << 40, rpm: Rpm(7200), link: LinkType::ATA },
    DiskModel { count: 6, kind: DiskType::SAS, bytes: 1 << 60, rpm: Rpm(15_000), link: LinkType::SAS },
    DiskModel {
        count: 5,
        kind: DiskType::SSD,
        bytes: 512 << 30,
        rpm: Rpm::NON_ROTATING,
        link: LinkType::ATA,
    },
    DiskModel { count: 7, kind: DiskType::SSD, bytes: 2 << 40, rpm: Rpm::NON_ROTATING, link: LinkType::SAS },
];

struct PoolModel {
    name: &'static str,
    /// In units of the URI's `pool_bytes`.
    size: u64,
    parent: Option<i64>,
    raid: RaidType,
    /// The rows of the first and the last of its disks.
    disks: Option<(i64, i64)>,
    reserved: bool,
    unsupported: UnsupportedActions,
}

const POOLS: [PoolModel; 4] = [
    PoolModel {
        name: "Pool 1",
        size: 4,
        parent: None,
        raid: RaidType::RAID1,
        disks: Some((1, 2)),
        reserved: true,
        unsupported: UnsupportedActions(
            UnsupportedActions::VOLUME_GROW.0 | UnsupportedActions::VOLUME_SHRINK.0,
        ),
    },
    PoolModel {
        name: "Pool 2(sub pool of Pool 1)",
        size: 1,
        parent: Some(1),
        raid: RaidType::RAID1,
        disks: None,
        reserved: false,
        unsupported: UnsupportedActions::NONE,
    },
    PoolModel {
        name: "Pool 3",
        size: 1,
        parent: None,
        raid: RaidType::RAID1,
        disks: Some((9, 10)),
        reserved: false,
        unsupported: UnsupportedActions::NONE,
    },
    // Where libStorageMgmt's own tests look for space.
    PoolModel {
        name: "lsm_test_aggr",
        size: 1,
        parent: None,
        raid: RaidType::RAID0,
        disks: Some((3, 8)),
        reserved: false,
        unsupported: UnsupportedActions::NONE,
    },
];

pub(super) fn plant(change: &Transaction, options: &Options) -> Result<()> {
    change.execute("INSERT INTO meta VALUES ('id', ?1)", [array_id(change, options.seed)?])?;
    for disk in &DISKS {
        for _ in 0..disk.count {
            change
                .prepare_cached("INSERT INTO disk (kind, blocks, rpm, link) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![disk.kind.0, column(disk.bytes / BLOCK), disk.rpm.0, disk.link.0])?;
        }
    }
    POOLS.iter().try_for_each(|pool| plant_pool(change, pool, options.pool_bytes))
}

fn plant_pool(change: &Transaction, pool: &PoolModel, unit: u64) -> Result<()> {
    let holds = ElementType::VOLUME | ElementType::FILE_SYSTEM | ElementType::DELTA | ElementType::POOL;
    let element_type = match pool.reserved {
        true => holds | ElementType::SYSTEM_RESERVED,
        false => holds | ElementType::VOLUME_FULL | ElementType::VOLUME_THIN,
    };
    let insert = "INSERT INTO pool (name, total_bytes, parent, raid, strip_bytes, element_type, unsupported) \
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    change.prepare_cached(insert)?.execute(params![
        pool.name,
        column(unit.saturating_mul(pool.size)),
        pool.parent,
        pool.raid.0,
        column(strip(pool.raid, STRIP_BYTES)),
        column(element_type.0),
        column(pool.unsupported.0),
    ])?;
    if let Some((first, last)) = pool.disks {
        let row = change.last_insert_rowid();
        change.execute("UPDATE disk SET pool = ?1 WHERE id BETWEEN ?2 AND ?3", [row, first, last])?;
    }
    Ok(())
}

/// Disks that all hold the same, or one after the other, have no strips: there the unit is a block.
pub(super) fn strip(raid: RaidType, wanted: u64) -> u64 {
    match raid {
        RaidType::RAID1 | RaidType::JBOD => BLOCK,
        _ => wanted,
    }
}

/// The array's id, from which the identities of its volumes and disks follow: of a seed always the same, else at random.
fn array_id(change: &Transaction, seed: Option<u64>) -> Result<String> {
    match seed {
        Some(seed) => Ok(format!("{:016x}{:016x}", scrambled(seed), scrambled(!seed))),
        None => Ok(change.query_row("SELECT lower(hex(randomblob(16)))", [], |row| row.get(0))?),
    }
}

/// The finaliser of SplitMix64: every seed its own number, and neighbours far apart.
fn scrambled(seed: u64) -> u64 {
    let mut word = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// A count as SQLite keeps it.
pub(super) fn column(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_disks_of_which_ten_are_free() {
        let all: u32 = DISKS.iter().map(|disk| disk.count).sum();
        let taken: i64 =
            POOLS.iter().filter_map(|pool| pool.disks).map(|(first, last)| last - first + 1).sum();
        assert_eq!((all, taken), (20, 10));
    }

    #[test]
    fn a_seed_has_its_own_number() {
        let ids: std::collections::BTreeSet<u64> = (0..1000).map(scrambled).collect();
        assert_eq!(ids.len(), 1000);
    }
}
