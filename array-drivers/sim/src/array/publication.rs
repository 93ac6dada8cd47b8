//! Which volume is under which number of which initiator: the rows behind the fabric's folders.
//!
//! A number is founded on a mask, on a map, or on both, and goes with the last of them. A disabled volume keeps its numbers and is
//! not shown.

use rusqlite::{Connection, Transaction, params};

use super::Array;
use crate::{error::Result, fabric::Publication, identity};

/// Whose numbers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of<'a> {
    Everybody,
    Initiator(&'a str),
    Volume(i64),
}

/// Numbers that nothing says any more that they should be.
const UNFOUNDED: &str = "NOT EXISTS (SELECT 1 FROM map WHERE map.initiator = lun.initiator AND map.volume = lun.volume) \
     AND NOT EXISTS (SELECT 1 FROM initiator JOIN mask ON mask.access_group = initiator.access_group \
                     WHERE initiator.name = lun.initiator AND mask.volume = lun.volume)";
const ENABLED: &str = "(SELECT enabled FROM volume WHERE volume.id = lun.volume)";

/// The number under which the initiator sees the volume, if it does.
pub(super) fn number(state: &Connection, initiator: &str, volume: i64) -> Result<Option<i64>> {
    let mut query = state.prepare_cached("SELECT number FROM lun WHERE initiator = ?1 AND volume = ?2")?;
    let mut rows = query.query(params![initiator, volume])?;
    Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
}

/// Gives the volume the lowest number that is free for the initiator, unless it has one.
pub(super) fn assign(change: &Transaction, initiator: &str, volume: i64) -> Result<i64> {
    if let Some(number) = number(change, initiator, volume)? {
        return Ok(number);
    }
    let mut taken = change.prepare_cached("SELECT number FROM lun WHERE initiator = ?1 ORDER BY number")?;
    let taken = taken.query_map([initiator], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    let number = lowest_free(&taken);
    insert(change, initiator, number, volume)?;
    Ok(number)
}

pub(super) fn insert(change: &Transaction, initiator: &str, number: i64, volume: i64) -> Result<()> {
    change
        .prepare_cached("INSERT INTO lun (initiator, number, volume) VALUES (?1, ?2, ?3)")?
        .execute(params![initiator, number, volume])?;
    Ok(())
}

/// `taken` is in rising order.
fn lowest_free(taken: &[i64]) -> i64 {
    (0..).zip(taken).find(|(number, taken)| number != *taken).map_or(taken.len() as i64, |(number, _)| number)
}

/// What is to be seen.
pub(super) fn shown(state: &Connection, array: &Array, of: Of) -> Result<Vec<Publication>> {
    read(state, array, of, ENABLED)
}

/// All numbers, of disabled volumes too.
pub(super) fn recorded(state: &Connection, array: &Array, of: Of) -> Result<Vec<Publication>> {
    read(state, array, of, "1")
}

fn read(state: &Connection, array: &Array, of: Of, condition: &str) -> Result<Vec<Publication>> {
    let whose = match of {
        Of::Everybody => "1",
        Of::Initiator(_) => "initiator = ?1",
        Of::Volume(_) => "volume = ?1",
    };
    let query = format!(
        "SELECT initiator, number, volume FROM lun WHERE {whose} AND {condition} ORDER BY initiator, number"
    );
    let mut statement = state.prepare_cached(&query)?;
    let mut rows = match of {
        Of::Everybody => statement.query([])?,
        Of::Initiator(initiator) => statement.query([initiator])?,
        Of::Volume(volume) => statement.query([volume])?,
    };
    let mut publications = Vec::new();
    while let Some(row) = rows.next()? {
        let volume = row.get(2)?;
        let (file, id) = (array.files.path(volume), identity::volume_id(&array.id, volume)?);
        publications.push(Publication { initiator: row.get(0)?, lun: row.get(1)?, file, id });
    }
    Ok(publications)
}

impl Array {
    /// Shows what is recorded. The rows are read under the lock that keeps others from changing the folders.
    pub(super) fn publish(&self, of: Of) -> Result<()> {
        let Some(fabric) = &self.fabric else { return Ok(()) };
        let lock = self.begin()?;
        shown(&lock, self, of)?.iter().try_for_each(|publication| fabric.publish(publication))
    }

    /// Takes what is shown away; the numbers stay.
    pub(super) fn withdraw(&self, publications: &[Publication]) -> Result<()> {
        let Some(fabric) = &self.fabric else { return Ok(()) };
        publications
            .iter()
            .try_for_each(|publication| fabric.withdraw(&publication.initiator, publication.lun))
    }

    /// Takes away what nothing founds any more, and frees its numbers then. Call it before the change is committed.
    pub(super) fn withdraw_unfounded(&self, change: &Transaction, of: Of) -> Result<()> {
        let unfounded = read(change, self, of, UNFOUNDED)?;
        self.withdraw(&unfounded)?;
        let mut delete = change.prepare_cached("DELETE FROM lun WHERE initiator = ?1 AND number = ?2")?;
        for publication in unfounded {
            delete.execute(params![publication.initiator, publication.lun])?;
        }
        Ok(())
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
