//! What changed since a moment. Triggers write it down with the change itself, see `change.sql`; here it is told.
//!
//! A volume that its job hides becomes visible without any change at that time, so a moment has a time beside its number.

use std::{
    fmt, thread,
    time::{Duration, Instant},
};

use rusqlite::{Transaction, TransactionBehavior, params};
use sanfleet_driver::{Change, ChangeKind, Changes};

use super::Array;
use crate::{clock, error::Result, identity};

/// How often a call that waits looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A moment in the life of one array.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Moment {
    /// The beginning of the array's id: the moments of another array are none here.
    array: String,
    /// The number of the last change before it.
    number: i64,
    /// Milliseconds since the epoch.
    time: i64,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.array, self.number, self.time)
    }
}

impl Moment {
    /// None for a text that no array gave out.
    fn read(token: &str) -> Option<Self> {
        let mut parts = token.splitn(3, '-');
        let array = parts.next()?.to_owned();
        Some(Self { array, number: parts.next()?.parse().ok()?, time: parts.next()?.parse().ok()? })
    }
}

impl Array {
    /// Waits no longer than half of the session's time-out: the client is to hear of it in time. A token that is not of this array, or
    /// of so long ago that not everything is known any more, is answered at once as incomplete.
    pub fn changes(&self, since: Option<&str>, wait: Duration) -> Result<Changes> {
        let end = Instant::now() + wait.min(self.timeout / 2);
        loop {
            let changes = self.told(since)?;
            if !changes.complete || !changes.changed.is_empty() || since.is_none() || Instant::now() >= end {
                return Ok(changes);
            }
            thread::sleep(LOOK_AGAIN.min(end.saturating_duration_since(Instant::now())));
        }
    }

    fn told(&self, since: Option<&str>) -> Result<Changes> {
        let time = clock::now(&self.state)?;
        let look = Transaction::new_unchecked(&self.state, TransactionBehavior::Deferred)?;
        let (oldest, newest): (i64, i64) = look
            .prepare_cached("SELECT coalesce(min(number), 1), coalesce(max(number), 0) FROM change")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let array = self.id.get(..8).unwrap_or_default().to_owned();
        let token = Moment { array: array.clone(), number: newest, time }.to_string();
        let Some(since) = since else { return Ok(Changes { token, complete: true, changed: Vec::new() }) };
        let known = |moment: &Moment| moment.array == array && (oldest - 1..=newest).contains(&moment.number);
        match Moment::read(since).filter(known) {
            Some(since) => Ok(Changes { token, complete: true, changed: changed(&look, &since, time)? }),
            None => Ok(Changes { token, complete: false, changed: Vec::new() }),
        }
    }
}

fn changed(look: &Transaction, since: &Moment, until: i64) -> Result<Vec<Change>> {
    let query = "SELECT kind, record FROM change WHERE number > ?1 \
                 UNION SELECT 'volume', id FROM volume WHERE listed_at > ?2 AND listed_at <= ?3 \
                 UNION SELECT 'fs', id FROM fs WHERE listed_at > ?2 AND listed_at <= ?3 \
                 UNION SELECT 'snapshot', id FROM snapshot WHERE listed_at > ?2 AND listed_at <= ?3";
    let mut statement = look.prepare_cached(query)?;
    let mut rows = statement.query(params![since.number, since.time, until])?;
    let mut changed = Vec::new();
    while let Some(row) = rows.next()? {
        let kind: String = row.get(0)?;
        changed.push(change(&kind, row.get(1)?));
    }
    Ok(changed)
}

fn change(kind: &str, record: i64) -> Change {
    let (kind, id) = match kind {
        "pool" => (ChangeKind::Pool, identity::pool(record).to_string()),
        "volume" => (ChangeKind::Volume, identity::volume(record).to_string()),
        "mapping" => (ChangeKind::Mapping, identity::volume(record).to_string()),
        "fs" => (ChangeKind::FileSystem, identity::file_system(record).to_string()),
        "snapshot" => (ChangeKind::Snapshot, identity::snapshot(record).to_string()),
        "export" => (ChangeKind::Export, identity::export(record).to_string()),
        "access_group" => (ChangeKind::AccessGroup, identity::access_group(record).to_string()),
        _ => (ChangeKind::Other, record.to_string()),
    };
    Change { kind, id }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_back_and_nothing_else_is_one() {
        let moment = Moment { array: "01ab".into(), number: 7, time: 1_700_000_000_000 };
        assert_eq!(Moment::read(&moment.to_string()), Some(moment));
        for bad in ["", "01ab", "01ab-7", "01ab-x-1", "01ab-7-"] {
            assert_eq!(Moment::read(bad), None, "{bad}");
        }
    }
}
