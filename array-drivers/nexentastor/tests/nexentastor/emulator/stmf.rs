//! COMSTAR: logical units, and which initiators see them through which targets.

use std::collections::BTreeMap;

use super::{Refusal, chance};

/// Every initiator, or every target.
pub const ALL: &str = "all";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub volume: String,
    pub host_group: String,
    pub target_group: String,
    pub lun: u64,
    /// Looks after which lists tell of it.
    hidden: u32,
}

#[derive(Debug, Default)]
pub struct Stmf {
    /// Volumes and their units' GUIDs.
    pub units: BTreeMap<String, String>,
    pub host_groups: BTreeMap<String, Vec<String>>,
    pub target_groups: BTreeMap<String, Vec<String>>,
    pub views: BTreeMap<String, View>,
    /// Views that are gone, and for how many looks lists still tell of them.
    ghosts: BTreeMap<String, View>,
    pub lag: u32,
    made: u64,
}

fn missing<T>(what: &str, name: &str) -> Result<T, Refusal> {
    Err(Refusal::Missing(format!("{what} '{name}' does not exist")))
}

impl Stmf {
    /// Its GUID.
    pub fn create_unit(&mut self, volume: &str) -> &str {
        let guid = format!("600144F0{}", chance()[..24].to_uppercase());
        self.units.entry(volume.to_owned()).or_insert(guid)
    }

    pub fn is_mapped(&self, volume: &str) -> bool {
        self.views.values().any(|view| view.volume == volume)
    }

    /// What lists tell of views.
    pub fn look_at_views(&mut self) -> Vec<(String, View)> {
        let mut seen: Vec<(String, View)> =
            self.ghosts.iter().map(|(id, view)| (id.clone(), view.clone())).collect();
        self.ghosts.retain(|_, view| {
            view.hidden = view.hidden.saturating_sub(1);
            view.hidden > 0
        });
        for (id, view) in &mut self.views {
            match view.hidden.checked_sub(1) {
                Some(left) => view.hidden = left,
                None => seen.push((id.clone(), view.clone())),
            }
        }
        seen
    }

    pub fn add_view(
        &mut self,
        volume: &str,
        host_group: &str,
        target_group: &str,
        lun: Option<u64>,
    ) -> Result<String, Refusal> {
        if host_group != ALL && !self.host_groups.contains_key(host_group) {
            return missing("host group", host_group);
        }
        if target_group != ALL && !self.target_groups.contains_key(target_group) {
            return missing("target group", target_group);
        }
        let overlap = |one: &str, other: &str| one == other || one == ALL || other == ALL;
        let clashes =
            |view: &View| overlap(&view.host_group, host_group) && overlap(&view.target_group, target_group);
        if self.views.values().any(|view| view.volume == volume && clashes(view)) {
            return Err(Refusal::Exists(format!("view entry exists for '{volume}'")));
        }
        let used: Vec<u64> = self.views.values().filter(|view| clashes(view)).map(|view| view.lun).collect();
        let lun = match lun {
            Some(lun) if used.contains(&lun) => {
                return Err(Refusal::Exists(format!("LUN {lun} already exists")));
            }
            Some(lun) => lun,
            None => (0..).find(|lun| !used.contains(lun)).unwrap(),
        };
        self.create_unit(volume);
        self.made += 1;
        let id = format!("view-{}", self.made);
        let view = View {
            volume: volume.to_owned(),
            host_group: host_group.to_owned(),
            target_group: target_group.to_owned(),
            lun,
            hidden: self.lag,
        };
        self.views.insert(id.clone(), view);
        Ok(id)
    }

    pub fn remove_view(&mut self, id: &str) -> Result<View, Refusal> {
        let Some(view) = self.views.remove(id) else { return missing("mapping", id) };
        if self.lag > 0 {
            self.ghosts.insert(id.to_owned(), View { hidden: self.lag, ..view.clone() });
        }
        Ok(view)
    }

    pub fn create_host_group(&mut self, name: &str, members: Vec<String>) -> Result<(), Refusal> {
        if self.host_groups.contains_key(name) || name == ALL {
            return Err(Refusal::Exists(format!("host group '{name}' already exists")));
        }
        self.require_free(name, &members)?;
        self.host_groups.insert(name.to_owned(), members);
        Ok(())
    }

    pub fn set_members(&mut self, name: &str, members: Vec<String>) -> Result<(), Refusal> {
        if !self.host_groups.contains_key(name) {
            return missing("host group", name);
        }
        self.require_free(name, &members)?;
        self.host_groups.insert(name.to_owned(), members);
        Ok(())
    }

    /// An initiator is in one group at most.
    fn require_free(&self, name: &str, members: &[String]) -> Result<(), Refusal> {
        let others = self.host_groups.iter().filter(|(other, _)| *other != name);
        match others.flat_map(|(_, members)| members).find(|member| members.contains(member)) {
            Some(taken) => Err(Refusal::Exists(format!("{taken} already exists in another host group"))),
            None => Ok(()),
        }
    }

    pub fn destroy_host_group(&mut self, name: &str) -> Result<(), Refusal> {
        if self.views.values().any(|view| view.host_group == name) {
            return Err(Refusal::Busy(format!("host group '{name}' is in use")));
        }
        match self.host_groups.remove(name) {
            Some(_) => Ok(()),
            None => missing("host group", name),
        }
    }
}
