//! Trouble on order: which calls of a session go wrong, and how.
//!
//! Rules come with the URI (`faults=`) and from the file `<state file>.faults`, which is looked at before each call, so that a running
//! test can change them. Calls are counted in the state file, so that a rule for the second call strikes once however many
//! processes there are; a file that is written anew counts anew. A rule that cannot be read is answered with INVALID_ARGUMENT, never
//! passed over.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use sanfleet_driver::{ErrorNumber, LsmError};

mod rule;

pub(crate) use rule::{Effect, Rule};
use rule::{Latency, RuleError, When, read_rules};

use crate::error::{Result, SimError};

/// The rules of one session.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    given: Vec<Rule>,
    file: RuleFile,
}

#[derive(Debug, Default)]
struct RuleFile {
    path: PathBuf,
    /// Tells one writing of the file from another; none when there is no file.
    stamp: Option<String>,
    rules: Vec<Rule>,
}

/// What befalls one call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Strike {
    pub latency: Duration,
    pub effects: Vec<Effect>,
}

/// What numbers the calls, and makes chance repeatable.
pub(crate) trait Counter {
    /// Counts one more call under this name and tells how many that makes. Names of other writings of the file may be forgotten.
    fn count(&self, file: &str, rule: &str) -> Result<u64>;

    fn seed(&self) -> &str;
}

/// The rules of a URI's `faults=`.
pub(crate) fn from_uri(text: &str) -> std::result::Result<Vec<Rule>, LsmError> {
    read_rules(text).map_err(|error| refuse("faults", &error))
}

fn refuse(place: &str, (rule, error): &(String, RuleError)) -> LsmError {
    LsmError::new(ErrorNumber::InvalidArgument, format!("{place}: wrong rule {rule}: {error}"))
}

impl Faults {
    pub fn new(given: Vec<Rule>, state_file: &Path) -> Self {
        let mut path = state_file.to_owned().into_os_string();
        path.push(".faults");
        Self { given, file: RuleFile { path: path.into(), ..RuleFile::default() } }
    }

    /// Reads the file if it is another than last time.
    pub fn refresh(&mut self) -> Result<()> {
        let stamp = stamp(&self.file.path)?;
        if stamp == self.file.stamp {
            return Ok(());
        }
        let text = match fs::read_to_string(&self.file.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read.map_err(SimError::file("read", &self.file.path))?,
        };
        let place = self.file.path.display().to_string();
        self.file.rules = read_rules(&text).map_err(|error| refuse(&place, &error))?;
        self.file.stamp = stamp;
        Ok(())
    }

    /// What befalls this call. It is counted by every rule that speaks of its method.
    pub fn strike(&self, method: &str, counter: &impl Counter) -> Result<Strike> {
        let of_file = self.file.stamp.as_deref().unwrap_or_default();
        let rules = self.given.iter().map(|rule| ("", rule));
        let rules = rules.chain(self.file.rules.iter().map(|rule| (of_file, rule)));
        let mut strike = Strike::default();
        for (file, rule) in rules.filter(|(_, rule)| rule.speaks_of(method)) {
            let name = rule.to_string();
            let call = if needs_count(rule) { counter.count(file, &name)? } else { 0 };
            if rule.when.strikes(call) {
                strike.latency +=
                    rule.latency.map_or(Duration::ZERO, |latency| pick(latency, counter.seed(), &name, call));
                strike.effects.extend(rule.effect);
            }
        }
        Ok(strike)
    }

    /// How far a rule makes this list lag behind, whether or not it strikes the next call.
    pub fn lag(&self, method: &str) -> Duration {
        let rules = self.given.iter().chain(&self.file.rules).filter(|rule| rule.speaks_of(method));
        let lags = rules.filter_map(|rule| match rule.effect {
            Some(Effect::Stale(milliseconds)) => Some(Duration::from_millis(milliseconds)),
            _ => None,
        });
        lags.max().unwrap_or_default()
    }
}

fn stamp(path: &Path) -> Result<Option<String>> {
    match fs::metadata(path) {
        Ok(found) => {
            Ok(Some(format!("{}.{:09}/{}/{}", found.mtime(), found.mtime_nsec(), found.ino(), found.len())))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SimError::file("look at", path)(error)),
    }
}

/// Most rules strike always: their calls cost no write.
fn needs_count(rule: &Rule) -> bool {
    rule.when != When::Always || rule.latency.is_some_and(|latency| latency.least != latency.most)
}

/// The same for the same array, rule and call.
fn pick(latency: Latency, seed: &str, rule: &str, call: u64) -> Duration {
    let Latency { least, most } = latency;
    // FNV-1a over what makes the call, then the last step of SplitMix64.
    let hash = seed.bytes().chain(rule.bytes()).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = hash.wrapping_add(call.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let width = most.saturating_sub(least).saturating_add(1);
    Duration::from_millis(least + (mixed ^ (mixed >> 31)) % width)
}

/// True for a method that changes nothing.
pub(crate) fn is_read(method: &str) -> bool {
    const READS: &[&str] = &[
        "plugin_info",
        "plugin_register",
        "plugin_unregister",
        "time_out_set",
        "time_out_get",
        "systems",
        "capabilities",
        "extensions",
        "pools",
        "volumes",
        "disks",
        "target_ports",
        "batteries",
        "access_groups",
        "fs",
        "exports",
        "job_status",
        "job_free",
        "volume_replicate_range_block_size",
        "volumes_accessible_by_access_group",
        "access_groups_granted_to_volume",
        "volume_child_dependency",
        "volume_raid_info",
        "pool_member_info",
        "volume_raid_create_cap_get",
        "volume_cache_info",
        "fs_snapshots",
        "fs_child_dependency",
        "export_auth",
        "volumes_page",
        "volume_ids",
        "volume_mappings",
        "mappings_page",
        "volume_replication",
        "job_failure",
        "changes",
    ];
    READS.contains(&method)
}

/// True for a method that takes space of a pool.
pub(crate) fn takes_space(method: &str) -> bool {
    const TAKERS: &[&str] = &[
        "volume_create",
        "volume_resize",
        "volume_replicate",
        "volume_raid_create",
        "fs_create",
        "fs_resize",
        "fs_clone",
        "fs_file_clone",
        "fs_snapshot_create",
        "fs_snapshot_restore",
    ];
    TAKERS.contains(&method)
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::BTreeMap};

    use sanfleet_driver::is_method;

    use super::*;

    #[derive(Default)]
    struct Counts(RefCell<BTreeMap<String, u64>>);

    impl Counter for Counts {
        fn count(&self, file: &str, rule: &str) -> Result<u64> {
            let mut counts = self.0.borrow_mut();
            let count = counts.entry(format!("{file}{rule}")).or_default();
            *count += 1;
            Ok(*count)
        }

        fn seed(&self) -> &str {
            "seed"
        }
    }

    fn given(rules: &str) -> Faults {
        Faults::new(from_uri(rules).unwrap(), Path::new("/nowhere"))
    }

    #[test]
    fn a_rule_for_the_second_call_strikes_the_second_call_of_its_method() {
        let (faults, counts) = (given("volumes:nth=2:hang"), Counts::default());
        let strike = |method| faults.strike(method, &counts).unwrap().effects;
        assert_eq!(strike("volumes"), []);
        assert_eq!(strike("pools"), []);
        assert_eq!(strike("volumes"), [Effect::Hang]);
        assert_eq!(strike("volumes"), []);
    }

    #[test]
    fn chance_stays_in_its_range_and_repeats_itself() {
        let faults = given("*:latency=10..12");
        let run = || {
            let counts = Counts::default();
            (0..50)
                .map(|_| faults.strike("volumes", &counts).unwrap().latency.as_millis())
                .collect::<Vec<_>>()
        };
        let first = run();
        assert!(
            (10..=12).all(|wanted| first.contains(&wanted))
                && first.iter().all(|took| (10..=12).contains(took))
        );
        assert_eq!(first, run());
    }

    #[test]
    fn every_method_that_is_named_here_is_one() {
        let named =
            ["volumes_page", "volume_raid_create", "fs_snapshot_restore", "extensions", "plugin_register"];
        assert!(named.iter().all(|name| is_read(name) || takes_space(name)));
        assert!(["volumes", "job_failure", "fs_clone", "plugin_register"].iter().all(|name| is_method(name)));
        assert!(!is_read("volume_create") && !takes_space("volume_delete"));
    }
}
