//! Who sees what: the file on the machine, and what follows from it for the target. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    identity::Serial,
    machine::{Login, Shown, Target},
};

/// A target has a unit 0 of its own for who is shown nothing, so that no volume is given that number.
const FIRST_UNIT: u16 = 1;
/// LIO's `TRANSPORT_MAX_LUNS_PER_TPG` is higher; a SCSI unit number of two bytes ends here (SAM-5 §4.7).
const LAST_UNIT: u16 = 16_383;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// The target's iSCSI name, made once.
    pub target: String,
    /// By name, which is its id.
    pub groups: BTreeMap<String, BTreeSet<String>>,
    pub masks: BTreeSet<Mask>,
    /// The unit number of each volume that is shown, the same to everybody.
    pub units: BTreeMap<String, u16>,
    /// The number that was given last: one that was used long ago is used again as late as possible, for some host may still have
    /// a device of it.
    pub last_unit: u16,
    pub logins: BTreeMap<String, Login>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mask {
    pub group: String,
    pub volume: String,
}

impl State {
    /// Of a machine that has shown nothing yet.
    pub fn new(hostname: &str) -> Self {
        let legal = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        let host: String = hostname.chars().filter(legal).take(64).collect::<String>().to_ascii_lowercase();
        let mark: String = Uuid::new_v4().simple().to_string().chars().take(12).collect();
        Self {
            target: format!("iqn.2003-01.org.linux-iscsi.{host}:sanfleet.{mark}"),
            groups: BTreeMap::new(),
            masks: BTreeSet::new(),
            units: BTreeMap::new(),
            last_unit: 0,
            logins: BTreeMap::new(),
        }
    }

    pub fn is_masked(&self, volume: &Serial) -> bool {
        self.masks.iter().any(|mask| mask.volume == volume.as_str())
    }

    /// False when it was so already.
    pub fn mask(&mut self, group: &str, volume: &Serial) -> Result<bool, NoUnit> {
        if !self.units.contains_key(volume.as_str()) {
            let unit = self.free_unit()?;
            self.units.insert(volume.to_string(), unit);
            self.last_unit = unit;
        }
        Ok(self.masks.insert(Mask { group: group.to_owned(), volume: volume.to_string() }))
    }

    /// False when it was so already.
    pub fn unmask(&mut self, group: &str, volume: &Serial) -> bool {
        let was = self.masks.remove(&Mask { group: group.to_owned(), volume: volume.to_string() });
        if !self.is_masked(volume) {
            self.units.remove(volume.as_str());
        }
        was
    }

    /// The next number after the one that was given last.
    fn free_unit(&self) -> Result<u16, NoUnit> {
        let used: BTreeSet<u16> = self.units.values().copied().collect();
        let after = self.last_unit.saturating_add(1).max(FIRST_UNIT);
        let mut numbers = (after..=LAST_UNIT).chain(FIRST_UNIT..after.min(LAST_UNIT));
        numbers.find(|number| !used.contains(number)).ok_or(NoUnit)
    }

    /// What the target has to be like, of volumes that are there.
    pub fn target(&self, volumes: &BTreeMap<Serial, String>, portals: Vec<std::net::SocketAddr>) -> Target {
        let shown: Vec<Shown> = volumes
            .iter()
            .filter_map(|(serial, device)| {
                let unit = *self.units.get(serial.as_str())?;
                let groups = self.masks.iter().filter(|mask| mask.volume == serial.as_str());
                let initiators =
                    groups.filter_map(|mask| self.groups.get(&mask.group)).flatten().cloned().collect();
                Some(Shown { serial: serial.clone(), device: device.clone(), unit, initiators })
            })
            .collect();
        let seeing: BTreeSet<&String> = shown.iter().flat_map(|shown| &shown.initiators).collect();
        let admitted = seeing
            .into_iter()
            .map(|initiator| (initiator.clone(), self.logins.get(initiator).cloned()))
            .collect();
        Target { name: self.target.clone(), portals, shown, admitted }
    }
}

/// Every unit number is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("all {LAST_UNIT} unit numbers of the target are in use")]
pub(crate) struct NoUnit;

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let mut state = State::new("Store_1");
        state.groups.insert("web".into(), BTreeSet::from(["iqn.2026-01.example:a".into()]));
        state
    }

    #[test]
    fn a_target_is_named_after_its_machine_and_is_no_others() {
        let (one, other) = (State::new("Store_1"), State::new("Store_1"));
        assert!(one.target.starts_with("iqn.2003-01.org.linux-iscsi.store1:sanfleet."), "{}", one.target);
        assert_ne!(one.target, other.target);
        assert!(one.target.parse::<sanfleet_protocol::TargetName>().is_ok());
    }

    #[test]
    fn a_unit_number_is_given_to_another_volume_as_late_as_possible() {
        let mut state = state();
        let [first, second] = [Serial::mint(), Serial::mint()];
        assert_eq!(state.mask("web", &first), Ok(true));
        assert_eq!(state.mask("web", &first), Ok(false));
        assert!(state.unmask("web", &first));
        assert!(!state.unmask("web", &first));
        state.mask("web", &second).unwrap();
        assert_eq!(state.units.get(second.as_str()), Some(&2));
        state.last_unit = LAST_UNIT;
        state.mask("web", &first).unwrap();
        assert_eq!(state.units.get(first.as_str()), Some(&1));
    }

    #[test]
    fn who_sees_what_follows_from_groups_and_masks_of_volumes_that_are_there() {
        let mut state = state();
        let [there, gone] = [Serial::mint(), Serial::mint()];
        state.mask("web", &there).unwrap();
        state.mask("web", &gone).unwrap();
        let target = state.target(&BTreeMap::from([(there.clone(), "/dev/vg/x".into())]), Vec::new());
        let shown: Vec<(&Serial, usize)> =
            target.shown.iter().map(|shown| (&shown.serial, shown.initiators.len())).collect();
        assert_eq!(shown, [(&there, 1)]);
        assert_eq!(target.admitted.len(), 1);
        state.unmask("web", &there);
        assert!(state.target(&BTreeMap::from([(there, "/dev/vg/x".into())]), Vec::new()).admitted.is_empty());
    }
}
