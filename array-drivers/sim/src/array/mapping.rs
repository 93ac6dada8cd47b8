//! Who sees which volume, and under which number: one entry for the mask of a group and one for a map of its own, for each initiator.

use rusqlite::{Params, Row};
use sanfleet_driver::{Mapping, Page, VolumeKey};

use super::{Array, page, volume};
use crate::{error::Result, identity};

/// One number of one initiator.
struct Number {
    row: i64,
    initiator: String,
    lun: u64,
    volume: i64,
    group: Option<i64>,
    mapped: bool,
}

impl Number {
    const QUERY: &str = "SELECT lun.id, lun.initiator, lun.number, lun.volume, mask.access_group, map.volume IS NOT NULL \
        FROM lun LEFT JOIN initiator ON initiator.name = lun.initiator \
        LEFT JOIN mask ON mask.access_group = initiator.access_group AND mask.volume = lun.volume \
        LEFT JOIN map ON map.initiator = lun.initiator AND map.volume = lun.volume";

    fn read(row: &Row) -> rusqlite::Result<Self> {
        Ok(Self {
            row: row.get(0)?,
            initiator: row.get(1)?,
            lun: super::listing::count(row, 2)?,
            volume: row.get(3)?,
            group: row.get(4)?,
            mapped: row.get(5)?,
        })
    }

    /// Its entries, each with its place in the list of all.
    fn entries(self) -> Vec<(i64, Mapping)> {
        let entry = |group: Option<i64>| Mapping {
            volume_id: identity::volume(self.volume),
            access_group_id: group.map(identity::access_group),
            initiator: Some(self.initiator.clone()),
            lun: Some(self.lun),
            target_ports: Vec::new(),
        };
        let masked = self.group.map(|group| (self.row * 2, entry(Some(group))));
        let mapped = self.mapped.then(|| (self.row * 2 + 1, entry(None)));
        masked.into_iter().chain(mapped).collect()
    }
}

impl Array {
    pub fn volume_mappings(&self, key: &VolumeKey) -> Result<Vec<Mapping>> {
        let volume = volume::find(&self.state, key)?;
        let numbers = self.numbers("WHERE lun.volume = ?1 ORDER BY lun.id", [volume.id])?;
        Ok(numbers.into_iter().flat_map(Number::entries).map(|(_, mapping)| mapping).collect())
    }

    pub fn mappings_page(&self, cursor: Option<&str>, limit: u32) -> Result<Page<Mapping>> {
        let (after, limit) = (page::place('m', cursor)?, page::limit(limit)?);
        // One number may have been told in part, and one more tells whether there is more.
        let numbers = self
            .numbers("WHERE lun.id >= ?1 ORDER BY lun.id LIMIT ?2", [after / 2, limit.saturating_add(2)])?;
        let entries = numbers.into_iter().flat_map(Number::entries).filter(|(place, _)| *place > after);
        Ok(page::cut('m', entries.collect(), limit))
    }

    fn numbers(&self, which: &str, values: impl Params) -> Result<Vec<Number>> {
        let mut statement = self.state.prepare_cached(&format!("{} {which}", Number::QUERY))?;
        Ok(statement.query_map(values, Number::read)?.collect::<rusqlite::Result<_>>()?)
    }
}
