//! The real machine, behind a shell.

use std::time::Duration;

use super::{
    Machine, MachineError, New, Outline, PoolRow, Survey, Target, VolumeRow,
    script::{self, CHANGED, NAME_TAKEN, NO_LVM, NO_SOURCE, NO_TARGET},
    shell::{Ended, Shell},
    survey,
};
use crate::{identity::Serial, options::Place};

const ASKING: &str = "asking what there is";
/// What LVM says when a thin pool has no room for another volume.
const FULL: [&str; 3] = ["insufficient free space", "reached threshold", "Insufficient"];

/// What it says of a volume that is not there.
const GONE: &str = "Failed to find logical volume";

#[derive(Debug)]
pub struct RealMachine {
    shell: Shell,
    group: Option<String>,
    patience: Duration,
}

impl RealMachine {
    /// Sees thin pools of this group, or of all.
    pub fn new(place: Place, group: Option<String>, patience: Duration) -> Result<Self, MachineError> {
        Ok(Self { shell: Shell::new(place)?, group, patience })
    }

    fn run(&self, doing: &'static str, script: &str) -> Result<Ended, MachineError> {
        let ended = self.shell.run(doing, script, self.patience)?;
        match ended.status {
            Some(0 | CHANGED | NAME_TAKEN | NO_SOURCE) => Ok(ended),
            Some(NO_LVM) => Err(MachineError::Missing { what: "LVM", package: "lvm2" }),
            Some(NO_TARGET) => {
                Err(MachineError::Missing { what: "the kernel's iSCSI target", package: "linux-image" })
            }
            _ if FULL.iter().any(|full| ended.words.contains(full)) => Err(MachineError::NoRoom(ended.words)),
            _ => Err(MachineError::Failed { doing, words: ended.words }),
        }
    }
}

/// The error of what was to be done to this volume: somebody else may have removed it a moment ago.
fn of_volume(error: MachineError, volume: &VolumeRow) -> MachineError {
    match error {
        MachineError::Failed { words, .. } if words.contains(GONE) => {
            MachineError::NoVolume(volume.serial.clone())
        }
        error => error,
    }
}

fn require_free_name(ended: &Ended, new: New<'_>) -> Result<(), MachineError> {
    match ended.status {
        Some(NAME_TAKEN) => Err(MachineError::NameTaken(new.name.to_owned())),
        _ => Ok(()),
    }
}

fn unintelligible(why: String) -> MachineError {
    MachineError::Unintelligible { doing: ASKING, why }
}

impl Machine for RealMachine {
    fn outline(&mut self) -> Result<Outline, MachineError> {
        let ended = self.run(ASKING, &script::outline())?;
        survey::read_outline(&ended.said).map_err(unintelligible)
    }

    fn survey(&mut self) -> Result<Survey, MachineError> {
        let ended = self.run(ASKING, &script::survey())?;
        survey::read(&ended.said, self.group.as_deref()).map_err(unintelligible)
    }

    fn make(&mut self, new: New<'_>, pool: &PoolRow, size: u64) -> Result<(), MachineError> {
        let ended = self.run("making a volume", &script::make(new, pool, size))?;
        require_free_name(&ended, new)
    }

    fn copy(&mut self, new: New<'_>, source: &Serial) -> Result<VolumeRow, MachineError> {
        let ended = self.run("copying a volume", &script::copy(new, source))?;
        require_free_name(&ended, new)?;
        if ended.status == Some(NO_SOURCE) {
            return Err(MachineError::NoVolume(source.clone()));
        }
        survey::read_copy(&ended.said, new).map_err(unintelligible)
    }

    fn grow(&mut self, volume: &VolumeRow, size: u64) -> Result<(), MachineError> {
        self.run("growing a volume", &script::grow(volume, size))
            .map(drop)
            .map_err(|error| of_volume(error, volume))
    }

    fn remove(&mut self, volume: &VolumeRow) -> Result<(), MachineError> {
        self.run("removing a volume", &script::remove(volume))
            .map(drop)
            .map_err(|error| of_volume(error, volume))
    }

    fn keep(&mut self, before: Option<&str>, after: &str) -> Result<bool, MachineError> {
        let ended = self.run("writing down who sees what", &script::keep(before, after))?;
        Ok(ended.status != Some(CHANGED))
    }

    fn show(&mut self, file: &str, target: &Target) -> Result<bool, MachineError> {
        let ended = self.run("showing volumes", &script::show(file, target))?;
        Ok(ended.status != Some(CHANGED))
    }

    fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }
}
