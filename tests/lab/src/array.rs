//! The array: Linux' own iSCSI target in a guest, with files in memory as volumes.

use std::fs;

use sanfleet_protocol::{TargetPath, VolumeId};

use crate::{
    Lab,
    guest::{Guest, address},
};

const COMMANDS: &str = include_str!("../guest/array.sh");
const TARGET: &str = "iqn.2026-01.example.lab:array";
/// What stands before a guest's name in its initiator's.
const INITIATOR_PREFIX: &str = "iqn.2026-01.example.lab:";
const NUMBER: u8 = 1;
const PORT: u16 = 3260;
/// How Linux' target begins every id; 25 digits of the serial follow.
const ID_PREFIX: &str = "6001405";

#[derive(Debug)]
pub struct Array {
    guest: Guest,
}

/// A volume as it is shown to one host.
#[derive(Debug)]
pub struct Shown {
    pub id: VolumeId,
    /// The ways there, in the order in which they are tried.
    pub paths: Vec<TargetPath>,
}

impl Array {
    pub fn boot(lab: &Lab) -> anyhow::Result<Self> {
        let guest = Guest::boot(lab, "array", NUMBER)?;
        fs::write(guest.folder().join("array.sh"), COMMANDS)?;
        Ok(Self { guest })
    }

    /// Waits until it has booted, and has it listen.
    pub fn begin(&mut self) -> anyhow::Result<()> {
        self.guest.await_boot()?;
        self.command(&format!("begin {}:{PORT}", address(NUMBER)))
    }

    pub fn admit(&mut self, host: &str, user: &str, password: &str) -> anyhow::Result<()> {
        self.command(&format!("admit {INITIATOR_PREFIX}{host} {user} {password}"))
    }

    /// Makes a volume of this number.
    pub fn make(&mut self, volume: u32, bytes: u64) -> anyhow::Result<()> {
        self.command(&format!("make v{volume} {bytes} {}", serial(volume)))
    }

    /// Shows a volume to a host under this number of a unit.
    pub fn map(&mut self, volume: u32, host: &str, unit: u16) -> anyhow::Result<Shown> {
        self.command(&format!("map {INITIATOR_PREFIX}{host} {unit} v{volume}"))?;
        Ok(Shown {
            id: format!("naa.{ID_PREFIX}{}", serial(volume)).parse()?,
            paths: vec![format!("{}:{PORT},{TARGET},{unit}", address(NUMBER)).parse()?],
        })
    }

    /// Whoever still uses what is behind that unit.
    pub fn unmap(&mut self, host: &str, unit: u16) -> anyhow::Result<()> {
        self.command(&format!("unmap {INITIATOR_PREFIX}{host} {unit}"))
    }

    /// Whoever has come in waits in vain from now on.
    pub fn cut(&mut self) -> anyhow::Result<()> {
        self.guest.run(&format!("ip address delete {}/24 dev vec0", address(NUMBER))).map(drop)
    }

    pub fn connect(&mut self) -> anyhow::Result<()> {
        self.guest.run(&format!("ip address add {}/24 dev vec0", address(NUMBER))).map(drop)
    }

    fn command(&mut self, command: &str) -> anyhow::Result<()> {
        self.guest.run(&format!(". /lab/array.sh\n{command}\n")).map(drop)
    }
}

/// 25 hex digits.
fn serial(volume: u32) -> String {
    format!("{volume:025x}")
}
