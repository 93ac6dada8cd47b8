//! Which rows a search asks for, as a clause: what is not wanted is not read.

use rusqlite::params_from_iter;
use sanfleet_driver::{PoolId, Search};

use crate::identity;

/// One condition on a table, and the number that it compares with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    condition: String,
    value: Option<i64>,
}

impl Wanted {
    /// By id, system or pool, as the protocol allows; `row` reads the ids of this table. A key that is none of these is no limit
    /// here: whoever serves the driver picks from what it returns.
    pub fn of(search: Option<&Search>, table: &str, row: impl Fn(&str) -> Option<i64>) -> Self {
        let Some(search) = search else { return Self::all() };
        match search.key.as_str() {
            "id" => Self::equal(table, "id", row(&search.value)),
            "pool_id" => Self::equal(table, "pool", identity::pool_row(&PoolId::new(search.value.as_str()))),
            "system_id" if search.value != identity::SYSTEM => Self::none(),
            _ => Self::all(),
        }
    }

    fn all() -> Self {
        Self { condition: "1".into(), value: None }
    }

    fn none() -> Self {
        Self { condition: "0".into(), value: None }
    }

    fn equal(table: &str, column: &str, value: Option<i64>) -> Self {
        match value {
            Some(value) => Self { condition: format!("{table}.{column} = ?1"), value: Some(value) },
            None => Self::none(),
        }
    }

    pub fn condition(&self) -> &str {
        &self.condition
    }

    pub fn values(&self) -> impl rusqlite::Params {
        params_from_iter(self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_nobody_gave_out_matches_nothing() {
        let search = Search::new("id", "somebody's");
        assert_eq!(Wanted::of(Some(&search), "volume", identity::volume_row), Wanted::none());
        let search = Search::new("id", "VOL_ID_00007");
        let wanted = Wanted::of(Some(&search), "volume", identity::volume_row);
        assert_eq!((wanted.condition(), wanted.value), ("volume.id = ?1", Some(7)));
    }

    #[test]
    fn there_is_one_system() {
        let other = Search::new("system_id", "another");
        assert_eq!(Wanted::of(Some(&other), "pool", |_| None), Wanted::none());
        let ours = Search::new("system_id", identity::SYSTEM);
        assert_eq!(Wanted::of(Some(&ours), "pool", |_| None), Wanted::all());
    }
}
