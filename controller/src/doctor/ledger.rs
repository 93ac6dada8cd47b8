//! Which conditions are findings: those that held over two looks and the time of grace, on evidence that is newer than the
//! suspicion. What is in flight is neither.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use sanfleet_protocol::{ArrayId, FindingCode, HostId, v1};

use super::{Condition, Fix, Limits, Object, snapshot::millis};

type Key = (FindingCode, Vec<Object>);

/// What was seen so far, look by look.
#[derive(Debug, Default)]
pub struct Ledger {
    suspicions: BTreeMap<Key, Suspicion>,
    looked_at_unix_ms: i64,
}

#[derive(Debug)]
struct Suspicion {
    condition: Condition,
    first_unix_ms: i64,
    looks: u32,
    raised: bool,
}

/// What a look has made of the findings.
#[derive(Debug, Default, PartialEq)]
pub struct Changes {
    pub raised: Vec<v1::Finding>,
    pub cleared: Vec<v1::Finding>,
    /// Arrays whose next listing would confirm or dispel a suspicion.
    pub awaited: BTreeSet<ArrayId>,
}

impl Ledger {
    /// Takes in what holds now. What holds no more is forgotten at once.
    pub fn look(&mut self, conditions: Vec<Condition>, now_unix_ms: i64, limits: &Limits) -> Changes {
        self.looked_at_unix_ms = now_unix_ms;
        let mut earlier = std::mem::take(&mut self.suspicions);
        let mut changes = Changes::default();
        for condition in conditions {
            let key = (condition.code, condition.objects.clone());
            let mut suspicion = match earlier.remove(&key) {
                Some(known) => Suspicion { condition, looks: known.looks.saturating_add(1), ..known },
                None => Suspicion { condition, first_unix_ms: now_unix_ms, looks: 1, raised: false },
            };
            if !suspicion.raised {
                suspicion.raised = suspicion.has_held(now_unix_ms, limits);
                match suspicion.raised {
                    true => changes.raised.push(suspicion.finding()),
                    false if !suspicion.is_confirmed() => {
                        changes.awaited.extend(suspicion.condition.arrays().cloned());
                    }
                    false => {}
                }
            }
            self.suspicions.insert(key, suspicion);
        }
        changes.cleared =
            earlier.into_values().filter(|gone| gone.raised).map(|gone| gone.finding()).collect();
        changes
    }

    /// The findings that this filter leaves, the gravest first, with what would put each right.
    pub fn findings(&self, filter: &Filter) -> Vec<(v1::Finding, Option<&Fix>)> {
        let raised = self.suspicions.values().filter(|suspicion| suspicion.raised);
        let fitting = raised.filter(|suspicion| filter.leaves(&suspicion.condition));
        let mut found: Vec<_> =
            fitting.map(|suspicion| (suspicion.finding(), suspicion.condition.fix.as_ref())).collect();
        found.sort_by_key(|(finding, _)| Reverse(finding.severity));
        found
    }

    pub fn looked_at_unix_ms(&self) -> i64 {
        self.looked_at_unix_ms
    }
}

impl Suspicion {
    fn has_held(&self, now_unix_ms: i64, limits: &Limits) -> bool {
        let held = now_unix_ms.saturating_sub(self.first_unix_ms);
        self.looks >= 2 && held >= millis(limits.grace) && self.is_confirmed()
    }

    /// What it rests on was looked at again since.
    fn is_confirmed(&self) -> bool {
        self.condition.seen_unix_ms >= self.first_unix_ms
    }

    fn finding(&self) -> v1::Finding {
        let condition = &self.condition;
        v1::Finding {
            code: condition.code.to_string(),
            severity: condition.severity.into(),
            what: condition.what.clone(),
            objects: condition.objects.iter().map(Object::shown).collect(),
            evidence: condition.evidence.clone(),
            since_unix_ms: condition.since_unix_ms.unwrap_or(self.first_unix_ms),
            remedy: condition.remedy.clone(),
            fix: condition.fix.as_ref().map(|fix| fix.says.clone()).unwrap_or_default(),
        }
    }
}

/// Which findings are wanted: those that all of these fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub code: Option<FindingCode>,
    pub host: Option<HostId>,
    pub array: Option<ArrayId>,
}

impl Filter {
    fn leaves(&self, condition: &Condition) -> bool {
        self.code.is_none_or(|code| code == condition.code)
            && condition.is_about(self.host.as_ref(), self.array.as_ref())
    }
}
