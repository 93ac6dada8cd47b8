//! Lists as they were a while ago: of arrays that are eventually consistent.
//!
//! Before each change the lists are kept as they are then. What was kept last before a change is what was true up to it; so the
//! list of a moment is the first one kept after it, or the present one when nothing changed since.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};
use sanfleet_driver::{ErrorNumber, LsmError};
use serde::{Serialize, de::DeserializeOwned};

use super::Array;
use crate::{
    clock,
    error::{Result, SimError},
};

/// The lists that can lag behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LaggingList {
    Pools,
    Volumes,
    AccessGroups,
    FileSystems,
    Exports,
}

impl LaggingList {
    pub const ALL: [Self; 5] =
        [Self::Pools, Self::Volumes, Self::AccessGroups, Self::FileSystems, Self::Exports];

    pub fn method(self) -> &'static str {
        match self {
            Self::Pools => "pools",
            Self::Volumes => "volumes",
            Self::AccessGroups => "access_groups",
            Self::FileSystems => "fs",
            Self::Exports => "exports",
        }
    }
}

impl Array {
    /// Asks for a list as it was `lag` ago. What a job finished since is not in it either.
    pub fn as_of<T: Serialize + DeserializeOwned>(
        &mut self,
        lag: Duration,
        list: LaggingList,
        question: impl FnOnce(&mut Self) -> Result<Vec<T>>,
    ) -> Result<Vec<T>> {
        if lag.is_zero() {
            return question(self);
        }
        let moment = clock::now(&self.state)?.saturating_sub(clock::milliseconds(lag));
        let query = "SELECT records FROM past_list WHERE list = ?1 AND until > ?2 ORDER BY until, id LIMIT 1";
        let kept: Option<String> = self
            .state
            .prepare_cached(query)?
            .query_row(params![list.method(), moment], |row| row.get(0))
            .optional()?;
        match kept {
            Some(records) => serde_json::from_str(&records).map_err(unreadable),
            None => {
                self.lag = lag;
                let answer = question(self);
                self.lag = Duration::ZERO;
                answer
            }
        }
    }

    /// Keeps a list as it is now, and drops what is too old for a list that lags so far behind.
    pub fn remember(&self, list: LaggingList, lag: Duration) -> Result<()> {
        let records = match list {
            LaggingList::Pools => text(&self.pools(None)?),
            LaggingList::Volumes => text(&self.volumes(None)?),
            LaggingList::AccessGroups => text(&self.access_groups(None)?),
            LaggingList::FileSystems => text(&self.file_systems()?),
            LaggingList::Exports => text(&self.exports()?),
        }?;
        let now = clock::now(&self.state)?;
        let change = self.begin()?;
        change.execute(
            "DELETE FROM past_list WHERE list = ?1 AND until < ?2",
            params![list.method(), now.saturating_sub(clock::milliseconds(lag))],
        )?;
        change
            .prepare_cached("INSERT INTO past_list (list, until, records) VALUES (?1, ?2, ?3)")?
            .execute(params![list.method(), now, records])?;
        change.commit()?;
        Ok(())
    }

    /// The moment whose state the lists show, in milliseconds since the epoch.
    pub(super) fn seen_at(&self) -> Result<i64> {
        Ok(clock::now(&self.state)?.saturating_sub(clock::milliseconds(self.lag)))
    }
}

fn text(records: &impl Serialize) -> Result<String> {
    serde_json::to_string(records).map_err(unreadable)
}

fn unreadable(error: serde_json::Error) -> SimError {
    LsmError::new(ErrorNumber::PluginBug, format!("a list cannot be kept: {error}")).into()
}
