//! The real machine, behind a shell.

use std::time::Duration;

use super::{
    Machine, MachineError, New, Survey, Target, VolumeRow,
    script::{self, CHANGED, NO_LVM, NO_TARGET},
    shell::{Ended, Shell},
    survey,
};
use crate::{identity::Serial, options::Place};

/// What LVM says when a thin pool has no room for another volume.
const FULL: [&str; 3] = ["insufficient free space", "reached threshold", "Insufficient"];

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
            Some(0 | CHANGED) => Ok(ended),
            Some(NO_LVM) => Err(MachineError::Missing { what: "LVM", package: "lvm2" }),
            Some(NO_TARGET) => {
                Err(MachineError::Missing { what: "the kernel's iSCSI target", package: "linux-image" })
            }
            _ if FULL.iter().any(|full| ended.words.contains(full)) => Err(MachineError::NoRoom(ended.words)),
            _ => Err(MachineError::Failed { doing, words: ended.words }),
        }
    }
}

impl Machine for RealMachine {
    fn survey(&mut self) -> Result<Survey, MachineError> {
        let doing = "asking what there is";
        let ended = self.run(doing, &script::survey())?;
        survey::read(&ended.said, self.group.as_deref())
            .map_err(|why| MachineError::Unintelligible { doing, why })
    }

    fn make(&mut self, new: New<'_>, pool: &str, size: u64) -> Result<(), MachineError> {
        self.run("making a volume", &script::make(new, pool, size)).map(drop)
    }

    fn copy(&mut self, new: New<'_>, source: &Serial) -> Result<(), MachineError> {
        self.run("copying a volume", &script::copy(new, source)).map(drop)
    }

    fn grow(&mut self, volume: &VolumeRow, size: u64) -> Result<(), MachineError> {
        self.run("growing a volume", &script::grow(volume, size)).map(drop)
    }

    fn remove(&mut self, volume: &VolumeRow) -> Result<(), MachineError> {
        self.run("removing a volume", &script::remove(volume)).map(drop)
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
