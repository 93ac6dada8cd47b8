//! What the records add up to. Pure: no file, no clock.

use std::collections::BTreeMap;

use sanfleet_protocol::{CommandId, Fence, RunId, VolumeId, v1};

use super::{Attachment, Intent, Record, Release};
use crate::quiesce::Held;

/// A command is remembered until so long after its expiry: nobody repeats it later, and one that is repeated all the same is
/// refused as expired, whatever the clock says then.
const KEEP_COMMAND_MS: i64 = 60 * 1000;
/// So few commands are not worth a look whether some can be forgotten.
const FEW: usize = 16;
/// A run's fence, and how its quiesce ended, are remembered for so long after they were last touched.
const KEEP_RUN_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// One command: taken, and perhaps done.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub intent: Intent,
    /// In a place of its own: the map keeps room for entries that are not there.
    pub result: Option<Box<v1::CommandResult>>,
}

#[derive(Debug, Default)]
pub struct State {
    commands: BTreeMap<CommandId, Entry>,
    /// The highest fence of each run, and when it was last seen.
    fences: BTreeMap<RunId, (Fence, i64)>,
    attachments: BTreeMap<VolumeId, Attachment>,
    held: BTreeMap<RunId, Held>,
    releases: BTreeMap<RunId, Release>,
    /// The highest serial of a delegation.
    delegated: u64,
    /// Commands that expired at this time or before may have been forgotten.
    forgotten_until_unix_ms: i64,
    /// How many commands were left when some were last forgotten.
    left: usize,
}

impl State {
    pub fn apply(&mut self, record: Record) {
        match record {
            Record::Intent(intent) => {
                self.raise(intent.run, intent.fence, intent.at_unix_ms);
                // A command that is begun again after a restart has no result again.
                self.commands.insert(intent.command, Entry { intent, result: None });
            }
            Record::Fence { run, fence, at_unix_ms } => self.raise(run, fence, at_unix_ms),
            Record::Result { command, result } => {
                if let Some(entry) = self.commands.get_mut(&command) {
                    entry.result = Some(result);
                }
            }
            Record::Forgotten { until_unix_ms } => {
                self.forgotten_until_unix_ms = self.forgotten_until_unix_ms.max(until_unix_ms);
            }
            Record::Delegated { serial } => self.delegated = self.delegated.max(serial),
            Record::Attached { volume, device } => drop(self.attachments.insert(volume, device)),
            Record::Detached { volume } => drop(self.attachments.remove(&volume)),
            Record::Holding { run, held } => {
                self.releases.remove(&run);
                self.held.insert(run, held);
            }
            Record::Released { run, release } => {
                self.held.remove(&run);
                self.releases.insert(run, release);
            }
        }
    }

    fn raise(&mut self, run: RunId, fence: Fence, at: i64) {
        let known = self.fences.entry(run).or_insert((fence, at));
        *known = (known.0.max(fence), known.1.max(at));
    }

    /// Drops what nobody will ask for any more.
    pub fn forget(&mut self, now: i64) {
        let until = now.saturating_sub(KEEP_COMMAND_MS).max(self.forgotten_until_unix_ms);
        self.commands.retain(|_, entry| entry.intent.expires_at_unix_ms > until);
        (self.forgotten_until_unix_ms, self.left) = (until, self.commands.len());
        self.fences.retain(|_, (_, at)| at.saturating_add(KEEP_RUN_MS) > now);
        self.releases.retain(|_, release| release.at_unix_ms.saturating_add(KEEP_RUN_MS) > now);
    }

    /// True when there are half as many commands again as were left the last time.
    pub fn is_crowded(&self) -> bool {
        self.commands.len() > FEW.max(self.left.saturating_add(self.left / 2))
    }

    pub fn forgotten_until_unix_ms(&self) -> i64 {
        self.forgotten_until_unix_ms
    }

    /// The shortest list of records that adds up to this state.
    pub fn records(&self) -> Vec<Record> {
        let fences = self.fences.iter().map(|(run, (fence, at))| Record::Fence {
            run: *run,
            fence: *fence,
            at_unix_ms: *at,
        });
        let intents = self.commands.values().map(|entry| Record::Intent(entry.intent.clone()));
        let results = self.commands.iter().filter_map(|(command, entry)| {
            Some(Record::Result { command: *command, result: entry.result.clone()? })
        });
        let attachments = self
            .attachments
            .iter()
            .map(|(volume, device)| Record::Attached { volume: volume.clone(), device: device.clone() });
        let held = self.held.iter().map(|(run, held)| Record::Holding { run: *run, held: held.clone() });
        let releases = self
            .releases
            .iter()
            .map(|(run, release)| Record::Released { run: *run, release: release.clone() });
        let forgotten = Record::Forgotten { until_unix_ms: self.forgotten_until_unix_ms };
        let delegated = Record::Delegated { serial: self.delegated };
        let forgotten = [forgotten, delegated].into_iter();
        forgotten
            .chain(fences)
            .chain(intents)
            .chain(results)
            .chain(attachments)
            .chain(releases)
            .chain(held)
            .collect()
    }

    pub fn entry(&self, command: &CommandId) -> Option<&Entry> {
        self.commands.get(command)
    }

    pub fn fence(&self, run: &RunId) -> Option<Fence> {
        self.fences.get(run).map(|(fence, _)| *fence)
    }

    pub fn delegated(&self) -> u64 {
        self.delegated
    }

    /// How many volumes are attached.
    pub fn attachments(&self) -> usize {
        self.attachments.len()
    }

    pub fn attachment(&self, volume: &VolumeId) -> Option<&Attachment> {
        self.attachments.get(volume)
    }

    pub fn held(&self) -> Vec<(RunId, Held)> {
        self.held.iter().map(|(run, held)| (*run, held.clone())).collect()
    }

    pub fn release(&self, run: &RunId) -> Option<Release> {
        self.releases.get(run).cloned()
    }
}
