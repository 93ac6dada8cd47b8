//! Long lists in pieces. A cursor names the place of the last entry that was told, so what is told does not depend on what comes and
//! goes before it.

use rusqlite::params;
use sanfleet_driver::{ErrorNumber, Page, VolumeDetail, VolumeKey};

use super::{Array, now, volume};
use crate::{
    error::{Result, SimError},
    identity,
};

/// Entries of one piece, however many are asked for: it fits into one frame by far.
const LONGEST: u32 = 10_000;

impl Array {
    pub fn volumes_page(&self, cursor: Option<&str>, limit: u32) -> Result<Page<VolumeDetail>> {
        let (after, limit) = (place('v', cursor)?, self::limit(limit)?);
        let query = format!(
            "SELECT {} FROM volume WHERE id > ?1 AND ready AND listed_at <= ?2 ORDER BY id LIMIT ?3",
            volume::COLUMNS
        );
        let mut statement = self.state.prepare_cached(&query)?;
        let rows = statement.query_map(params![after, now(), limit + 1], volume::read)?;
        let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        let entries = rows.into_iter().map(|row| {
            let (place, ids) = (row.id, self.ids(row.id)?);
            Ok((place, VolumeDetail { volume: self.record(row)?, ids }))
        });
        Ok(cut('v', entries.collect::<Result<_>>()?, limit))
    }

    pub fn volume_ids(&self, key: &VolumeKey) -> Result<Vec<String>> {
        self.ids(volume::find(&self.state, key)?.id)
    }

    fn ids(&self, row: i64) -> Result<Vec<String>> {
        Ok(vec![identity::volume_id(&self.id, row)?.to_string()])
    }
}

/// The place that a cursor of this list names; the beginning without one.
pub(super) fn place(list: char, cursor: Option<&str>) -> Result<i64> {
    let Some(cursor) = cursor else { return Ok(0) };
    let place = cursor.strip_prefix(list).and_then(|digits| digits.parse().ok()).filter(|place| *place > 0);
    place.ok_or_else(|| {
        SimError::refused(ErrorNumber::InvalidArgument, "the cursor is none that this list gave out")
    })
}

pub(super) fn limit(limit: u32) -> Result<i64> {
    match limit {
        0 => Err(SimError::refused(ErrorNumber::InvalidArgument, "a piece of no entries")),
        limit => Ok(i64::from(limit.min(LONGEST))),
    }
}

/// The first `limit` of the entries, and the cursor if that is not all.
pub(super) fn cut<T>(list: char, mut entries: Vec<(i64, T)>, limit: i64) -> Page<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries.last().filter(|_| more).map(|(place, _)| format!("{list}{place}"));
    Page { items: entries.into_iter().map(|(_, entry)| entry).collect(), next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_fits_has_no_next_piece() {
        assert_eq!(cut('v', vec![(1, 'a'), (4, 'b')], 2), Page { items: vec!['a', 'b'], next: None });
        let cut = cut('v', vec![(1, 'a'), (4, 'b'), (5, 'c')], 2);
        assert_eq!(cut, Page { items: vec!['a', 'b'], next: Some("v4".into()) });
    }

    #[test]
    fn only_a_cursor_of_the_same_list_is_one() {
        assert_eq!(place('v', Some("v17")).unwrap(), 17);
        for bad in ["m17", "v", "v-1", "v0", "17", "v9999999999999999999999", ""] {
            assert!(place('v', Some(bad)).is_err(), "{bad}");
        }
    }
}
