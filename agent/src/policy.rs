//! The last word: what this host's own configuration lets be done to it, whoever signed the command.
//!
//! A controller in the wrong hands has a valid key, so a signature is not enough. This module refuses to learn: it knows its
//! configuration and what passed it, and nothing that comes over the bus makes it more generous.

use std::{
    collections::{BTreeSet, VecDeque},
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use sanfleet_protocol::{MountPoint, QuiesceBy, VolumeId};

use crate::{
    actions::Action,
    config::{Policy, QuiesceKind},
    ledger::{Ledger, Verb},
};

const MINUTE_MS: i64 = 60_000;

/// Why this host does not let it be done. Each names the key of `[policy]` that says so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("this host is in maintenance: {} is there (`maintenance_file`)", file.display())]
    Maintenance { file: PathBuf },
    #[error("this host does not let anybody {} (`verbs`)", .0.as_str())]
    Verb(Verb),
    #[error("{at} is not below {roots}, where this host lets volumes be mounted (`mount_roots`)")]
    Place { at: MountPoint, roots: String },
    #[error("this host does not let {kind} be used (`file_systems`)")]
    FileSystem { kind: String },
    #[error("this host lets volumes be mounted read-only alone (`read_write`)")]
    Writing,
    #[error("this host does not let volumes be formatted (`format`)")]
    Formatting,
    #[error("this host does not let anything be held still by {0} (`quiesce`)")]
    Quiesce(QuiesceBy),
    #[error("this host has {limit} volumes, and takes no more (`max_volumes`)")]
    Full { limit: u32 },
    #[error("this host was changed {limit} times within a minute, and waits (`max_changes_per_minute`)")]
    TooFast { limit: u32 },
}

impl Denied {
    /// It may pass by itself, or an administrator of the host may end it in a while.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Maintenance { .. } | Self::TooFast { .. })
    }
}

/// What a command needs leave for. Taken from it by [`Action::needs`].
#[derive(Debug, Default)]
pub struct Needs<'a> {
    pub at: Option<&'a MountPoint>,
    pub file_system: Option<&'a str>,
    pub writing: bool,
    pub formatting: bool,
    pub quiesce: Option<&'a QuiesceBy>,
    /// A volume that may appear on the host because of it.
    pub brings: Option<&'a VolumeId>,
}

/// What commands have to pass before they do anything.
#[derive(Debug)]
pub struct Gate {
    policy: Policy,
    passed: Mutex<Passed>,
}

/// What passed already.
#[derive(Debug, Default)]
struct Passed {
    changed_at_unix_ms: VecDeque<i64>,
    looked_for: BTreeSet<VolumeId>,
}

impl Gate {
    pub fn new(policy: Policy) -> Self {
        Self { policy, passed: Mutex::default() }
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Lets a command pass, or says why not. Looks at one file, and waits for nothing.
    pub fn pass(&self, verb: Verb, action: &Action, ledger: &Ledger, now_unix_ms: i64) -> Result<(), Denied> {
        // It ends what keeps an application waiting, and can do nothing else.
        if verb == Verb::Resume {
            return Ok(());
        }
        let needs = action.needs();
        self.policy.permits(verb, &needs)?;
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(volume) = needs.brings {
            passed.look_for(volume, ledger, self.policy.max_volumes)?;
        }
        if verb.changes_the_host() {
            passed.count(now_unix_ms, self.policy.max_changes_per_minute)?;
        }
        if let Action::Detach { volume } = action {
            passed.looked_for.remove(volume);
        }
        Ok(())
    }
}

impl Policy {
    fn permits(&self, verb: Verb, needs: &Needs<'_>) -> Result<(), Denied> {
        self.permits_verb(verb)?;
        if let Some(at) = needs.at
            && !self.mount_roots.iter().any(|root| root.holds(at))
        {
            let roots: Vec<_> = self.mount_roots.iter().map(ToString::to_string).collect();
            return Err(Denied::Place { at: at.clone(), roots: roots.join(" or ") });
        }
        if let Some(kind) = needs.file_system
            && !self.file_systems.iter().any(|known| known == kind)
        {
            return Err(Denied::FileSystem { kind: kind.to_owned() });
        }
        if let Some(by) = needs.quiesce
            && !self.quiesce.contains(&QuiesceKind::from(by))
        {
            return Err(Denied::Quiesce(by.clone()));
        }
        match (needs.writing && !self.read_write, needs.formatting && !self.format) {
            (true, _) => Err(Denied::Writing),
            (false, true) => Err(Denied::Formatting),
            (false, false) => Ok(()),
        }
    }

    fn permits_verb(&self, verb: Verb) -> Result<(), Denied> {
        if (verb.changes_the_host() || verb.foretells()) && self.maintenance_file.exists() {
            return Err(Denied::Maintenance { file: self.maintenance_file.clone() });
        }
        let listed = self.verbs.as_ref().is_none_or(|verbs| verbs.contains(&verb));
        match listed || !verb.changes_the_host() {
            true => Ok(()),
            false => Err(Denied::Verb(verb)),
        }
    }
}

impl Passed {
    fn look_for(&mut self, volume: &VolumeId, ledger: &Ledger, limit: u32) -> Result<(), Denied> {
        if self.looked_for.contains(volume) || ledger.attachment(volume).is_some() {
            return Ok(());
        }
        let only_looked_for =
            self.looked_for.iter().filter(|volume| ledger.attachment(volume).is_none()).count();
        if only_looked_for + ledger.attachments() >= usize::try_from(limit).unwrap_or(usize::MAX) {
            return Err(Denied::Full { limit });
        }
        self.looked_for.insert(volume.clone());
        Ok(())
    }

    fn count(&mut self, now_unix_ms: i64, limit: u32) -> Result<(), Denied> {
        while self.changed_at_unix_ms.front().is_some_and(|at| at.saturating_add(MINUTE_MS) <= now_unix_ms) {
            self.changed_at_unix_ms.pop_front();
        }
        if self.changed_at_unix_ms.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
            return Err(Denied::TooFast { limit });
        }
        self.changed_at_unix_ms.push_back(now_unix_ms);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
