//! Which volume is under which number of which initiator: the rows behind the fabric's folders.

use rusqlite::{Params, Transaction, params};

use super::Array;
use crate::{error::Result, fabric::Publication, identity};

/// Gives the volume the lowest number that is free for the initiator.
pub(super) fn assign(change: &Transaction, initiator: &str, volume: i64) -> Result<()> {
    let mut taken = change.prepare_cached("SELECT number FROM lun WHERE initiator = ?1 ORDER BY number")?;
    let taken = taken.query_map([initiator], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    change
        .prepare_cached("INSERT INTO lun (initiator, number, volume) VALUES (?1, ?2, ?3)")?
        .execute(params![initiator, lowest_free(&taken), volume])?;
    Ok(())
}

/// `taken` is in rising order.
fn lowest_free(taken: &[i64]) -> i64 {
    (0..).zip(taken).find(|(number, taken)| number != *taken).map_or(taken.len() as i64, |(number, _)| number)
}

pub(super) fn all(change: &Transaction, array: &Array) -> Result<Vec<Publication>> {
    read(change, array, "", [])
}

pub(super) fn of_initiator(change: &Transaction, array: &Array, initiator: &str) -> Result<Vec<Publication>> {
    read(change, array, "WHERE initiator = ?1", [initiator])
}

pub(super) fn of_mask(
    change: &Transaction,
    array: &Array,
    group: i64,
    volume: i64,
) -> Result<Vec<Publication>> {
    let members = "WHERE volume = ?2 AND initiator IN (SELECT name FROM initiator WHERE access_group = ?1)";
    read(change, array, members, params![group, volume])
}

/// Drops the numbers of these publications: they are free again.
pub(super) fn release(change: &Transaction, publications: &[Publication]) -> Result<()> {
    let mut delete = change.prepare_cached("DELETE FROM lun WHERE initiator = ?1 AND number = ?2")?;
    for publication in publications {
        delete.execute(params![publication.initiator, publication.lun])?;
    }
    Ok(())
}

fn read(change: &Transaction, array: &Array, filter: &str, values: impl Params) -> Result<Vec<Publication>> {
    let query = format!("SELECT initiator, number, volume FROM lun {filter} ORDER BY initiator, number");
    let mut statement = change.prepare_cached(&query)?;
    let rows = statement.query_map(values, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let rows = rows.collect::<rusqlite::Result<Vec<(String, i64, i64)>>>()?;
    rows.into_iter()
        .map(|(initiator, lun, volume)| {
            let id = identity::volume_id(&array.id, volume)?;
            Ok(Publication { initiator, lun, file: array.files.path(volume), id })
        })
        .collect()
}

impl Array {
    /// Shows what is recorded. The rows are read under the lock that keeps others from changing the folders.
    pub(super) fn publish(&self, which: impl FnOnce(&Transaction) -> Result<Vec<Publication>>) -> Result<()> {
        let Some(fabric) = &self.fabric else { return Ok(()) };
        let lock = self.begin()?;
        which(&lock)?.iter().try_for_each(|publication| fabric.publish(publication))
    }

    pub(super) fn withdraw(&self, publications: &[Publication]) -> Result<()> {
        let Some(fabric) = &self.fabric else { return Ok(()) };
        publications
            .iter()
            .try_for_each(|publication| fabric.withdraw(&publication.initiator, publication.lun))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_gap_is_filled_first() {
        assert_eq!(lowest_free(&[]), 0);
        assert_eq!(lowest_free(&[0, 1, 2]), 3);
        assert_eq!(lowest_free(&[1, 2]), 0);
        assert_eq!(lowest_free(&[0, 1, 3, 4]), 2);
    }
}
