//! Fabrics: the ways from this host's initiators to the arrays' targets.
//!
//! A fabric makes one volume's device appear and disappear again. It refuses to bring in volumes that nobody asked for.

use sanfleet_protocol::{TargetPath, VolumeId};

use crate::{deadline::Deadline, host::HostError, verify::VerifiedDevice};

pub mod fc;
pub mod iscsi;
pub mod loopback;
pub mod scsi;

/// A volume that is to appear, and where the array says that it shows it: a hint where to look, never proof.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub volume: &'a VolumeId,
    pub paths: &'a [TargetPath],
}

impl<'a> Wanted<'a> {
    /// For a fabric that finds volumes by itself.
    pub fn anywhere(volume: &'a VolumeId) -> Self {
        Self { volume, paths: &[] }
    }
}

pub trait Fabric {
    /// As in the commands: `loop`, `iscsi`, `nvme-tcp`, `fc`.
    fn name(&self) -> &'static str;

    /// True for a device that came over this fabric.
    fn brought(&self, device: &VerifiedDevice) -> bool;

    /// Makes one volume's device appear if the fabric offers it to this host; true when something changed.
    fn rescan(&self, wanted: Wanted<'_>, deadline: Deadline) -> Result<bool, HostError>;

    /// Flushes the device and removes it with all of its paths. The volume stays.
    fn detach(&self, device: VerifiedDevice, deadline: Deadline) -> Result<(), HostError>;

    /// Removes what is left of a volume here where the array says that there is no such unit any more; true when something changed.
    fn drop_unmapped(&self, volume: &VolumeId, deadline: Deadline) -> Result<bool, HostError>;
}

/// A fabric of many targets is not looked through for a volume: it has to be told where.
fn nowhere(volume: &VolumeId, fabric: &str, told: &str) -> HostError {
    HostError::Invalid {
        what: format!("volume {volume}"),
        why: format!("cannot be looked for over {fabric} without being told {told}"),
    }
}
