//! What does not fit between catalog, arrays, hosts and runs. Pure: the whole picture and the time are arguments, and the
//! work is the same however much or little has changed.
//!
//! [`examine`] says which [conditions](Condition) hold at one moment; the [`Ledger`] makes a finding of one that has held
//! long enough, on evidence that is newer than the suspicion. Nothing here is repaired: a condition only says what would.

use sanfleet_protocol::{ArrayId, FindingCode, HostId, Initiator, RunId, v1, v1::FindingSeverity};

use crate::{matching::VolumeRef, runs::AnyProcedure};

mod attachments;
mod copies;
mod devices;
mod identities;
mod ledger;
mod mappings;
mod procedures;
mod snapshot;
#[cfg(test)]
mod tests;
mod view;
mod writers;

pub use ledger::{Changes, Filter, Ledger};
pub use snapshot::{Limits, Snapshot};

use view::View;

/// Something that does not fit, at the moment of one look. It may be in the middle of coming right.
#[derive(Debug, Clone)]
pub struct Condition {
    pub code: FindingCode,
    pub severity: FindingSeverity,
    /// In one sentence.
    pub what: String,
    /// With the code, what tells it from others.
    pub objects: Vec<Object>,
    /// Sentences with ids.
    pub evidence: Vec<String>,
    /// The command to type.
    pub remedy: String,
    /// What may be done about it without asking a person further.
    pub fix: Option<Fix>,
    /// Since when, where the world itself says it.
    pub since_unix_ms: Option<i64>,
    /// The oldest of the listings and signs of hosts that it rests on.
    pub seen_unix_ms: i64,
}

/// A run that would put it right, and what that would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Fix {
    pub says: String,
    pub procedure: AnyProcedure,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    Host(HostId),
    Array(ArrayId),
    Volume(VolumeRef),
    Initiator(Initiator),
    Run(RunId),
    /// By its id.
    Attachment(String),
    MachineId(String),
}

impl Object {
    fn shown(&self) -> v1::FindingObject {
        let (kind, name) = match self {
            Self::Host(host) => ("host", host.to_string()),
            Self::Array(array) => ("array", array.to_string()),
            Self::Volume(volume) => ("volume", volume.to_string()),
            Self::Initiator(initiator) => ("initiator", initiator.to_string()),
            Self::Run(run) => ("run", run.to_string()),
            Self::Attachment(id) => ("attachment", id.clone()),
            Self::MachineId(id) => ("machine-id", id.clone()),
        };
        v1::FindingObject { kind: kind.to_owned(), name }
    }
}

impl Condition {
    fn is_about(&self, host: Option<&HostId>, array: Option<&ArrayId>) -> bool {
        let on = |wanted: &ArrayId| {
            self.objects.iter().any(|object| match object {
                Object::Array(array) => array == wanted,
                Object::Volume(volume) => volume.array == *wanted,
                _ => false,
            })
        };
        host.is_none_or(|host| self.objects.contains(&Object::Host(host.clone()))) && array.is_none_or(on)
    }

    /// The arrays that it is about.
    fn arrays(&self) -> impl Iterator<Item = &ArrayId> {
        self.objects.iter().filter_map(|object| match object {
            Object::Array(array) => Some(array),
            Object::Volume(volume) => Some(&volume.array),
            _ => None,
        })
    }
}

/// All that does not fit at this moment.
pub fn examine(snapshot: &Snapshot) -> Vec<Condition> {
    let view = View::of(snapshot);
    let mut found = Vec::new();
    copies::examine(&view, &mut found);
    mappings::examine(&view, &mut found);
    devices::examine(&view, &mut found);
    writers::examine(&view, &mut found);
    identities::examine(&view, &mut found);
    attachments::examine(&view, &mut found);
    procedures::examine(&view, &mut found);
    found
}
