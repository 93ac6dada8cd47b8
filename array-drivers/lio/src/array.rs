//! The array: volumes, groups, and who sees what.
//!
//! Each call looks first, so that nothing is remembered that could be out of date. What is changed of who sees what is written to
//! the file, if that is still as it was read, and then the target is made so; whoever is interrupted in between leaves it to the
//! next session.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use sanfleet_driver::{ErrorNumber, LsmError, System, SystemId, SystemMode, SystemStatus};

use crate::{
    identity::Serial,
    machine::{Machine, MachineError, Outline, Survey, VolumeRow},
    state::State,
};

mod access_group;
mod chap;
mod mapping;
mod mask;
mod pool;
mod port;
#[cfg(test)]
mod tests;
mod volume;

pub(crate) type Answer<T> = Result<T, LsmError>;

const SYSTEM: &str = "lio";
/// Where iSCSI targets listen (RFC 7143 §2.1).
const PORT: u16 = 3260;
/// Somebody else may change who sees what at the same time; so often it is tried again.
const TRIES: usize = 8;

pub(crate) struct Array {
    machine: Box<dyn Machine>,
    /// Where the target listens; every address of the machine when there is none.
    portals: Vec<SocketAddr>,
    patience: Duration,
    /// The start of the machine since which its target is known to be as the file has it: what is in the kernel ends with it.
    shown_since: Option<String>,
}

/// All that there is, at one moment.
struct Look {
    survey: Survey,
    state: State,
}

impl Array {
    /// Makes the target as the file has it.
    pub fn open(machine: Box<dyn Machine>, portals: Vec<SocketAddr>, patience: Duration) -> Answer<Self> {
        let mut array = Self { machine, portals, patience, shown_since: None };
        array.look()?;
        Ok(array)
    }

    pub fn patience(&self) -> Duration {
        self.patience
    }

    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
        self.machine.set_patience(patience);
    }

    pub fn system(&mut self) -> Answer<System> {
        Ok(System {
            id: system_id(),
            name: self.glance()?.0.hostname,
            status: SystemStatus::OK,
            status_info: String::new(),
            plugin_data: None,
            fw_version: String::new(),
            mode: SystemMode::NO_SUPPORT,
            read_cache_pct: -2,
        })
    }

    /// What needs no volumes.
    fn glance(&mut self) -> Answer<(Outline, State)> {
        let outline = self.machine.outline()?;
        if self.shown_since.as_ref() != Some(&outline.boot) {
            self.look()?;
        }
        let state = read(&outline)?;
        Ok((outline, state))
    }

    /// Whoever looks first after a start of the machine has its target made again.
    fn look(&mut self) -> Answer<Look> {
        let look = self.survey()?;
        let boot = &look.survey.outline.boot;
        if self.shown_since.as_ref() == Some(boot) {
            return Ok(look);
        }
        let boot = boot.clone();
        let look = self.show(look)?;
        self.shown_since = Some(boot);
        Ok(look)
    }

    fn survey(&mut self) -> Answer<Look> {
        let survey = self.machine.survey()?;
        let state = read(&survey.outline)?;
        Ok(Look { survey, state })
    }

    /// Changes who sees what. Where somebody else was quicker, it is decided anew.
    fn change<T>(&mut self, decide: impl Fn(&Survey, &mut State) -> Answer<T>) -> Answer<T> {
        for _ in 0..TRIES {
            let mut look = self.look()?;
            let told = match decide(&look.survey, &mut look.state) {
                // It may have been written down and not come about.
                Err(error) if error.number == ErrorNumber::NoStateChange => {
                    self.show(look)?;
                    return Err(error);
                }
                decided => decided?,
            };
            let text = serde_json::to_string(&look.state)
                .map_err(|error| LsmError::new(ErrorNumber::PluginBug, error.to_string()))?;
            if self.machine.keep(look.survey.outline.file.as_deref(), &text)? {
                look.survey.outline.file = Some(text);
                self.show(look)?;
                return Ok(told);
            }
        }
        overtaken()
    }

    /// Makes the target as the file has it, and gives what it was made of. When others change the file meanwhile, it is as they have it.
    fn show(&mut self, mut look: Look) -> Answer<Look> {
        for _ in 0..TRIES {
            let Some(file) = &look.survey.outline.file else { return Ok(look) };
            let device = |volume: &VolumeRow| format!("/dev/{}/{}", volume.group, volume.serial.lv());
            let devices: BTreeMap<Serial, String> =
                look.survey.volumes.iter().map(|volume| (volume.serial.clone(), device(volume))).collect();
            let target = look.state.target(&devices, self.listening(&look.survey.outline));
            if self.machine.show(file, &target)? {
                return Ok(look);
            }
            look = self.survey()?;
        }
        overtaken()
    }

    fn listening(&self, outline: &Outline) -> Vec<SocketAddr> {
        match self.portals.is_empty() {
            false => self.portals.clone(),
            true => outline.addresses.iter().map(|address| SocketAddr::new(*address, PORT)).collect(),
        }
    }
}

fn read(outline: &Outline) -> Answer<State> {
    let Some(file) = &outline.file else { return Ok(State::new(&outline.hostname)) };
    let state = serde_json::from_str(file);
    Ok(state
        .map_err(|error| MachineError::Unintelligible { doing: "who sees what", why: error.to_string() })?)
}

fn system_id() -> SystemId {
    SystemId::new(SYSTEM)
}

fn overtaken<T>() -> Answer<T> {
    refused(ErrorNumber::NetworkError, "others change who sees what all the time; try again")
}

fn refused<T>(number: ErrorNumber, message: impl Into<String>) -> Answer<T> {
    Err(LsmError::new(number, message))
}
