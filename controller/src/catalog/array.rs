//! An array as the catalog knows it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use sanfleet_driver::{PoolId, PoolStatus, SystemStatus, TargetPort, VolumeKey};
use sanfleet_protocol::{ArrayId, Initiator, VolumeId};

use crate::matching::VolumeRef;

/// So many problems of an array are remembered.
const PROBLEMS: usize = 10;

#[derive(Debug, Clone)]
pub struct ArrayRecord {
    pub name: ArrayId,
    /// Without any password.
    pub uri: String,
    /// The scheme of the URI: which driver it has.
    pub kind: String,
    /// The newest listing that succeeded.
    pub state: Option<Arc<ArrayState>>,
    /// Why the newest one did not, if so. The state is then that of an earlier moment.
    pub error: Option<String>,
    /// When the newest listing succeeded.
    pub last_seen_unix_ms: Option<i64>,
    /// When its health became what it is.
    pub since_unix_ms: i64,
    /// What went wrong, the newest first.
    pub problems: VecDeque<Problem>,
}

/// Why an array could not be listed, as often as it happened in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub trouble: Trouble,
    pub first_unix_ms: i64,
    pub last_unix_ms: i64,
    pub times: u32,
}

/// An error in words, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub error: String,
    pub hint: String,
}

/// How an array is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Not looked at yet.
    Unseen,
    Ok,
    /// It answers, and says that something of it is not well: see [`ArrayState::complaints`].
    Degraded,
    Unreachable,
}

impl ArrayRecord {
    pub fn new(name: ArrayId, uri: String, kind: String, now_unix_ms: i64) -> Self {
        Self {
            name,
            uri,
            kind,
            state: None,
            error: None,
            last_seen_unix_ms: None,
            since_unix_ms: now_unix_ms,
            problems: VecDeque::new(),
        }
    }

    pub fn is_simulated(&self) -> bool {
        self.kind == "sim"
    }

    pub fn health(&self) -> Health {
        match (&self.error, &self.state) {
            (Some(_), _) => Health::Unreachable,
            (None, None) => Health::Unseen,
            (None, Some(state)) if state.complaints().is_empty() => Health::Ok,
            (None, Some(_)) => Health::Degraded,
        }
    }

    /// Takes in a listing, or why there is none. True when it could not be listed before.
    pub(super) fn take(&mut self, listing: Result<Arc<ArrayState>, Trouble>, now_unix_ms: i64) -> bool {
        let before = self.health();
        let had_failed = self.error.is_some();
        match listing {
            Ok(state) => {
                self.error = None;
                self.state = Some(state);
                self.last_seen_unix_ms = Some(now_unix_ms);
            }
            Err(trouble) => {
                self.error = Some(trouble.error.clone());
                self.note(trouble, had_failed, now_unix_ms);
            }
        }
        if self.health() != before {
            self.since_unix_ms = now_unix_ms;
        }
        had_failed
    }

    fn note(&mut self, trouble: Trouble, again: bool, now_unix_ms: i64) {
        match self.problems.front_mut() {
            Some(newest) if again && newest.trouble == trouble => {
                newest.times = newest.times.saturating_add(1);
                newest.last_unix_ms = now_unix_ms;
            }
            _ => {
                let (first_unix_ms, last_unix_ms) = (now_unix_ms, now_unix_ms);
                self.problems.push_front(Problem { trouble, first_unix_ms, last_unix_ms, times: 1 });
                self.problems.truncate(PROBLEMS);
            }
        }
    }
}

/// One listing of an array.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ArrayState {
    pub facts: Arc<ArrayFacts>,
    pub systems: Vec<SystemRecord>,
    pub pools: Vec<PoolRecord>,
    pub volumes: BTreeMap<VolumeKey, VolumeRecord>,
}

/// What hardly ever changes about an array and its driver.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArrayFacts {
    /// What the driver says of itself: description and version.
    pub driver: String,
    /// By libStorageMgmt's names: what every system of the array claims, and what not every one does.
    pub claimed: Vec<&'static str>,
    pub not_claimed: Vec<&'static str>,
    /// What the driver has beyond libStorageMgmt.
    pub extensions: Vec<String>,
    pub target_ports: Vec<TargetPort>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemRecord {
    pub id: String,
    pub name: String,
    pub status: SystemStatus,
    pub status_info: String,
    pub firmware: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolRecord {
    pub id: PoolId,
    pub name: String,
    pub total_bytes: u64,
    pub free_bytes: u64,
    pub status: PoolStatus,
    pub status_info: String,
    /// Volumes can be made in it.
    pub for_volumes: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeRecord {
    pub key: VolumeRef,
    pub name: String,
    /// `None` for a volume whose array gives no id that a host could see: it can be listed, never attached.
    pub id: Option<VolumeId>,
    /// The others under which hosts may see it.
    pub more_ids: Vec<VolumeId>,
    pub size_bytes: u64,
    pub pool: String,
    /// The initiators it is masked to, with the LUN number or namespace id where the array says it.
    pub masked_to: BTreeMap<Initiator, Option<u64>>,
}

impl ArrayState {
    /// Whether something is different that somebody did. Free space is not: hosts that write change it all the time.
    pub fn differs_from(&self, other: &Self) -> bool {
        let pools = |state: &Self| {
            let known = state.pools.iter().map(|pool| PoolRecord { free_bytes: 0, ..pool.clone() });
            known.collect::<Vec<_>>()
        };
        self.volumes != other.volumes
            || self.systems != other.systems
            || self.facts != other.facts
            || pools(self) != pools(other)
    }

    /// What is not well, in the array's own words.
    pub fn complaints(&self) -> Vec<String> {
        let systems = self.systems.iter().filter(|system| system.status.0 & BAD_SYSTEM != 0);
        let systems = systems.map(|system| {
            complaint("system", &system.name, &status_words(system.status), &system.status_info)
        });
        let pools = self.pools.iter().filter(|pool| pool.status.0 & BAD_POOL != 0);
        let pools = pools
            .map(|pool| complaint("pool", &pool.name, &pool_status_words(pool.status), &pool.status_info));
        systems.chain(pools).collect()
    }
}

const BAD_SYSTEM: u64 = SystemStatus::ERROR.0 | SystemStatus::DEGRADED.0 | SystemStatus::PREDICTIVE_FAILURE.0;
const BAD_POOL: u64 =
    PoolStatus::ERROR.0 | PoolStatus::DEGRADED.0 | PoolStatus::STOPPED.0 | PoolStatus::RECONSTRUCTING.0;

fn complaint(what: &str, name: &str, words: &str, info: &str) -> String {
    match info {
        "" => format!("{what} {name}: {words}"),
        _ => format!("{what} {name}: {words} ({info})"),
    }
}

pub fn status_words(status: SystemStatus) -> String {
    let named = SystemStatus::NAMED.iter().filter(|(_, bit)| status.contains(*bit)).map(|(name, _)| *name);
    words(named)
}

pub fn pool_status_words(status: PoolStatus) -> String {
    let named = PoolStatus::NAMED.iter().filter(|(_, bit)| status.contains(*bit)).map(|(name, _)| *name);
    words(named)
}

/// The protocol's names as words: `PREDICTIVE_FAILURE` is `predictive failure`.
fn words<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<String> = names.map(|name| name.to_ascii_lowercase().replace('_', " ")).collect();
    if words.is_empty() { "unknown".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> ArrayRecord {
        ArrayRecord::new("f1".parse().unwrap(), "sim://".into(), "sim".into(), 1)
    }

    fn trouble(error: &str) -> Trouble {
        Trouble { error: error.to_owned(), hint: String::new() }
    }

    fn pool(status: PoolStatus, free_bytes: u64) -> PoolRecord {
        PoolRecord {
            id: PoolId::new("p"),
            name: "aggr1".into(),
            total_bytes: 100,
            free_bytes,
            status,
            status_info: "disk 3 failed".into(),
            for_volumes: true,
        }
    }

    fn with(status: PoolStatus, free_bytes: u64) -> Arc<ArrayState> {
        Arc::new(ArrayState { pools: vec![pool(status, free_bytes)], ..ArrayState::default() })
    }

    #[test]
    fn an_array_goes_from_unseen_through_all_its_states_and_remembers_since_when() {
        let mut array = record();
        assert_eq!((array.health(), array.since_unix_ms), (Health::Unseen, 1));
        array.take(Ok(with(PoolStatus::OK, 1)), 2);
        array.take(Ok(with(PoolStatus::OK, 1)), 3);
        assert_eq!((array.health(), array.since_unix_ms), (Health::Ok, 2));
        assert_eq!(array.last_seen_unix_ms, Some(3));
        array.take(Ok(with(PoolStatus::DEGRADED, 1)), 4);
        assert_eq!((array.health(), array.since_unix_ms), (Health::Degraded, 4));
        array.take(Err(trouble("gone")), 5);
        assert_eq!((array.health(), array.since_unix_ms), (Health::Unreachable, 5));
        assert_eq!(array.last_seen_unix_ms, Some(4));
    }

    #[test]
    fn an_array_that_cannot_be_listed_keeps_what_it_last_was_with_the_reason() {
        let mut array = record();
        array.take(Ok(with(PoolStatus::OK, 7)), 2);
        array.take(Err(trouble("no route")), 3);
        assert_eq!(array.state.as_ref().unwrap().pools[0].free_bytes, 7);
        assert_eq!(array.error.as_deref(), Some("no route"));
        assert!(array.take(Ok(with(PoolStatus::OK, 7)), 4));
        assert_eq!(array.error, None);
    }

    #[test]
    fn a_problem_that_goes_on_is_one_and_one_that_comes_back_another() {
        let mut array = record();
        for now in 2..5 {
            array.take(Err(trouble("no route")), now);
        }
        array.take(Ok(with(PoolStatus::OK, 1)), 5);
        array.take(Err(trouble("no route")), 6);
        let told: Vec<_> =
            array.problems.iter().map(|p| (p.first_unix_ms, p.last_unix_ms, p.times)).collect();
        assert_eq!(told, [(6, 6, 1), (2, 4, 3)]);
    }

    #[test]
    fn the_oldest_of_many_problems_goes() {
        let mut array = record();
        for now in 0..50 {
            array.take(Err(trouble(&now.to_string())), now);
        }
        assert_eq!((array.problems.len(), array.problems[0].trouble.error.as_str()), (PROBLEMS, "49"));
    }

    #[test]
    fn an_array_complains_in_its_own_words() {
        let state = with(PoolStatus::OK | PoolStatus::DEGRADED, 1);
        assert_eq!(state.complaints(), ["pool aggr1: ok, degraded (disk 3 failed)"]);
        assert!(with(PoolStatus::GROWING, 1).complaints().is_empty());
    }

    #[test]
    fn free_space_alone_is_no_change() {
        assert!(!with(PoolStatus::OK, 1).differs_from(&with(PoolStatus::OK, 2)));
        assert!(with(PoolStatus::OK, 1).differs_from(&with(PoolStatus::ERROR, 1)));
    }
}
